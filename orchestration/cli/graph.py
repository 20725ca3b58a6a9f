"""`medkg graph`: concepts, claims and evidence of the committed documents."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer

from orchestration.cli import graph_projection
from orchestration.cli.help_text import DOCUMENTS, example
from orchestration.cli.output import AsJson, answer, console, note, reports_errors, table
from orchestration.cli.progress import counting
from orchestration.contracts import Concept, Statement
from orchestration.settings import Settings

graph = typer.Typer(help="Concepts, claims and evidence of the graph.", no_args_is_help=True)

About = Annotated[str, typer.Argument(help="Key of a concept, e.g. MESH:D003920, or its name.")]
Limit = Annotated[int, typer.Option(min=1, help="Maximum number of rows.")]


@graph.command("entities", epilog=example("medkg graph entities diabetes --kind Condition"))
@reports_errors
def list_entities(
    ctx: typer.Context,
    named: Annotated[str | None, typer.Argument(help="Key, or part of a name.")] = None,
    kind: Annotated[str | None, typer.Option(help="Only of this kind, e.g. Drug.")] = None,
    limit: Limit = 100,
    as_json: AsJson = False,
) -> None:
    """List concepts, those of most documents first."""
    from orchestration.assembly import open_data_folder

    settings: Settings = ctx.obj
    with open_data_folder(settings) as data_folder:
        concepts = data_folder.graph.concepts(named, kind, limit)
    columns = ["concept", "kind", "name", "documents", "mentions"]
    answer(
        as_json,
        {"entities": [concept.model_dump() for concept in concepts]},
        lambda: table(None, columns, [[getattr(each, name) for name in columns] for each in concepts]),
    )


@graph.command("claims", epilog=example("medkg graph claims MESH:D003920 --predicate studies"))
@reports_errors
def list_claims(
    ctx: typer.Context,
    about: Annotated[str | None, typer.Argument(help="Key or name of a concept.")] = None,
    predicate: Annotated[str | None, typer.Option(help="Only with this predicate.")] = None,
    document: Annotated[str | None, typer.Option(help="Only of the document of this id.")] = None,
    source: Annotated[str | None, typer.Option(help="Source of that document.")] = None,
    limit: Limit = 100,
    as_json: AsJson = False,
) -> None:
    """List claims with their documents; `medkg graph evidence` shows where they are stated."""
    from orchestration.assembly import open_data_folder

    settings: Settings = ctx.obj
    with open_data_folder(settings) as data_folder:
        key = None if document is None else data_folder.graph.document_key(document, source)
        statements = data_folder.graph.claims(about, predicate, key, limit)
    value = [_claim(statement) for statement in statements]
    columns = ["claim_id", "doc_id", "subject", "predicate", "object", "qualifiers"]
    answer(
        as_json,
        {"claims": value},
        lambda: table(None, columns, [_claim_row(statement) for statement in statements]),
    )


def _claim(statement: Statement) -> dict[str, Any]:
    """A claim as JSON, with its mentions in place of their ids."""
    mentions = {
        end: mention.model_dump(mode="json", exclude={"tenant_id", "doc_id", "entity_id"})
        for end, mention in (("subject", statement.subject), ("object", statement.object))
    }
    return {
        "doc_id": statement.key.doc_id,
        "source": statement.key.source,
        "version": statement.version,
        **statement.claim.model_dump(mode="json", exclude={"tenant_id", "doc_id", "subject", "object"}),
        **mentions,
    }


def _claim_row(statement: Statement) -> list[object]:
    claim = statement.claim
    return [
        claim.claim_id,
        statement.key.doc_id,
        statement.subject.name,
        f"not {claim.predicate}" if claim.negated else claim.predicate,
        statement.object.name,
        "; ".join(f"{each.kind}: {each.value}" for each in claim.qualifiers),
    ]


@graph.command("neighbours", epilog=example("medkg graph neighbours NCT:NCT01234567"))
@reports_errors
def list_neighbours(ctx: typer.Context, about: About, limit: Limit = 100, as_json: AsJson = False) -> None:
    """List the concepts that claims join to a concept, those of most documents first."""
    from orchestration.assembly import open_data_folder

    settings: Settings = ctx.obj
    with open_data_folder(settings) as data_folder:
        concept, neighbours = data_folder.graph.neighbours(about, limit)
    columns = ["", "predicate", "concept", "kind", "name", "documents", "claims"]
    rows = [
        [
            "->" if each.outgoing else "<-",
            each.predicate,
            each.concept.concept,
            each.concept.kind,
            each.concept.name,
            each.documents,
            each.claims,
        ]
        for each in neighbours
    ]
    value = {"concept": concept.model_dump(), "neighbours": [each.model_dump() for each in neighbours]}
    answer(as_json, value, lambda: table(_titled(concept), columns, rows))


def _titled(concept: Concept) -> str:
    return f"{concept.name} ({concept.concept}, {concept.kind})"


@graph.command("evidence", epilog=example("medkg graph evidence c0123456789abcdef01234567"))
@reports_errors
def show_evidence(
    ctx: typer.Context,
    claim_id: Annotated[str, typer.Argument(help="Id of a claim, from `medkg graph claims`.")],
    as_json: AsJson = False,
) -> None:
    """Show where a claim is stated: its quotes in context, with offsets."""
    from orchestration.assembly import open_data_folder

    settings: Settings = ctx.obj
    with open_data_folder(settings) as data_folder:
        statement, quotes = data_folder.graph.evidence(claim_id)
    answer(
        as_json,
        {"claim": _claim(statement), "evidence": quotes},
        lambda: _show_evidence(statement, quotes),
    )


def _show_evidence(statement: Statement, quotes: list[dict[str, Any]]) -> None:
    claim = statement.claim
    denied = "not " if claim.negated else ""
    console.print(
        f"{statement.subject.name} -- {denied}{claim.predicate} -> {statement.object.name}", markup=False
    )
    for each in claim.qualifiers:
        console.print(f"  {each.kind}: {each.value}", markup=False)
    for quote in quotes:
        place = " > ".join(quote["title_path"])
        console.print(
            f"{statement.key.source} {statement.key.doc_id}  characters {quote['start_char']}-"
            f"{quote['end_char']}  {place}",
            markup=False,
        )
        before, after = (" ".join(quote[name].split()) for name in ("prefix", "suffix"))
        console.print(f"  ... {before} >>{quote['exact']}<< {after} ...", markup=False)


@graph.command("stats", epilog=example("medkg graph stats"))
@reports_errors
def show_stats(ctx: typer.Context, as_json: AsJson = False) -> None:
    """Count mentions by kind and claims by predicate."""
    from orchestration.assembly import open_data_folder

    settings: Settings = ctx.obj
    with open_data_folder(settings) as data_folder:
        counts = data_folder.graph.counts()

    def show() -> None:
        console.print(
            f"{counts.documents:,} documents, {counts.mentions:,} mentions of {counts.concepts:,} concepts, "
            f"{counts.claims:,} claims"
        )
        table(None, ["kind", "mentions"], list(counts.kinds.items()))
        table(None, ["predicate", "claims"], list(counts.predicates.items()))

    answer(as_json, counts.model_dump(), show)


@graph.command("export", epilog=example("medkg graph export kgx/"))
@reports_errors
def export_graph(
    ctx: typer.Context,
    folder: Annotated[Path, typer.Argument(help="Folder to write; it must be empty or new.")],
    as_json: AsJson = False,
) -> None:
    """Write nodes.jsonl and edges.jsonl in the KGX format: one edge per claim, with its quotes."""
    from orchestration.assembly import open_data_folder

    settings: Settings = ctx.obj
    with open_data_folder(settings) as data_folder, counting("exported", as_json) as observe:
        done = data_folder.graph.export_kgx(folder, observe)
    value = {"folder": str(folder), **asdict(done)}
    summary = f"{done.nodes:,} nodes and {done.edges:,} edges of {done.documents:,} documents in {folder}"
    lost = f"; of {len(done.without_text):,} the text is lost: edges without quotes"
    answer(as_json, value, lambda: note(summary + (lost if done.without_text else "")))


def register(app: typer.Typer) -> None:
    """Add the command group."""
    graph_projection.register(graph)
    app.add_typer(graph, name="graph", rich_help_panel=DOCUMENTS)
