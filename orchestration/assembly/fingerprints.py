"""Fingerprints of documents: hashes of what shapes the parsed document, its index entries and its graph.

Input: a topology, the installed stages and parsers, models, and what shapes extraction. Output: Fingerprints
per format. Contents of documents are no part of them, nor is the date of the topology.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from orchestration.contracts import Branch, Parser
from orchestration.records import Fingerprints
from orchestration.topology.graph import TopologyGraph

__all__ = ["Shaping"]


@dataclass(frozen=True, slots=True)
class Shaping:
    """What shapes the documents of one topology.

    Shaping(graph, stages, parsers, plane, models, extraction).fingerprints("jats")
    """

    graph: TopologyGraph
    stages: Mapping[str, type]
    parsers: Mapping[str, Parser]
    plane: Mapping[str, str]
    """Versions of the plane's components other than models."""
    models: Mapping[str, str]
    """Ids by leg."""
    extraction: Mapping[str, Any]
    """Extractors, prompts, vocabularies and schema; as JSON values."""

    def fingerprints(self, document_format: str) -> Fingerprints:
        """The fingerprints of a document of this format."""
        parser = self.parsers.get(document_format)
        parse = _hash(
            {
                "topology": self.graph.name,
                "steps": self._steps(None),
                "parser": [document_format, parser.version if parser else ""],
            }
        )
        index = _hash(
            {
                "parse": parse,
                "steps": self._steps(Branch.INDEX),
                "plane": dict(self.plane),
                "models": dict(self.models),
            }
        )
        return Fingerprints(parse, index, self.graph_fingerprint(parse))

    def graph_fingerprint(self, parse: str) -> str | None:
        """That of mentions and claims of a document parsed under this one; None: none are made."""
        if not any(node.branch is Branch.GRAPH for node in self.graph.nodes):
            return None
        return _hash({"parse": parse, "steps": self._steps(Branch.GRAPH), **self.extraction})

    def _steps(self, branch: Branch | None) -> list[object]:
        """The shape of a branch's steps and the versions of their stages."""
        versions = {
            node.name: str(getattr(self.stages[node.stage_type], "version", ""))
            for node in self.graph.nodes
            if node.branch is branch
        }
        return [self.graph.shape_hash(branch), versions]


def _hash(shaping: Mapping[str, object]) -> str:
    return hashlib.sha256(json.dumps(shaping, sort_keys=True).encode()).hexdigest()
