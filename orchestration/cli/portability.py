"""`medkg export`, `import`, `backup`, `restore`: a tenant, or everything, as Parquet files and back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from orchestration.cli.help_text import COPIES, example
from orchestration.cli.output import AsJson, answer, console, reports_errors, table
from orchestration.cli.progress import counting
from orchestration.errors import ExitCode
from orchestration.settings import Settings

if TYPE_CHECKING:
    from orchestration.operations.backup.folder import Manifest

REFUSED: Final = ["source", "doc_id", "code", "reason"]
ID_SHOWN: Final = 80
"""Characters of an id in a table; --json has all."""

NewFolder = Annotated[Path, typer.Argument(help="Folder to write; it must be empty or new.")]


@reports_errors
def export(ctx: typer.Context, folder: NewFolder, as_json: AsJson = False) -> None:
    """Write the tenant's documents, chunks and vectors to a folder of Parquet files."""
    from orchestration.assembly import open_data_folder

    settings: Settings = ctx.obj
    with open_data_folder(settings) as data_folder, counting("exported", as_json) as observe:
        manifest = data_folder.copies.export(folder, observe)
    value = _copy_as_json(folder, manifest)
    answer(as_json, value, lambda: _show(f"tenant {settings.tenant}", value))


@reports_errors
def import_(
    ctx: typer.Context,
    folder: Annotated[Path, typer.Argument(help="Folder that `medkg export` wrote.")],
    replace: Annotated[
        bool, typer.Option("--replace", help="Replace documents that exist in another version.")
    ] = False,
    other_models: Annotated[
        bool, typer.Option("--other-models", help="Also import vectors of other models than the profile's.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Import an export into the tenant, skipping documents that exist.

    Exit 1 if some were not replaced, or refused by a store; the others are imported.
    """
    from orchestration.assembly import open_data_folder

    settings: Settings = ctx.obj
    with open_data_folder(settings) as data_folder, counting("imported", as_json) as observe:
        done = data_folder.copies.import_from(folder, observe, replace=replace, other_models=other_models)
    value: dict[str, Any] = {
        "import_id": done.import_id,
        "documents": {
            "in": done.documents,
            "imported": done.imported,
            "unchanged": done.unchanged,
            "kept": done.not_replaced,
            "refused": len(done.refused),
        },
        "chunks": done.chunks,
        "refused": [document.model_dump() for document in done.refused],
        "vocabularies": dict(done.vocabularies),
    }

    def show() -> None:
        console.print(
            f"[bold]{done.documents} documents[/] = {done.imported} imported + {done.unchanged} unchanged + "
            f"{done.not_replaced} kept + {len(done.refused)} refused; {done.chunks} chunks"
        )
        if done.not_replaced:
            console.print(
                "Kept: documents that a run works on, or that exist in another version; --replace replaces "
                "the latter."
            )
        if done.vocabularies:
            differing = ", ".join(f"{name} ({how})" for name, how in done.vocabularies.items())
            console.print(
                f"Vocabularies differ from the export's: {differing}. The next run links mentions again, by "
                "those of this folder; `medkg vocabulary add` the export's first to keep its links.",
                markup=False,
            )
        _show_refused(value["refused"])

    answer(as_json, value, show)
    raise typer.Exit(ExitCode.SOME_FAILED if done.not_replaced or done.refused else ExitCode.OK)


@reports_errors
def backup(ctx: typer.Context, folder: NewFolder, as_json: AsJson = False) -> None:
    """Back up the ledger and every tenant's documents to a folder. The host may keep running."""
    from orchestration.assembly import open_data_folder

    settings: Settings = ctx.obj
    with open_data_folder(settings) as data_folder, counting("backed up", as_json) as observe:
        manifest = data_folder.copies.back_up(folder, observe)
    value = _copy_as_json(folder, manifest)
    answer(as_json, value, lambda: _show(f"{len(manifest.tenants)} tenants", value))


@reports_errors
def restore(
    ctx: typer.Context,
    folder: Annotated[Path, typer.Argument(help="Folder that `medkg backup` wrote.")],
    as_json: AsJson = False,
) -> None:
    """Restore a backup into an empty data folder, ledger and index.

    Exit 1 if a store refused documents; these are queued, and all others are restored.
    """
    from orchestration.assembly import open_data_folder

    settings: Settings = ctx.obj
    with (
        open_data_folder(settings, restoring=True) as data_folder,
        counting("restored", as_json) as observe,
    ):
        restored = data_folder.copies.restore(folder, observe)
    manifest = restored.manifest
    value = {
        **_copy_as_json(folder, manifest),
        "data_dir": str(settings.data_dir),
        "refused": [document.model_dump() for document in restored.refused],
    }

    def show() -> None:
        _show(f"{len(manifest.tenants)} tenants", value)
        _show_refused(value["refused"])

    answer(as_json, value, show)
    raise typer.Exit(ExitCode.SOME_FAILED if restored.refused else ExitCode.OK)


def _copy_as_json(folder: Path, manifest: Manifest) -> dict[str, Any]:
    return {
        "folder": str(folder.absolute()),
        "made_at": manifest.made_at,
        "tenants": {name: tenant.model_dump(exclude={"parts"}) for name, tenant in manifest.tenants.items()},
        "vocabularies": sorted(manifest.vocabularies),
        "bytes": sum(file.bytes for file in manifest.files),
    }


def _show(what: str, value: Mapping[str, Any]) -> None:
    tenants = value["tenants"].values()
    documents, chunks = (sum(tenant[name] for tenant in tenants) for name in ("documents", "chunks"))
    where = value.get("data_dir", value["folder"])
    console.print(
        f"{what}: [bold]{documents:,} documents[/] with {chunks:,} chunks; {value['bytes'] / 1e6:,.1f} MB of "
        "Parquet"
    )
    console.print(f"in {where}", markup=False)


def _show_refused(refused: Sequence[Mapping[str, str]]) -> None:
    """One row per document that a store refused, with the code and the reason."""
    if refused:
        rows = [[row["source"], row["doc_id"][:ID_SHOWN], row["code"], row["reason"]] for row in refused]
        table("Refused by a store, and left out", REFUSED, rows)


def register(app: typer.Typer) -> None:
    for name, command, text in (
        ("export", export, example("medkg export exported/")),
        ("import", import_, example("medkg import exported/ --tenant other")),
        ("backup", backup, example("medkg backup backups/2026-01-31")),
        ("restore", restore, example("medkg restore backups/2026-01-31 --data-dir restored/")),
    ):
        app.command(name, rich_help_panel=COPIES, epilog=text)(command)
