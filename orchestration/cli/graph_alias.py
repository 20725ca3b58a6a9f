"""`medkg graph alias`: keys that stand for the same concept, added, imported, listed and undone."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from orchestration.cli.help_text import example
from orchestration.cli.output import AsJson, answer, note, reports_errors, table
from orchestration.contracts import Alias
from orchestration.errors import UsageError
from orchestration.settings import Settings

__all__ = ["alias"]

alias = typer.Typer(help="Concepts that are merged, and taken apart again.", no_args_is_help=True)


@alias.command("add", epilog=example("medkg graph alias add MESH:D000544 MONDO:0004975"))
@reports_errors
def add_alias(
    ctx: typer.Context,
    from_: Annotated[str, typer.Argument(metavar="FROM", help="Key or name that is replaced.")],
    to: Annotated[str, typer.Argument(metavar="TO", help="Key or name that replaces it.")],
    reason: Annotated[str, typer.Option(help="Why, kept with it.")] = "",
    as_json: AsJson = False,
) -> None:
    """Have two keys be one concept; mentions and claims keep their own key."""
    from orchestration.assembly import open_data_folder

    settings: Settings = ctx.obj
    with open_data_folder(settings) as data_folder:
        added, concepts = data_folder.graph.add_alias(from_, to, reason)
    value = {"alias": added.model_dump(), "concept": concepts[0].model_dump() if concepts else None}
    documents = "".join(f"; {each.name} has {each.documents:,} documents" for each in concepts)
    undo = f"medkg graph alias undo {added.alias_id}"
    line = f"{added.from_key} is {added.to_key} from now on{documents} (undo: {undo})"
    answer(as_json, value, lambda: note(line))


@alias.command("import", epilog=example("medkg graph alias import mondo.sssom.tsv"))
@reports_errors
def import_aliases(
    ctx: typer.Context,
    file: Annotated[Path, typer.Argument(help="Table of mappings in the SSSOM format; .gz is read too.")],
    as_json: AsJson = False,
) -> None:
    """Take the exact matches of a file, in the place of those that it stated before."""
    from orchestration.assembly import open_data_folder

    settings: Settings = ctx.obj
    with open_data_folder(settings) as data_folder:
        value = data_folder.graph.import_aliases(file)
    answer(as_json, value, lambda: note(_imported(value)))


def _imported(value: dict[str, Any]) -> str:
    left_out = ", ".join(f"{count:,} {reason}" for reason, count in value["left_out"].items())
    changed = f"{value['added']:,} new, {value['removed']:,} gone"
    summary = f"{value['aliases']:,} aliases of {value['source']} ({changed})"
    return f"{summary}; left out: {left_out}" if left_out else summary


@alias.command("list", epilog=example("medkg graph alias list MESH:D000544"))
@reports_errors
def list_aliases(
    ctx: typer.Context,
    about: Annotated[str | None, typer.Argument(help="Key or name; only aliases of its concept.")] = None,
    as_json: AsJson = False,
) -> None:
    """List aliases with the key that readers see."""
    from orchestration.assembly import open_data_folder

    settings: Settings = ctx.obj
    with open_data_folder(settings) as data_folder:
        aliases = data_folder.graph.aliases(about)
    value = [{**each.model_dump(), "canonical": canonical} for each, canonical in aliases]
    columns = ["alias_id", "from_key", "to_key", "canonical", "rule", "origin", "reason"]
    answer(
        as_json,
        {"aliases": value},
        lambda: table(None, columns, [[row[name] for name in columns] for row in value]),
    )


@alias.command("undo", epilog=example("medkg graph alias undo --source mondo.sssom.tsv"))
@reports_errors
def undo_alias(
    ctx: typer.Context,
    alias_id: Annotated[str | None, typer.Argument(help="Id, from `medkg graph alias list`.")] = None,
    source: Annotated[str | None, typer.Option(help="All aliases of this file, by its name.")] = None,
    as_json: AsJson = False,
) -> None:
    """Take apart what an alias, or a file of them, merged; the graph is as it was before."""
    from orchestration.assembly import open_data_folder

    if (alias_id is None) == (source is None):
        raise UsageError("give the id of an alias, or --source with the name of a file.")
    settings: Settings = ctx.obj
    with open_data_folder(settings) as data_folder:
        removed = data_folder.graph.remove_aliases(alias_id, Path(source).name if source else None)
    answer(as_json, {"removed": [each.model_dump() for each in removed]}, lambda: note(_undone(removed)))


def _undone(removed: list[Alias]) -> str:
    shown = ", ".join(f"{each.from_key} -> {each.to_key}" for each in removed[:5])
    return f"{len(removed):,} aliases undone: {shown}{' ...' if len(removed) > 5 else ''}"
