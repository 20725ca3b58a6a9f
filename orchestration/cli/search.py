"""`medkg search`: cited chunks for a question."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Annotated, Any

import typer
from pydantic import ValidationError

from orchestration.cli.help_text import SEARCH, example
from orchestration.cli.output import AsJson, answer, console, note, reports_errors
from orchestration.errors import UsageError
from orchestration.settings import Settings

if TYPE_CHECKING:
    from rich.text import Text

    from orchestration.contracts import Filters

SHOWN_CHARACTERS = 320


@reports_errors
def search(
    ctx: typer.Context,
    query: Annotated[str, typer.Argument(help="What to search for, in plain words.")],
    top: Annotated[int, typer.Option(min=1, max=1000, help="Number of hits.")] = 10,
    legs: Annotated[
        str | None,
        typer.Option(
            help="Retrievers to use, comma-separated: bm25, sparse, dense, graph. Default: all but graph."
        ),
    ] = None,
    fusion: Annotated[
        str | None,
        typer.Option(
            help="Fusion of the legs: rrf, weighted-rrf, zscore, dbsf; weights as in "
            "weighted-rrf:bm25=1:dense=2. Default: zscore."
        ),
    ] = None,
    group: Annotated[
        bool, typer.Option("--group", help="One hit per document, its best chunk; --top counts documents.")
    ] = False,
    rerank: Annotated[
        bool,
        typer.Option("--rerank", help="Rerank the best hits by a cross-encoder; needs MEDKG_RERANK_MODEL."),
    ] = False,
    source: Annotated[
        list[str] | None,
        typer.Option(help="Only records of this source, e.g. clinicaltrials, pmc, pubmed. May be repeated."),
    ] = None,
    section: Annotated[
        list[str] | None,
        typer.Option(help="Only chunks of this section, e.g. results, eligibility. May be repeated."),
    ] = None,
    phase: Annotated[
        list[str] | None, typer.Option(help="Only trials of this phase, e.g. 2. May be repeated.")
    ] = None,
    status: Annotated[
        list[str] | None, typer.Option(help="Only trials of this status, e.g. recruiting. May be repeated.")
    ] = None,
    condition: Annotated[
        list[str] | None, typer.Option(help="Only trials on this condition. May be repeated.")
    ] = None,
    mesh: Annotated[
        list[str] | None, typer.Option(help="Only documents with this MeSH heading. May be repeated.")
    ] = None,
    licence: Annotated[
        list[str] | None,
        typer.Option(help="Only documents under this licence, e.g. cc-by, cc0. May be repeated."),
    ] = None,
    flag: Annotated[
        list[str] | None,
        typer.Option(
            help="Only articles with this flag: retracted, corrected, expression-of-concern. May be repeated."
        ),
    ] = None,
    without_flag: Annotated[
        list[str] | None, typer.Option(help="No articles with this flag, e.g. retracted. May be repeated.")
    ] = None,
    entity: Annotated[
        list[str] | None,
        typer.Option(
            help="Only documents that mention this concept, or one below it in a vocabulary: a key "
            "(MESH:D003920) or a name. Repeated: all of them."
        ),
    ] = None,
    since: Annotated[str, typer.Option(help="Only documents dated YYYY[-MM[-DD]] or later.")] = "",
    until: Annotated[str, typer.Option(help="Only documents dated YYYY[-MM[-DD]] or earlier.")] = "",
    as_json: AsJson = False,
) -> None:
    """Search the index; every hit cites its document and character offsets."""
    from orchestration.assembly import open_data_folder

    filters = _filters(
        source=source,
        section=section,
        phase=phase,
        status=status,
        condition=condition,
        mesh=mesh,
        licence=licence,
        flag=flag,
        without_flag=without_flag,
        since=since,
        until=until,
    )
    settings: Settings = ctx.obj
    with open_data_folder(settings) as data_folder:
        names = [name.strip() for name in legs.split(",") if name.strip()] if legs else None
        results = data_folder.searches.search(
            query,
            top,
            filters,
            names,
            note,
            fusion=fusion,
            group=group,
            rerank=rerank,
            entities=entity or (),
        )
    value = {
        "hits": [hit.as_json() for hit in results.hits],
        "degraded": list(results.degraded),
        "milliseconds": round(results.milliseconds, 1),
    }
    answer(as_json, value, lambda: _show(value))


def _filters(**values: list[str] | str | None) -> Filters:
    """Filters of the command line; raises UsageError for an invalid date or flag."""
    from orchestration.contracts import Filters

    try:
        return Filters(**values)  # type: ignore[arg-type]
    except ValidationError as error:
        first = error.errors()[0]
        option = str(first["loc"][0]).replace("_", "-")
        raise UsageError(f"--{option}: {first['ctx']['error']}.") from error


def _show(value: dict[str, Any]) -> None:
    from rich.text import Text

    if not value["hits"]:
        console.print("Nothing found. Try other words; `medkg docs list` lists the documents.")
    for hit in value["hits"]:
        legs = ", ".join(f"{leg} #{rank}" for leg, rank in hit["legs"].items())
        count = hit.get("further_chunks", 0)
        further = f", {count} further chunk{'s' if count > 1 else ''}" if count else ""
        flags = f"  [bold red]{', '.join(hit['flags']).upper()}[/]" if hit["flags"] else ""
        console.print(f"[bold]{hit['rank']}. {_plain(hit['title'] or 'no title')}[/]{flags}")
        console.print(
            f"   {hit['source']} {hit['doc_id']}  {_plain(hit['section'])}  "
            f"characters {hit['start_char']}-{hit['end_char']}{further}  [dim]({legs})[/]"
        )
        console.print(Text.assemble("   ", _marked(hit), "\n"))
    degraded = f"; without {', '.join(value['degraded'])}" if value["degraded"] else ""
    console.print(f"[dim]{len(value['hits'])} hits in {value['milliseconds']:.0f} ms{degraded}[/]")


def _marked(hit: dict[str, Any]) -> Text:
    """The start of a hit's text on one line, with the words of the query in bold."""
    from rich.text import Text

    text = Text(hit["text"])
    for start, end in hit["highlights"]:
        text.stylize("bold", start - hit["start_char"], end - hit["start_char"])
    line = Text(" ").join(text[word.start() : word.end()] for word in re.finditer(r"\S+", text.plain))
    if len(line) <= SHOWN_CHARACTERS:
        return line
    end = line.plain.rfind(" ", 0, SHOWN_CHARACTERS)
    return line[: end if end > 0 else SHOWN_CHARACTERS] + " ..."


def _plain(text: str) -> str:
    """Text with its brackets escaped from Rich markup."""
    return text.replace("[", r"\[")


def register(app: typer.Typer) -> None:
    text = example(
        'medkg search "Who could not join the trial?" --section eligibility',
        "medkg search metformin --legs bm25 --since 2020 --json",
        'medkg search "kidney function" --entity MESH:D003920',
    )
    app.command("search", rich_help_panel=SEARCH, epilog=text)(search)
