"""KGX files: nodes.jsonl and edges.jsonl, which tools of the Biolink world read.

Input: nodes and edges. Output: one line of JSON per concept and per claim.
Source: https://github.com/biolink/kgx/blob/master/specification/kgx-format.md (read 2026-11-30).
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, TextIO

from orchestration.contracts import SnapshotDocument
from orchestration.operations.graph.exporting import Edge, Node, Sink
from orchestration.operations.graph.iris import scalar_text

__all__ = ["Kgx"]

NODES: Final = "nodes.jsonl"
EDGES: Final = "edges.jsonl"
SOURCE: Final = "infores:medkg"


class Kgx:
    """ExportFormat of KGX in JSON Lines."""

    files: Sequence[str] = (NODES, EDGES)

    @contextmanager
    def open(self, paths: Mapping[str, Path]) -> Iterator[Sink]:
        """Write both files; see ExportFormat."""
        with (
            paths[NODES].open("w", encoding="utf-8") as nodes,
            paths[EDGES].open("w", encoding="utf-8") as edges,
        ):
            yield _KgxSink(nodes, edges)


class _KgxSink:
    def __init__(self, nodes: TextIO, edges: TextIO) -> None:
        self._nodes = nodes
        self._edges = edges

    def node(self, node: Node) -> None:
        concept = node.node.concept
        record: dict[str, Any] = {
            "id": concept.concept,
            "category": [f"biolink:{node.category}"],
            "name": concept.name,
        }
        others = [*node.node.keys[1:], *node.node.identifiers]
        for name, values in (("xref", others), ("synonym", list(node.node.names[1:]))):
            if values:
                record[name] = values
        if concept.retracted:
            record["retracted"] = True
        _write(self._nodes, record)

    def document(self, document: SnapshotDocument) -> None:
        """Documents are properties of edges."""

    def edge(self, edge: Edge) -> None:
        _write(self._edges, _edge(edge))


def _edge(edge: Edge) -> dict[str, Any]:
    claim, document = edge.claim, edge.document
    quotes = [
        {"start_char": each["start_char"], "end_char": each["end_char"], "exact": each["exact"]}
        for each in edge.quotes
    ]
    record: dict[str, Any] = {
        "id": claim.claim_id,
        "subject": edge.subject,
        "predicate": f"biolink:{edge.biolink_predicate}",
        "original_predicate": claim.predicate,
        "object": edge.object,
        "original_subject": edge.original_subject,
        "original_object": edge.original_object,
        "category": ["biolink:Association"],
        "knowledge_level": claim.knowledge_level,
        "agent_type": claim.agent_type,
        "primary_knowledge_source": SOURCE,
        "negated": claim.negated,
        "source": document.key.source,
        "document": document.key.doc_id,
        "document_version": document.version,
        "retracted": document.retracted,
        "extraction": claim.extraction,
        "confidence": claim.confidence,
        "evidence": quotes,
    }
    texts = [quote["exact"] for quote in quotes if quote["exact"] is not None]
    if texts:
        record["supporting_text"] = texts
    for name, value in (
        ("object_direction_qualifier", claim.direction),
        ("year", document.year),
        ("study_type", document.study_type),
        ("qualifiers", [f"{each.kind}: {each.value}" for each in claim.qualifiers]),
    ):
        if value:
            record[name] = value
    return record


def _write(file: TextIO, record: Mapping[str, Any]) -> None:
    file.write(scalar_text(json.dumps(record, ensure_ascii=False)) + "\n")
