"""A step of a checked topology, as compilers, runners and phases use it.

Comes in: the fields that `graph` has checked. Leaves: frozen records.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from orchestration.topology.models import GateField, StageType

__all__ = ["StageNode"]


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
