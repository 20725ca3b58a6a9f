"""N-Quads and JSON-LD: the statements of `rdf`, written one by one.

Input: nodes, documents and edges. Output: graph.nq, one statement per line; graph.jsonld, one document whose
`@graph` has one line per resource. Both hold the same statements.
Source: https://www.w3.org/TR/n-quads/, https://www.w3.org/TR/json-ld11/ (read 2026-11-30).
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, TextIO

from orchestration.contracts import SnapshotDocument
from orchestration.operations.graph.exporting import Edge, Node, Sink
from orchestration.operations.graph.rdf import (
    PREFIXES,
    Iri,
    Literal,
    Quad,
    document_quads,
    edge_quads,
    node_quads,
)

__all__ = ["JsonLd", "NQuads"]

NQUADS: Final = "graph.nq"
JSONLD: Final = "graph.jsonld"

_ESCAPED: Final = re.compile(r'["\\\x00-\x1f\x7f]')
_ESCAPES: Final = {'"': '\\"', "\\": "\\\\", "\n": "\\n", "\r": "\\r", "\t": "\\t", "\b": "\\b", "\f": "\\f"}


class NQuads:
    """ExportFormat of N-Quads."""

    files: Sequence[str] = (NQUADS,)

    @contextmanager
    def open(self, paths: Mapping[str, Path]) -> Iterator[Sink]:
        """Write the file; see ExportFormat."""
        with paths[NQUADS].open("w", encoding="utf-8", newline="\n") as file:
            yield _QuadSink(lambda quads: _write_lines(file, quads))


class JsonLd:
    """ExportFormat of JSON-LD 1.1."""

    files: Sequence[str] = (JSONLD,)

    @contextmanager
    def open(self, paths: Mapping[str, Path]) -> Iterator[Sink]:
        """Write the file; see ExportFormat."""
        with paths[JSONLD].open("w", encoding="utf-8", newline="\n") as file:
            file.write(f'{{"@context": {json.dumps(dict(PREFIXES))},\n"@graph": [\n')
            resources = _Resources(file)
            yield _QuadSink(resources.write)
            file.write("\n]}\n")


class _QuadSink:
    """Turns nodes, documents and edges into quads for one writer."""

    def __init__(self, write: Any) -> None:
        self._write = write

    def node(self, node: Node) -> None:
        self._write(node_quads(node))

    def document(self, document: SnapshotDocument) -> None:
        self._write(document_quads(document))

    def edge(self, edge: Edge) -> None:
        self._write(edge_quads(edge))


def _write_lines(file: TextIO, quads: Iterable[Quad]) -> None:
    for quad in quads:
        terms = (quad.subject, quad.predicate, quad.object, quad.graph)
        file.write(" ".join(_term(term) for term in terms if term is not None) + " .\n")


def _term(term: Iri | Literal) -> str:
    if isinstance(term, Iri):
        return f"<{term.value}>"
    text = _ESCAPED.sub(lambda match: _ESCAPES.get(match[0]) or f"\\u{ord(match[0]):04X}", term.value)
    return f'"{text}"' if term.datatype is None else f'"{text}"^^<{term.datatype}>'


class _Resources:
    """One JSON object per resource and line."""

    def __init__(self, file: TextIO) -> None:
        self._file = file
        self._separator = ""

    def write(self, quads: Iterable[Quad]) -> None:
        """Write what quads state, by resource in their order; statements of a graph stand in its resource."""
        resources: dict[str, dict[str, Any]] = {}
        graphs: dict[str, dict[str, dict[str, Any]]] = {}
        for quad in quads:
            place = resources if quad.graph is None else graphs.setdefault(quad.graph.value, {})
            resource = place.setdefault(quad.subject.value, {"@id": quad.subject.value})
            _add(resource, quad)
        for name, stated in graphs.items():
            resources.setdefault(name, {"@id": name})["@graph"] = list(stated.values())
        for resource in resources.values():
            self._file.write(self._separator + json.dumps(resource, ensure_ascii=False))
            self._separator = ",\n"


def _add(resource: dict[str, Any], quad: Quad) -> None:
    name = _compact(quad.predicate.value)
    if name == "rdf:type":
        resource.setdefault("@type", []).append(_compact(quad.object.value))
        return
    resource.setdefault(name, []).append(_value(quad.object))


def _value(term: Iri | Literal) -> Any:
    if isinstance(term, Iri):
        return {"@id": term.value}
    if term.datatype is None:
        return {"@value": term.value}
    return {"@value": term.value, "@type": _compact(term.datatype)}


def _compact(iri: str) -> str:
    for prefix, namespace in PREFIXES.items():
        if iri.startswith(namespace):
            return f"{prefix}:{iri[len(namespace) :]}"
    return iri
