"""`medkg verify`: what differs between ledger and stores, how it would be repaired, and the repair."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from orchestration.cli.help_text import INDEX, example
from orchestration.cli.output import (
    AsJson,
    answer,
    can_ask,
    confirmed,
    console,
    first_names,
    note,
    reports_errors,
    table,
)
from orchestration.errors import ExitCode, UsageError
from orchestration.settings import Settings

if TYPE_CHECKING:
    from orchestration.stores.repair_plan import Step

__all__ = ["register"]

COLUMNS: Final = ["doc_id", "store", "kind"]


@reports_errors
def verify(
    ctx: typer.Context,
    repair: Annotated[
        bool,
        typer.Option("--repair", help="Restore what differs from what is whole; asks before it deletes."),
    ] = False,
    yes: Annotated[
        bool, typer.Option("--yes", help="With --repair: also do the steps of the plan that delete.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Compare ledger, search index, vectors and documents, and show how --repair would restore them.

    Exit 1 if they differ. A repair restores from what is whole: vectors and search index from parsed
    documents, these from their sources, the ledger from the stores. Nothing that is committed is deleted
    without a question on a terminal or --yes.
    """
    from orchestration.assembly import open_data_folder

    if yes and not repair:
        raise UsageError("--yes allows what a repair would delete; add --repair.")

    def allow(plan: Sequence[Step]) -> bool:
        if not as_json:
            _show_plan([step.model_dump() for step in plan])
        deleting = [step for step in plan if step.asks]
        if yes or not deleting:
            return yes
        if as_json or not can_ask():
            note("nothing is deleted without --yes; the steps that delete are left out")
            return False
        names = sorted({name for step in deleting for name in step.documents})
        return confirmed(f"Do the steps that delete ({first_names(names)})?", yes=False)

    settings: Settings = ctx.obj
    with open_data_folder(settings, unchecked=True) as data_folder:
        value = data_folder.verify(note, allow if repair else None)
    answer(as_json, value, lambda: _show(value, repair))
    raise typer.Exit(ExitCode.OK if value["consistent"] else ExitCode.SOME_FAILED)


def _show(value: dict[str, Any], repaired: bool) -> None:
    if value["differences"]:
        table(None, COLUMNS, [[row[column] for column in COLUMNS] for row in value["differences"]])
    if value.get("plan") and not repaired:
        console.print("`medkg verify --repair` would:")
        _show_plan(value["plan"])
    for store, count in value.get("restored", {}).items():
        console.print(f"restored {store}: {count} documents")
    if value.get("deleted"):
        console.print(f"deleted: {first_names(value['deleted'])}", markup=False)
    if value.get("left"):
        table(None, ["left", "because"], [[row["doc_id"], row["reason"]] for row in value["left"]])
    console.print("consistent" if value["consistent"] else "the stores differ")


def _show_plan(plan: Sequence[dict[str, Any]]) -> None:
    """One line per step: what, of which documents, from where."""
    for step in plan:
        origin = f" from {step['origin']}" if step["origin"] else ""
        asks = " (asks, or wants --yes)" if step["asks"] else ""
        count = "all" if step["documents"] == ("*",) else f"{len(step['documents'])}"
        line = f"  {step['action']} {step['store']}{origin}: {count} documents, {step['detail']}{asks}"
        console.print(line, markup=False)
        console.print(f"    {first_names(step['documents'])}", markup=False)


def register(app: typer.Typer) -> None:
    text = example("medkg verify", "medkg verify --repair")
    app.command(rich_help_panel=INDEX, epilog=text)(verify)
