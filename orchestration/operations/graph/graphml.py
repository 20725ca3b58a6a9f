"""GraphML: concepts and claims for tools that draw and measure graphs, e.g. networkx, Gephi, Cytoscape.

Input: nodes and edges. Output: graph.graphml, a directed graph in which several claims may join two concepts.
Source: http://graphml.graphdrawing.org/specification.html (read 2026-11-30).
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from lxml import etree

from orchestration.contracts import SnapshotDocument
from orchestration.operations.graph.exporting import Edge, Node, Sink
from orchestration.operations.graph.iris import scalar_text

__all__ = ["GraphMl"]

GRAPHML: Final = "graph.graphml"
NAMESPACE: Final = "http://graphml.graphdrawing.org/xmlns"

_NODE_KEYS: Final = {
    "name": "string",
    "kind": "string",
    "category": "string",
    "documents": "int",
    "mentions": "int",
    "retracted": "boolean",
}
_EDGE_KEYS: Final = {
    "predicate": "string",
    "biolink_predicate": "string",
    "negated": "boolean",
    "direction": "string",
    "confidence": "double",
    "source": "string",
    "document": "string",
    "document_version": "string",
    "year": "int",
    "study_type": "string",
    "document_retracted": "boolean",
    "extraction": "string",
    "qualifiers": "string",
    "evidence": "string",
}
_NO_XML: Final = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""Characters that XML 1.0 cannot hold."""


class GraphMl:
    """ExportFormat of GraphML."""

    files: Sequence[str] = (GRAPHML,)

    @contextmanager
    def open(self, paths: Mapping[str, Path]) -> Iterator[Sink]:
        """Write the file; see ExportFormat."""
        with (
            paths[GRAPHML].open("wb") as file,
            etree.xmlfile(file, encoding="utf-8") as xml,
        ):
            xml.write_declaration()
            with xml.element("graphml", nsmap={None: NAMESPACE}):
                for place, keys in (("node", _NODE_KEYS), ("edge", _EDGE_KEYS)):
                    for name, kind in keys.items():
                        attributes = {"for": place, "attr.name": name, "attr.type": kind}
                        xml.write(etree.Element("key", {"id": f"{place}_{name}", **attributes}))
                with xml.element("graph", {"id": "medkg", "edgedefault": "directed"}):
                    yield _GraphMlSink(xml)


class _GraphMlSink:
    def __init__(self, xml: Any) -> None:
        self._xml = xml

    def node(self, node: Node) -> None:
        concept = node.node.concept
        self._write(
            etree.Element("node", {"id": _text(concept.concept)}),
            "node",
            {
                "name": concept.name,
                "kind": concept.kind,
                "category": f"biolink:{node.category}",
                "documents": concept.documents,
                "mentions": concept.mentions,
                "retracted": concept.retracted,
            },
        )

    def document(self, document: SnapshotDocument) -> None:
        """Documents are properties of edges."""

    def edge(self, edge: Edge) -> None:
        claim, document = edge.claim, edge.document
        ends = {"source": _text(edge.subject), "target": _text(edge.object)}
        quotes = [
            {name: each[name] for name in ("start_char", "end_char", "exact", "prefix", "suffix")}
            for each in edge.quotes
        ]
        self._write(
            etree.Element("edge", {"id": _text(claim.claim_id), **ends}),
            "edge",
            {
                "predicate": claim.predicate,
                "biolink_predicate": f"biolink:{edge.biolink_predicate}",
                "negated": claim.negated,
                "direction": claim.direction,
                "confidence": claim.confidence,
                "source": document.key.source,
                "document": document.key.doc_id,
                "document_version": document.version,
                "year": document.year,
                "study_type": document.study_type,
                "document_retracted": document.retracted,
                "extraction": claim.extraction,
                "qualifiers": "; ".join(f"{each.kind}: {each.value}" for each in claim.qualifiers) or None,
                "evidence": json.dumps(quotes),
            },
        )

    def _write(self, element: Any, place: str, values: Mapping[str, Any]) -> None:
        for name, value in values.items():
            if value is not None:
                data = etree.SubElement(element, "data", {"key": f"{place}_{name}"})
                data.text = ("true" if value else "false") if isinstance(value, bool) else _text(str(value))
        self._xml.write(element)


def _text(value: str) -> str:
    """The text with U+FFFD for what XML cannot hold; `evidence` has quotes exactly, as escaped JSON."""
    return _NO_XML.sub("\ufffd", scalar_text(value))
