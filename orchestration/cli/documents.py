"""`medkg docs` and `medkg dlq`: the state of each document, and what failed for good."""

from __future__ import annotations

import os
from typing import Annotated, Any, Final

import typer

from orchestration.cli.help_text import DOCUMENTS, example
from orchestration.cli.output import MOST, AsJson, answer, console, note, reports_errors, shortened, table
from orchestration.cli.run import finish_with, follow
from orchestration.cli.tracing import job_span
from orchestration.contracts import DeadLetter, LedgerDocument
from orchestration.records import Document, all_sections
from orchestration.settings import Settings

docs = typer.Typer(help="List, show and delete documents.", no_args_is_help=True)
dlq = typer.Typer(help="Dead letters: inputs that failed for good, and their replay.", no_args_is_help=True)

MESSAGE_WIDTH: Final = 400
"""Characters of a failure's message in the list; `medkg dlq show` prints all."""
TITLE_WIDTH: Final = 1_000
"""Characters of the title of a document that is shown."""
LOSSES: Final = ("unread_pages", "unmapped_characters", "left_out")
"""Fields of Document.metadata that name what a parser could not read."""

DocId = Annotated[str, typer.Argument(help="The source's own id, e.g. NCT01234567.")]
SourceOption = Annotated[str | None, typer.Option(help="Only documents of this source, e.g. pubmed.")]
PipelineOption = Annotated[str | None, typer.Option(help="Only documents that this topology ran.")]
OriginOption = Annotated[
    str | None, typer.Option(help="Only documents that were listed in this folder or file.")
]
StatusOption = Annotated[
    str | None, typer.Option(help="Only documents that are queued, running, committed, failed or waiting.")
]


@docs.command("list", epilog=example("medkg docs list --status failed"))
@reports_errors
def list_documents(
    ctx: typer.Context,
    status: StatusOption = None,
    source: SourceOption = None,
    pipeline: PipelineOption = None,
    origin: OriginOption = None,
    limit: Annotated[int, typer.Option(min=1, max=MOST, help="Maximum number of documents.")] = 1000,
    as_json: AsJson = False,
) -> None:
    """List documents with their status, latest change first."""
    from orchestration.assembly import open_data_folder
    from orchestration.operations.documents import DocumentFilter

    settings: Settings = ctx.obj
    chosen = DocumentFilter(source=source, pipeline=pipeline, status=status, origin=place_of(origin))
    with open_data_folder(settings) as data_folder:
        rows = data_folder.documents.find(chosen, limit)
        titles = data_folder.documents.titles(rows)
    value = [_row(row, title) for row, title in zip(rows, titles, strict=True)]
    columns = ["doc_id", "source", "title", "status", "stage"]
    answer(
        as_json,
        {"documents": value},
        lambda: table(None, columns, [[shortened(row[column]) for column in columns] for row in value]),
    )


def place_of(origin: str | None) -> str | None:
    """The place of an origin as a user writes it."""
    return None if origin is None else os.path.abspath(origin)  # noqa: PTH100 - as the source `files` does


def _row(document: LedgerDocument, title: str | None) -> dict[str, Any]:
    failed = document.status == "failed"
    return {
        "doc_id": document.key.doc_id,
        "source": document.key.source,
        "title": title,
        "version": document.version,
        "status": document.status,
        "stage": document.current_stage,
        "error": {"code": document.error_code, "message": document.error_message} if failed else None,
    }


@docs.command("show", epilog=example("medkg docs show NCT01234567"))
@reports_errors
def show_document(
    ctx: typer.Context, doc_id: DocId, source: SourceOption = None, as_json: AsJson = False
) -> None:
    """Show a committed document: its text, sections and chunks with their offsets."""
    from orchestration.assembly import open_data_folder

    settings: Settings = ctx.obj
    with open_data_folder(settings) as data_folder:
        row, document, chunks = data_folder.documents.show(doc_id, source)
        names = data_folder.documents.names(row.key)
    value = {
        "doc_id": document.doc_id,
        "source": document.source,
        "title": document.title,
        "version": document.version,
        "status": row.status,
        "pipeline": row.pipeline_name,
        "places": list(names),
        "revision": row.revision,
        "deleted_at_source": row.deleted_at_source,
        "metadata": dict(document.metadata),
        "text": document.text,
        "sections": [
            {
                "title_path": list(section.title_path),
                "start_char": section.start_char,
                "end_char": section.end_char,
            }
            for section in all_sections(document.sections)
        ],
        "chunks": [
            chunk.model_dump(
                mode="json",
                include={
                    "chunk_id",
                    "ordinal",
                    "title_path",
                    "start_char",
                    "end_char",
                    "body",
                    "token_count",
                },
            )
            for chunk in chunks
        ],
    }
    answer(as_json, value, lambda: _show_document(document, value))


def _show_document(document: Document, value: dict[str, Any]) -> None:
    console.print(shortened(document.title, TITLE_WIDTH), style="bold", markup=False)
    console.print(
        f"{value['source']} {value['doc_id']}, {value['status']} by {value['pipeline']}, "
        f"version {value['version'][:12]}, {len(document.text):,} characters"
    )
    if value["deleted_at_source"]:
        console.print(
            f"Its source announced in {value['deleted_at_source']} that it deleted this document; "
            f"`medkg docs delete {value['doc_id']}` removes it here too.",
            markup=False,
        )
    for name in LOSSES:
        if value["metadata"].get(name):
            console.print(f"{name}: {value['metadata'][name]}", markup=False)
    for place in value["places"]:
        console.print(place, markup=False)
    table(
        None,
        ["chunk", "characters", "tokens", "section"],
        [
            [
                chunk["ordinal"],
                f"{chunk['start_char']}-{chunk['end_char']}",
                chunk["token_count"],
                " > ".join(chunk["title_path"][1:]),
            ]
            for chunk in value["chunks"]
        ],
    )


@dlq.command("list", epilog=example("medkg dlq list"))
@reports_errors
def list_dead_letters(
    ctx: typer.Context,
    everything: Annotated[
        bool,
        typer.Option(
            "--all", help="Include those that were replayed or settled, or whose document was deleted."
        ),
    ] = False,
    as_json: AsJson = False,
) -> None:
    """List what failed for good and why, newest first."""
    from orchestration.assembly import open_data_folder

    settings: Settings = ctx.obj
    with open_data_folder(settings) as data_folder:
        letters = data_folder.dead_letters.all(only_waiting=not everything)
    value = [_letter(letter) for letter in letters]
    columns = ["id", "doc_id", "stage", "code", "message"]
    answer(
        as_json,
        {"dead_letters": value},
        lambda: table(None, columns, [_letter_row(row) for row in value]),
    )


def _letter(letter: DeadLetter) -> dict[str, Any]:
    failure = letter.failure
    return {
        "id": letter.id,
        "doc_id": failure.ctx.doc_id,
        "stage": failure.stage,
        "code": failure.code,
        "message": failure.message,
        "attempts": failure.attempts,
        "input": letter.locator.model_dump(exclude_none=True),
    }


def _letter_row(row: dict[str, Any]) -> list[object]:
    return [
        row["id"],
        shortened(row["doc_id"]),
        row["stage"],
        row["code"],
        shortened(row["message"], MESSAGE_WIDTH),
    ]


@dlq.command("show", epilog=example("medkg dlq show 12"))
@reports_errors
def show_dead_letter(
    ctx: typer.Context,
    letter_id: Annotated[int, typer.Argument(help="Number of the dead letter, from `medkg dlq list`.")],
    as_json: AsJson = False,
) -> None:
    """Show one dead letter with its input and ids."""
    from orchestration.assembly import open_data_folder

    settings: Settings = ctx.obj
    with open_data_folder(settings) as data_folder:
        letter = data_folder.dead_letters.get(letter_id)
    value = {
        **_letter(letter),
        "source": letter.source_plugin,
        "pipeline": letter.failure.ctx.pipeline_name,
        "correlation_id": letter.failure.ctx.correlation_id,
        "job_id": letter.failure.ctx.job_id,
        "created_at": letter.created_at,
        "replayed_in": letter.replayed_in,
        "deleted": letter.deleted,
        "settled": letter.settled,
    }
    answer(as_json, value, lambda: table(None, ["", ""], [[name, value[name]] for name in value]))


@dlq.command("replay", epilog=example("medkg dlq replay", "medkg dlq replay 12 13"))
@reports_errors
def replay_dead_letters(
    ctx: typer.Context,
    letter_ids: Annotated[
        list[int] | None, typer.Argument(help="Numbers of dead letters; default: all that wait for replay.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Run dead letters through their topologies again, from their input, and wait."""
    from orchestration.assembly import open_data_folder
    from orchestration.jobs.host_client import Host

    settings: Settings = ctx.obj
    with open_data_folder(settings) as data_folder, job_span("replay"):
        submissions = data_folder.dead_letters.replay(letter_ids or None)
        if not submissions:
            note("no dead letters to replay")
        with Host(settings, note) as host:
            reports = [follow(data_folder, submission, host) for submission in submissions]
    finish_with(reports, as_json)


def register(app: typer.Typer) -> None:
    app.add_typer(docs, name="docs", rich_help_panel=DOCUMENTS)
    app.add_typer(dlq, name="dlq", rich_help_panel=DOCUMENTS)
