"""Topologies as plain JSON values, for commands and scripts.

Comes in: a loader, or a checked topology. Leaves: the list of topologies with their errors; the steps of one
with their order and jobs.
"""

from __future__ import annotations

from typing import Any

from orchestration.topology.graph import TopologyGraph
from orchestration.topology.loader import PipelineLoader

__all__ = ["listed", "shown"]


def listed(topologies: PipelineLoader) -> list[dict[str, Any]]:
    """All topologies of the folder; an invalid one with its error."""
    problems = topologies.problems()
    rows = []
    for name in topologies.names():
        valid = name in topologies.valid_names()
        graph = topologies.load(name) if valid else None
        rows.append(
            {
                "name": name,
                "version": graph.version if graph else None,
                "job": graph.job if graph else None,
                "versions": list(topologies.versions(name)),
                "error": str(problems[name].error) if name in problems else None,
            }
        )
    return rows


def shown(graph: TopologyGraph) -> dict[str, Any]:
    """A topology's stages in the order in which they run, and its gate or None."""
    return {
        "name": graph.name,
        "version": graph.version,
        "job": graph.job,
        "description": graph.topology.description,
        "stages": [
            {
                "name": node.name,
                "uses": node.stage_type,
                "takes": node.takes,
                "gives": node.gives,
                "after": [*([node.takes_from.name] if node.takes_from else []), *node.after],
                "policy": node.policy,
                "optional": node.optional,
                "config": dict(node.config),
                "job": phase.job,
            }
            for phase in graph.phases
            for node in phase.nodes
        ],
        "gate": graph.gate.model_dump(mode="json") if graph.gate else None,
    }
