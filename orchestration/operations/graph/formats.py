"""Formats of exports by name.

Input: a name. Output: what writes the format; the libraries of a format are loaded when it is asked for.
"""

from __future__ import annotations

from orchestration.errors import UsageError
from orchestration.operations.graph.exporting import ExportFormat

__all__ = ["format_named"]


def format_named(name: str) -> ExportFormat:
    """The format of this name; raises UsageError for another one."""
    match name:
        case "kgx":
            from orchestration.operations.graph.kgx import Kgx

            return Kgx()
        case "nquads":
            from orchestration.operations.graph.rdf_files import NQuads

            return NQuads()
        case "jsonld":
            from orchestration.operations.graph.rdf_files import JsonLd

            return JsonLd()
        case "graphml":
            from orchestration.operations.graph.graphml import GraphMl

            return GraphMl()
        case "parquet":
            from orchestration.operations.graph.parquet import Parquet

            return Parquet()
        case _:
            raise UsageError(f"no format is called {name!r}; formats: kgx, jsonld, nquads, graphml, parquet.")
