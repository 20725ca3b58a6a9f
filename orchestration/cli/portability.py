"""`medkg export`, `import`, `backup`, `restore`: copies of a tenant, and of everything, in Parquet."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from orchestration.cli.output import answer, console, reports_errors
from orchestration.cli.progress import counting
from orchestration.errors import ExitCode
from orchestration.settings import Settings

if TYPE_CHECKING:
    from orchestration.operations.backup.folder import Manifest

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]
NewFolder = Annotated[Path, typer.Argument(help="Folder to write: empty, or not there yet.")]


@reports_errors
def export(ctx: typer.Context, folder: NewFolder, as_json: AsJson = False) -> None:
    """Write the tenant's documents, chunks and vectors to a folder of Parquet files."""
    from orchestration.assembly import open_data_folder

    settings: Settings = ctx.obj
    with open_data_folder(settings) as data_folder, counting("exported", as_json) as observe:
        manifest = data_folder.copies.export(folder, observe)
    value = _told(folder, manifest)
    answer(as_json, value, lambda: _show(f"tenant {settings.tenant}", value))


@reports_errors
def import_(
    ctx: typer.Context,
    folder: Annotated[Path, typer.Argument(help="Folder that `medkg export` wrote.")],
    replace: Annotated[
        bool, typer.Option("--replace", help="Replace documents that are there in another version.")
    ] = False,
    other_models: Annotated[
        bool, typer.Option("--other-models", help="Take vectors that are not of the profile's models too.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Take an export into the tenant; what is there already is skipped. Exit 1 if some were kept."""
    from orchestration.assembly import open_data_folder

    settings: Settings = ctx.obj
    with open_data_folder(settings) as data_folder, counting("imported", as_json) as observe:
        done = data_folder.copies.import_from(folder, observe, replace=replace, other_models=other_models)
    value = {
        "import_id": done.import_id,
        "documents": {
            "in": done.documents,
            "imported": done.imported,
            "unchanged": done.unchanged,
            "kept": done.kept,
        },
        "chunks": done.chunks,
    }

    def show() -> None:
        console.print(
            f"[bold]{done.documents} documents[/] = {done.imported} imported + {done.unchanged} unchanged + "
            f"{done.kept} kept; {done.chunks} chunks"
        )
        if done.kept:
            console.print(
                "Kept as they are: documents that are here in another version, or that a run works on; "
                "--replace replaces the former."
            )

    answer(as_json, value, show)
    raise typer.Exit(ExitCode.SOME_FAILED if done.kept else ExitCode.OK)


@reports_errors
def backup(ctx: typer.Context, folder: NewFolder, as_json: AsJson = False) -> None:
    """Write everything to a folder: the ledger and every tenant's documents. The host may go on meanwhile."""
    from orchestration.assembly import open_data_folder

    settings: Settings = ctx.obj
    with open_data_folder(settings) as data_folder, counting("backed up", as_json) as observe:
        manifest = data_folder.copies.back_up(folder, observe)
    value = _told(folder, manifest)
    answer(as_json, value, lambda: _show(f"{len(manifest.tenants)} tenants", value))


@reports_errors
def restore(
    ctx: typer.Context,
    folder: Annotated[Path, typer.Argument(help="Folder that `medkg backup` wrote.")],
    as_json: AsJson = False,
) -> None:
    """Fill an empty data folder, ledger and index from a backup."""
    from orchestration.assembly import open_data_folder

    settings: Settings = ctx.obj
    with (
        open_data_folder(settings, restoring=True) as data_folder,
        counting("restored", as_json) as observe,
    ):
        manifest = data_folder.copies.restore(folder, observe)
    value = {**_told(folder, manifest), "data_dir": str(settings.data_dir)}
    answer(as_json, value, lambda: _show(f"{len(manifest.tenants)} tenants", value))


def _told(folder: Path, manifest: Manifest) -> dict[str, Any]:
    return {
        "folder": str(folder.absolute()),
        "made_at": manifest.made_at,
        "tenants": {name: one.model_dump(exclude={"parts"}) for name, one in manifest.tenants.items()},
        "bytes": sum(file.bytes for file in manifest.files),
    }


def _show(what: str, value: Mapping[str, Any]) -> None:
    tenants = value["tenants"].values()
    documents, chunks = (sum(one[name] for one in tenants) for name in ("documents", "chunks"))
    where = value.get("data_dir", value["folder"])
    console.print(
        f"{what}: [bold]{documents:,} documents[/] with {chunks:,} chunks; {value['bytes'] / 1e6:,.1f} MB of "
        "Parquet"
    )
    console.print(f"in {where}", markup=False)


def register(app: typer.Typer) -> None:
    app.command("export")(export)
    app.command("import")(import_)
    app.command("backup")(backup)
    app.command("restore")(restore)
