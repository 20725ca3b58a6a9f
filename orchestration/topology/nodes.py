"""A step of a checked topology, as compilers, runners and phases use it.

Comes in: the fields that `graph` has checked. Leaves: frozen records.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from orchestration.contracts import Branch
from orchestration.topology.models import GateField, StageType

__all__ = ["StageNode"]

IN_GRAPH: Final = frozenset({"extraction", "graph_receipt"})
IN_INDEX: Final = frozenset({"chunks", "embeddings", "index_receipt"})
"""Outputs of the steps of each branch."""


@dataclass(frozen=True, slots=True)
class StageNode:
    """One step of a checked topology."""

    name: str
    stage_type: str
    """Entry point of the implementation."""
    step: StageType
    """Stage protocol of the step."""
    pipeline: str
    takes_from: StageNode | None = field(repr=False)
    after: tuple[str, ...]
    takes: str | None
    gives: str
    earns: tuple[GateField, ...]
    asks_for: tuple[GateField, ...]
    description: str
    policy: str
    optional: bool
    config: Mapping[str, Any]

    @property
    def is_source(self) -> bool:
        return self.takes is None

    @property
    def branch(self) -> Branch | None:
        """The branch that it is part of; None: both follow from it."""
        if self.gives in IN_GRAPH:
            return Branch.GRAPH
        return Branch.INDEX if self.gives in IN_INDEX else None
