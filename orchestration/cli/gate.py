"""`medkg gate`: documents that wait at a gate, for what, since when and why, and opening it by hand."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Sequence
from typing import Annotated, Any

import typer

from orchestration.cli.help_text import INGEST, example
from orchestration.cli.output import MOST, AsJson, answer, console, reports_errors, table
from orchestration.contracts import Obstacle, WaitingDocument
from orchestration.jobs.host_status import host_status
from orchestration.settings import Settings

gate = typer.Typer(help="List documents that wait at a gate, and let them pass.", no_args_is_help=True)

Stage = Annotated[
    str | None, typer.Option("--stage", help="Only documents that continue at this stage, e.g. parse.")
]


@gate.command("list", epilog=example("medkg gate list --stage parse"))
@reports_errors
def list_waiting(
    ctx: typer.Context,
    stage: Stage = None,
    limit: Annotated[int, typer.Option(min=1, max=MOST, help="Maximum number of documents.")] = 1000,
    as_json: AsJson = False,
) -> None:
    """List documents at gates, longest wait first: what they wait for, the state of their conversion, and why
    they cannot go on, e.g. a service that does not answer."""
    from orchestration.assembly import open_data_folder

    settings: Settings = ctx.obj
    value = []
    with open_data_folder(settings) as data_folder:
        gates = data_folder.gates
        if waiting := gates.waiting(settings.tenant, stage=stage, limit=limit):
            host = host_status(settings)  # it knows which converters are unavailable
            value = [
                _row(document, gates.lacking(document), gates.obstacle(document, host))
                for document in waiting
            ]

    def show() -> None:
        columns = ["doc_id", "source", "pipeline", "gate", "waits_for", "seconds", "conversion"]
        table(None, columns, [[_shown(row[column]) for column in columns] for row in value])
        _show_obstacles(value)
        if not value:
            console.print("No document waits at a gate.")

    answer(as_json, {"waiting": value}, show)


@gate.command("open", epilog=example("medkg gate open PMC1234567", "medkg gate open --all --force"))
@reports_errors
def open_gate(
    ctx: typer.Context,
    doc_ids: Annotated[
        list[str] | None, typer.Argument(help="Ids of documents, as their sources have them.")
    ] = None,
    every: Annotated[bool, typer.Option("--all", help="All documents that wait.")] = False,
    stage: Stage = None,
    force: Annotated[
        bool, typer.Option("--force", help="Also documents whose condition is not met; they may fail.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Let documents pass that meet their gate's condition, even if the topology opens it by hand only."""
    from orchestration.assembly import open_data_folder
    from orchestration.jobs.host_client import HostClient

    settings: Settings = ctx.obj
    with open_data_folder(settings) as data_folder:
        opened = data_folder.gates.open(settings.tenant, None if every else doc_ids or [], stage, force=force)
    running = HostClient(settings).is_running()

    def show() -> None:
        console.print(f"{opened} documents continue")
        if opened and not running:
            console.print(
                "No daemon runs for this data folder: start it with `medkg up`, and it processes them."
            )

    answer(as_json, {"opened": opened}, show)


def _show_obstacles(rows: Sequence[dict[str, Any]]) -> None:
    """Print each obstacle once, with the number of documents that it keeps waiting."""
    documents_of = Counter(
        (row["gate"], row["pipeline"], row["obstacle"]["code"] or "", row["obstacle"]["message"])
        for row in rows
        if row["obstacle"]
    )
    for (gate_name, pipeline, code, message), documents in documents_of.items():
        what = f"{gate_name} of {pipeline}, {documents} documents cannot go on:"
        console.print(" ".join(filter(None, [what, code, message])), markup=False)


def _row(document: WaitingDocument, lacking: list[str] | None, obstacle: Obstacle | None) -> dict[str, Any]:
    task = document.pdf_task
    return {
        "doc_id": document.key.doc_id,
        "source": document.key.source,
        "pipeline": f"{document.gate.pipeline_name}@{document.gate.pipeline_version}",
        "gate": document.gate.name,
        "waits_for": lacking,
        "since": document.since,
        "seconds": round(time.time() - document.since, 1),
        "obstacle": None if obstacle is None else obstacle.model_dump(),
        "job_id": document.job_id,
        "correlation_id": document.correlation_id,
        "conversion": None
        if task is None
        else {
            "converter": task.requested.name,
            "state": str(task.state),
            "attempts": task.attempts,
            "since": task.changed_at,
            "error": task.error_message,
        },
    }


def _shown(value: Any) -> str:
    if isinstance(value, dict):
        tried = f", {value['attempts']} failed" if value["attempts"] else ""
        return f"{value['converter']}: {value['state']}{tried}"
    if isinstance(value, list):
        return ", ".join(value) or "nothing: opens at the next sweep, or by hand"
    return "" if value is None else str(value)


def register(app: typer.Typer) -> None:
    app.add_typer(gate, name="gate", rich_help_panel=INGEST)
