"""`medkg graph evidence`, `conflicts`, `paths` and `review`: what supports claims, and what to doubt."""

from __future__ import annotations

from typing import Annotated, Any, Final

import typer

from orchestration.cli.help_text import example
from orchestration.cli.output import MOST, AsJson, answer, console, note, reports_errors, table
from orchestration.contracts import Concept, Conflict, Link, Path, Paths, Position, Proposal
from orchestration.errors import UsageError
from orchestration.operations.graph.evidence import claim_json
from orchestration.records import LOCAL_PREFIX
from orchestration.settings import Settings

__all__ = ["register_evidence", "stated_by"]

RETRACTED: Final = "[retracted]"
HINTS: Final = {
    "unlinked": "medkg graph alias add {keys[0]} CURIE, or medkg vocabulary add FILE",
    "same_name": "medkg graph alias add {keys[1]} {keys[0]} if both are the same",
    "name_only": "medkg graph alias add {keys[1]} {keys[0]} if both are the same",
    "low_confidence": "medkg graph evidence {claim_id}",
    "merged": "medkg graph alias list {keys[0]}, then alias undo ID if they differ",
}
"""Next step by kind of proposal."""

SHOWN: Final = 20
"""Documents of one stance that are listed."""

SHOWN_CLAIMS: Final = 5
MOST_HOPS: Final = 4

Limit = Annotated[int, typer.Option(min=1, max=MOST, help="Maximum number.")]
PredicateOption = Annotated[str | None, typer.Option(help="Only with this predicate.")]


def stated_by(extraction: str, confidence: float) -> str:
    """Which extractor found a claim, with the confidence of one that may be wrong."""
    name = extraction.partition("/")[0]
    return name if confidence == 1 else f"{name} {confidence:.2f}"


def show_evidence(
    ctx: typer.Context,
    claim_id: Annotated[str | None, typer.Argument(help="Id of a claim, from `medkg graph claims`.")] = None,
    subject: Annotated[str | None, typer.Option(help="Key or name: claims about it ...")] = None,
    object_: Annotated[str | None, typer.Option("--object", help="... and this object.")] = None,
    predicate: PredicateOption = None,
    limit: Limit = 20,
    as_json: AsJson = False,
) -> None:
    """Show where claims are stated, in context, and the documents for and against."""
    from orchestration.assembly import open_data_folder

    by_ends = subject is not None and object_ is not None
    if by_ends == (claim_id is not None) or (subject is None) != (object_ is None):
        raise UsageError("give the id of a claim, or --subject and --object.")
    settings: Settings = ctx.obj
    with open_data_folder(settings) as data_folder:
        if claim_id is not None:
            value = data_folder.graph.evidence(claim_id)
            shown = [value]
        else:
            value = data_folder.graph.evidence_between(str(subject), str(object_), predicate, limit)
            shown = value["claims"]

    def show() -> None:
        for each in shown:
            _show_quotes(each["claim"], each["evidence"])
        for name, documents in value["documents"].items():
            _show_documents(name, documents, value["publications"][name])

    answer(as_json, value, show)


def _show_quotes(claim: dict[str, Any], quotes: list[dict[str, Any]]) -> None:
    effect = " ".join(
        filter(None, ["not" if claim["negated"] else "", claim["predicate"], claim["direction"]])
    )
    _print(f"{claim['subject']['name']} -- {effect} -> {claim['object']['name']}  ({claim['claim_id']})")
    for line in dict.fromkeys(f"  {each['kind']}: {each['value']}" for each in claim["qualifiers"]):
        _print(line)
    _print(f"  {_cited(claim)}  (by {stated_by(claim['extraction'], claim['confidence'])})")
    for quote in quotes:
        page = f"  page {quote['page_no']}" if quote["page_no"] else ""
        place = " > ".join(quote["title_path"])
        _print(f"  characters {quote['start_char']}-{quote['end_char']}{page}  {place}")
        start, end = quote["in_context"]
        before, after = (
            " ".join(text.split()) for text in (quote["context"][:start], quote["context"][end:])
        )
        _print("    " + " ".join(filter(None, [before, f">>{quote['exact']}<<", after])))


def _show_documents(name: str, documents: list[dict[str, Any]], publications: int) -> None:
    """Documents of one stance; further records of the publication above them are indented."""
    if documents:
        _print(f"{name}: {_counted(len(documents), publications)}")
    before = None
    for each in documents[:SHOWN]:
        same = each["publication"] == before
        _print(f"    the same publication: {_cited(each)}" if same else f"  {_cited(each)}")
        before = each["publication"]
    if len(documents) > SHOWN:
        _print(f"  and {len(documents) - SHOWN:,} more; --json lists all")


def _counted(documents: int, publications: int) -> str:
    """Numbers of documents, and of publications where some are records of the same one."""
    of = f" of {publications:,} publications" if publications < documents else ""
    return f"{documents:,} document{'' if documents == 1 else 's'}{of}"


def _cited(document: dict[str, Any]) -> str:
    facts = (document["year"], document["study_type"], document["title"] or "no title")
    known = ", ".join(str(fact) for fact in facts if fact)
    mark = f" {RETRACTED}" if document["retracted"] else ""
    return f"{document['source']} {document['doc_id']}{mark}: {known}"


def list_conflicts(
    ctx: typer.Context,
    about: Annotated[str | None, typer.Argument(help="Key or name of a concept.")] = None,
    predicate: PredicateOption = None,
    limit: Limit = 20,
    as_json: AsJson = False,
) -> None:
    """List claims that disagree: stated and denied, or effects in different directions."""
    from orchestration.assembly import open_data_folder

    settings: Settings = ctx.obj
    with open_data_folder(settings) as data_folder:
        conflicts = data_folder.graph.conflicts(about, predicate, limit)
    answer(
        as_json,
        {"conflicts": [_conflict_json(each) for each in conflicts]},
        lambda: _show_conflicts(conflicts),
    )


def _conflict_json(conflict: Conflict) -> dict[str, Any]:
    positions = [
        {
            **each.model_dump(exclude={"statements"}),
            "retracted": each.documents == each.retracted_documents,
            "statements": [claim_json(statement) for statement in each.statements],
        }
        for each in conflict.positions
    ]
    return {
        "subject": conflict.subject.model_dump(),
        "predicate": conflict.predicate,
        "object": conflict.object.model_dump(),
        "positions": positions,
    }


def _show_conflicts(conflicts: list[Conflict]) -> None:
    if not conflicts:
        note("no claims disagree")
    for conflict in conflicts:
        _print(f"{conflict.subject.name} -- {conflict.predicate} -> {conflict.object.name}")
        for position in conflict.positions:
            counted = _counted(position.documents, position.publications)
            _print(f"  {_said(position)}: {counted}{_all_retracted(position)}")
            for each in position.statements[:SHOWN_CLAIMS]:
                _print(f"    {each.claim.claim_id}  {_cited(claim_json(each))}")
            if len(position.statements) > SHOWN_CLAIMS:
                _print(f"    and {len(position.statements) - SHOWN_CLAIMS:,} more claims; --json lists all")


def _said(position: Position) -> str:
    return " ".join(filter(None, ["denied" if position.negated else "stated", position.direction]))


def _all_retracted(counted: Position | Link) -> str:
    return f" {RETRACTED}" if counted.documents == counted.retracted_documents else ""


def list_paths(
    ctx: typer.Context,
    start: Annotated[str, typer.Argument(metavar="FROM", help="Key or name of a concept.")],
    end: Annotated[str, typer.Argument(metavar="TO", help="Key or name of another one.")],
    max_hops: Annotated[int, typer.Option(min=1, max=MOST_HOPS, help="Most steps of a path.")] = 2,
    predicates: Annotated[
        list[str] | None, typer.Option(help="Only claims of this predicate; may be repeated.")
    ] = None,
    max_documents: Annotated[
        int, typer.Option(min=1, max=MOST, help="Concepts of more documents are not passed through.")
    ] = 1000,
    limit: Limit = 20,
    as_json: AsJson = False,
) -> None:
    """List how claims join two concepts: fewest steps first, then the most specific concepts between."""
    from orchestration.assembly import open_data_folder

    settings: Settings = ctx.obj
    with open_data_folder(settings) as data_folder:
        first, last, paths = data_folder.graph.paths(
            start,
            end,
            max_hops=max_hops,
            predicates=predicates or (),
            max_documents=max_documents,
            limit=limit,
        )
    value = {
        "from": first.model_dump(),
        "to": last.model_dump(),
        "paths": [_path_json(path) for path in paths.paths],
        "hubs": [each.model_dump() for each in paths.hubs],
        "truncated": paths.truncated,
    }
    answer(as_json, value, lambda: _show_paths(first, last, paths, max_hops))


def _path_json(path: Path) -> dict[str, Any]:
    steps = [
        [{**link.model_dump(), "retracted": link.documents == link.retracted_documents} for link in step]
        for step in path.links
    ]
    return {
        "concepts": [each.model_dump() for each in path.concepts],
        "links": steps,
        "retracted": path.retracted,
    }


def _show_paths(first: Concept, last: Concept, paths: Paths, max_hops: int) -> None:
    if not paths.paths:
        further = [f"--max-hops {max_hops + 1}"] if max_hops < MOST_HOPS else []
        further += ["a greater --max-documents"] if paths.hubs else []
        hint = f"; {' or '.join(further)} looks further" if further else ""
        note(f"no path of at most {max_hops} steps from {first.name} to {last.name}{hint}")
    for path in paths.paths:
        text = path.concepts[0].name
        for step, concept in zip(path.links, path.concepts[1:], strict=True):
            said = ", ".join(
                f"{'' if link.outgoing else '<- '}{link.predicate}{' ->' if link.outgoing else ''}"
                f"{_all_retracted(link)}"
                for link in step
            )
            text += f"  [{said}]  {concept.name}"
        _print(text)
    if paths.hubs:
        names = ", ".join(f"{each.name} ({each.documents:,} documents)" for each in paths.hubs)
        note(f"not passed through: {names}")
    if paths.truncated:
        note("the concepts have more neighbours than are followed; there may be further paths")


def review(ctx: typer.Context, limit: Limit = 20, as_json: AsJson = False) -> None:
    """List what a person should look at: names without a key, names of several concepts, weak claims."""
    from orchestration.assembly import open_data_folder

    settings: Settings = ctx.obj
    with open_data_folder(settings) as data_folder:
        proposals = data_folder.graph.proposals(limit)
    value = [{**each.model_dump(), "next": _next(each)} for each in proposals]
    rows = [
        [
            each.kind,
            each.name,
            ", ".join(concept.concept for concept in each.concepts) or ", ".join(each.keys),
            max((concept.documents for concept in each.concepts), default=""),
            _next(each),
        ]
        for each in proposals
    ]
    columns = ["kind", "name", "concepts", "documents", "next"]
    answer(as_json, {"proposals": value}, lambda: table(None, columns, rows))


def _next(proposal: Proposal) -> str:
    keys = _linked_first(proposal) or list(proposal.keys)
    return HINTS[proposal.kind].format(keys=keys, claim_id=proposal.claim_id)


def _linked_first(proposal: Proposal) -> list[str]:
    keys = [each.concept for each in proposal.concepts] if proposal.kind != "merged" else []
    return sorted(keys, key=lambda key: key.startswith(LOCAL_PREFIX))


def _print(text: str) -> None:
    console.print(text, markup=False)


def register_evidence(graph: typer.Typer) -> None:
    """Add the commands to `medkg graph`."""
    for name, command, shown in (
        ("evidence", show_evidence, "medkg graph evidence c0123456789abcdef01234567"),
        ("conflicts", list_conflicts, "medkg graph conflicts Metformin"),
        ("paths", list_paths, "medkg graph paths Metformin MESH:D003920 --max-hops 3"),
        ("review", review, "medkg graph review --limit 5"),
    ):
        graph.command(name, epilog=example(shown))(reports_errors(command))
