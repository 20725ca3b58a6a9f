"""`medkg docs delete`: documents named by id or chosen by a filter, deleted after the plan is printed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Annotated

import typer

from orchestration.cli.documents import (
    OriginOption,
    PipelineOption,
    SourceOption,
    StatusOption,
    docs,
    place_of,
)
from orchestration.cli.help_text import example
from orchestration.cli.output import AsJson, answer, confirmed, console, first_names, note, reports_errors
from orchestration.contracts import LedgerDocument
from orchestration.settings import Settings


@reports_errors
def delete_documents(
    ctx: typer.Context,
    doc_ids: Annotated[
        list[str] | None,
        typer.Argument(help="Ids of documents, e.g. NCT01234567; default: all that the options choose."),
    ] = None,
    source: SourceOption = None,
    pipeline: PipelineOption = None,
    origin: OriginOption = None,
    status: StatusOption = None,
    erase: Annotated[
        bool, typer.Option("--erase", help="Also remove every trace from the disk (right to erasure).")
    ] = False,
    yes: Annotated[
        bool, typer.Option("--yes", help="Delete what the options choose without asking.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Delete documents from search index, vectors and document store; their dead letters are not replayed.

    Documents named by id are deleted at once. Before it deletes documents that only options choose, the
    command prints how many there are and asks, or needs --yes where it cannot ask.
    """
    from orchestration.assembly import open_data_folder
    from orchestration.operations.documents import DocumentFilter

    settings: Settings = ctx.obj
    chosen = DocumentFilter(source=source, pipeline=pipeline, status=status, origin=place_of(origin))
    with open_data_folder(settings) as data_folder:
        documents = data_folder.documents
        rows = documents.to_delete(doc_ids or [], chosen, with_deleted=erase)
        if len(rows) > 1 or not doc_ids:
            note(plan(rows, "erase" if erase else "delete"))
        if rows and not doc_ids and not confirmed("Delete them?", yes=yes):
            rows = []
        keys = documents.erase(rows, note) if erase and rows else documents.delete(rows)
    deleted = [{"doc_id": key.doc_id, "source": key.source} for key in keys]
    what = "erased" if erase else "deleted"
    named = keys[0].doc_id if len(keys) == 1 else f"{len(keys)} documents"
    answer(as_json, {"deleted": deleted}, lambda: console.print(f"{named} {what}.", markup=False))


def plan(rows: Sequence[LedgerDocument], verb: str) -> str:
    """What a command is about to do to these documents: counts by source, and the first of their ids."""
    keys = sorted({row.key for row in rows}, key=lambda key: (key.source, key.doc_id))
    counts = Counter(key.source for key in keys)
    if not keys:
        return f"nothing to {verb}"
    by_source = ", ".join(f"{count:,} of {source}" for source, count in sorted(counts.items()))
    return f"{verb}: {len(keys):,} documents ({by_source}): {first_names([key.doc_id for key in keys])}"


def register(app: typer.Typer) -> None:
    """Add the command to `medkg docs`."""
    examples = example(
        "medkg docs delete NCT01234567 NCT07654321",
        "medkg docs delete --source pubmed --status failed --yes",
        "medkg docs delete NCT01234567 --erase",
    )
    docs.command("delete", epilog=examples)(delete_documents)
