"""`medkg graph export`: the graph in formats that other tools read."""

from __future__ import annotations

from dataclasses import asdict
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from orchestration.cli.help_text import example
from orchestration.cli.output import AsJson, answer, note, reports_errors
from orchestration.cli.progress import counting
from orchestration.settings import Settings

__all__ = ["register_export"]


class Format(StrEnum):
    """Formats of exports."""

    KGX = "kgx"
    JSONLD = "jsonld"
    NQUADS = "nquads"
    GRAPHML = "graphml"
    PARQUET = "parquet"


def export_graph(
    ctx: typer.Context,
    folder: Annotated[Path, typer.Argument(help="Folder to write; it must be empty or new.")],
    format_name: Annotated[Format, typer.Option("--format", help="Format of the files.")] = Format.KGX,
    as_json: AsJson = False,
) -> None:
    """Write concepts and claims with their quotes: KGX, JSON-LD, N-Quads, GraphML or Parquet."""
    from orchestration.assembly import open_data_folder

    settings: Settings = ctx.obj
    with open_data_folder(settings) as data_folder, counting("exported", as_json) as observe:
        done = data_folder.graph.export(folder, format_name.value, observe)
    value = {"folder": str(folder), "format": format_name.value, **asdict(done)}
    summary = f"{done.nodes:,} nodes and {done.edges:,} edges of {done.documents:,} documents in {folder}"
    lost = f"; of {len(done.without_text):,} the text is lost: edges without quotes"
    answer(as_json, value, lambda: note(summary + (lost if done.without_text else "")))


def register_export(graph: typer.Typer) -> None:
    """Add the command to `medkg graph`."""
    shown = example("medkg graph export kgx/", "medkg graph export rdf/ --format nquads")
    graph.command("export", epilog=shown)(reports_errors(export_graph))
