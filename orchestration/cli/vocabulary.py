"""`medkg vocabulary`: files of concepts that mentions are linked to."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from orchestration.cli.help_text import DOCUMENTS, example
from orchestration.cli.output import AsJson, answer, console, note, reports_errors, table
from orchestration.errors import ExitCode
from orchestration.settings import Settings

vocabulary = typer.Typer(help="Vocabularies that mentions are linked to.", no_args_is_help=True)

Many = list[str] | None
Name = Annotated[str, typer.Argument(help="Vocabulary, from `medkg vocabulary list`.")]


@vocabulary.command("add", epilog=example("medkg vocabulary add mondo.obo"))
@reports_errors
def add_vocabulary(
    ctx: typer.Context,
    file: Annotated[
        Path,
        typer.Argument(
            exists=True, dir_okay=False, help="File of the vocabulary; .gz, .bz2 and .xz are read too."
        ),
    ],
    name: Annotated[str | None, typer.Option(help="Its name here; default: that of the file.")] = None,
    format_name: Annotated[str, typer.Option("--format", help="Its format; auto: by its content.")] = "auto",
    version: Annotated[str | None, typer.Option(help="Its version; default: as the file states it.")] = None,
    licence: Annotated[str | None, typer.Option(help="Its licence, kept with it.")] = None,
    prefix: Annotated[str | None, typer.Option(help="Prefix of ids without one, e.g. MESH.")] = None,
    kind: Annotated[
        Many, typer.Option(help="Kind of mentions of its concepts, e.g. Drug; repeatable.")
    ] = None,
    column: Annotated[Many, typer.Option(help="Column of a table, e.g. id=ui; repeatable.")] = None,
    language: Annotated[Many, typer.Option(help="Only names in this language; repeatable.")] = None,
    source: Annotated[Many, typer.Option(help="Only rows of this source of UMLS (SAB); repeatable.")] = None,
    as_json: AsJson = False,
) -> None:
    """Add a vocabulary, or replace the one of this name; documents are extracted again by the next run."""
    from orchestration.assembly import open_data_folder

    settings: Settings = ctx.obj
    with open_data_folder(settings, unchecked=True) as data_folder:
        value = data_folder.vocabularies.add(
            file,
            name=name,
            format_name=format_name,
            version=version,
            licence=licence,
            prefix=prefix,
            kinds=kind or (),
            columns=column or (),
            languages=language or (),
            sources=source or (),
        )
    answer(as_json, value, lambda: note(_summary(value)))


def _summary(value: dict[str, Any]) -> str:
    left_out = ", ".join(f"{count:,} {reason}" for reason, count in value["left_out"].items())
    return (
        f"vocabulary {value['name']} {value['version']}: {value['concepts']:,} concepts, "
        f"{value['names']:,} names" + (f" (not read: {left_out})" if left_out else "")
    )


@vocabulary.command("list", epilog=example("medkg vocabulary list"))
@reports_errors
def list_vocabularies(ctx: typer.Context, as_json: AsJson = False) -> None:
    """List vocabularies with version, concepts and names, or their error."""
    from orchestration.assembly import open_data_folder

    settings: Settings = ctx.obj
    with open_data_folder(settings, unchecked=True) as data_folder:
        value = data_folder.vocabularies.listed()
    columns = ["name", "version", "format", "concepts", "names", "licence", "error"]
    answer(
        as_json,
        {"vocabularies": value},
        lambda: table(None, columns, [[row.get(column) for column in columns] for row in value]),
    )


@vocabulary.command("check", epilog=example("medkg vocabulary check mondo"))
@reports_errors
def check_vocabularies(
    ctx: typer.Context,
    name: Annotated[str | None, typer.Argument(help="Vocabulary; default: all.")] = None,
    as_json: AsJson = False,
) -> None:
    """Read the index of a vocabulary whole: is it undamaged, and what is doubtful in its content?"""
    from orchestration.assembly import open_data_folder

    settings: Settings = ctx.obj
    with open_data_folder(settings, unchecked=True) as data_folder:
        value = data_folder.vocabularies.check(name)
    answer(as_json, {"vocabularies": value}, lambda: _show_checks(value))
    if any(row["damage"] for row in value):
        raise typer.Exit(ExitCode.SOME_FAILED)


def _show_checks(value: list[dict[str, Any]]) -> None:
    for row in value:
        console.print(f"{row['name']}: {row['damage'] or 'undamaged'}", markup=False)
        for finding in row["findings"]:
            shown = ", ".join(finding["examples"])
            console.print(f"  {finding['times']:,} {finding['what']}: {shown}", markup=False)


@vocabulary.command("remove", epilog=example("medkg vocabulary remove mondo"))
@reports_errors
def remove_vocabulary(ctx: typer.Context, name: Name, as_json: AsJson = False) -> None:
    """Remove a vocabulary; documents are extracted again by the next run."""
    from orchestration.assembly import open_data_folder

    settings: Settings = ctx.obj
    with open_data_folder(settings, unchecked=True) as data_folder:
        data_folder.vocabularies.remove(name)
    answer(as_json, {"removed": name}, lambda: note(f"vocabulary {name} is removed"))


def register(app: typer.Typer) -> None:
    """Add the command group."""
    app.add_typer(vocabulary, name="vocabulary", rich_help_panel=DOCUMENTS)
