"""`medkg graph project`: the graph on a Neo4j server, brought up to date with the ledger."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from orchestration.cli.help_text import example
from orchestration.cli.output import AsJson, answer, console, note, reports_errors
from orchestration.cli.progress import counting
from orchestration.errors import UsageError
from orchestration.settings import Settings

if TYPE_CHECKING:
    from orchestration.projection.projector import Pass

__all__ = ["described", "register"]


@reports_errors
def project(
    ctx: typer.Context,
    rebuild: Annotated[bool, typer.Option("--rebuild", help="Empty it first; makes it again.")] = False,
    watch: Annotated[
        bool, typer.Option("--watch", help="Go on with every change of all tenants, as `medkg up` does.")
    ] = False,
    status: Annotated[bool, typer.Option("--status", help="Only show how far it is behind.")] = False,
    as_json: AsJson = False,
) -> None:
    """Bring the graph on the Neo4j server of MEDKG_NEO4J_URL up to date with the ledger."""
    from orchestration.assembly import open_data_folder

    if sum((rebuild, watch, status)) > 1:
        raise UsageError("--rebuild, --watch and --status exclude one another.")
    settings: Settings = ctx.obj
    with open_data_folder(settings) as data_folder:
        projections = data_folder.graph_projections
        if status:
            state = projections.status().model_dump()
            answer(as_json, state, lambda: console.print(described(state), markup=False))
        elif watch:
            projections.watch()
        else:
            with counting("projected", as_json) as observe:
                done = projections.project(lambda each: observe(*_progress(each)), rebuild=rebuild)
            answer(as_json, asdict(done), lambda: note(_summary(done)))


def _progress(done: Pass) -> tuple[int, int]:
    looked_at = done.projected + done.removed + done.unchanged
    return looked_at, max(looked_at, done.total)


def described(state: Mapping[str, Any]) -> str:
    """One line on a ProjectionStatus as JSON."""
    if state["pending"] is None:
        behind = "is to be projected as a whole"
    elif state["pending"]:
        behind = f"is {state['pending']:,} documents behind"
    else:
        behind = "is up to date"
    at = ""
    if state["projected_at"]:
        at = f", last projected {datetime.fromtimestamp(state['projected_at'], UTC):%Y-%m-%d %H:%M:%S} UTC"
    running = "; a process projects it now" if state["running"] else ""
    return f"graph of tenant {state['tenant']} in {state['server']} {behind}{at}{running}"


def _summary(done: Pass) -> str:
    compared = ", both sides compared" if done.compared else ""
    lost = f"; of {len(done.lost):,} the ledger lost the rows (`medkg verify`)" if done.lost else ""
    return (
        f"{done.projected:,} documents projected, {done.removed:,} removed, {done.unchanged:,} unchanged"
        f"{compared}{lost}"
    )


def register(group: typer.Typer) -> None:
    """Add the command to `medkg graph`."""
    group.command("project", epilog=example("medkg graph project", "medkg graph project --status"))(project)
