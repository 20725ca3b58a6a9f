"""Sweeps of gates: documents whose condition holds go on, those that waited too long fail.

Comes in: the gates at which documents wait, and the topologies with their conditions. Leaves: documents
queued for their second phase, dead letters, and counts. The host and the Dagster sensor sweep independently;
a document passes once, whichever process sweeps.
"""

from __future__ import annotations

import time
from collections.abc import Callable

import structlog

from orchestration.contracts import Gate, GateLedger, GateSweep
from orchestration.errors import MedkgError, UsageError
from orchestration.topology.graph import TopologyGraph
from orchestration.topology.models import GateDefinition

__all__ = ["GateSweeps", "definition_of"]

TopologyOf = Callable[[str, str], TopologyGraph]


class GateSweeps:
    """Sweeps every gate, each at most once per `poll_interval_seconds` of its topology."""

    def __init__(
        self, gates: GateLedger, topology_of: TopologyOf, now: Callable[[], float] = time.monotonic
    ) -> None:
        """`topology_of` returns the topology of a name and version."""
        self._gates = gates
        self._topology_of = topology_of
        self._now = now
        self._swept_at: dict[Gate, float] = {}
        self._log = structlog.get_logger(__name__)

    def sweep(self) -> dict[Gate, GateSweep]:
        """Sweep the gates whose interval has passed; returns the counts per gate.

        A gate whose topology is gone is logged: its documents wait for `medkg gate open`, or their replay.
        """
        sweeps = {}
        for gate in self._gates.occupied():
            try:
                definition = definition_of(self._topology_of, gate)
            except MedkgError as error:
                self._log.warning("gate without topology", gate=gate.name, message=error.message)
                continue
            swept_at = self._swept_at.get(gate)
            if swept_at is not None and self._now() - swept_at < definition.poll_interval_seconds:
                continue
            self._swept_at[gate] = self._now()
            sweeps[gate] = self._gates.sweep(
                gate,
                definition.conditions,
                definition.timeout_seconds,
                opens=definition.resume == "automatic",
            )
        return sweeps

    def moves_by_itself(self, job_id: str) -> bool:
        """Return whether documents of the job wait at a gate that opens by itself."""
        return any(
            definition_of(self._topology_of, gate).resume == "automatic"
            for gate in self._gates.occupied(job_id)
        )


def definition_of(topology_of: TopologyOf, gate: Gate) -> GateDefinition:
    """Return the definition of a gate; raises UsageError when its topology has none of that name."""
    graph = topology_of(gate.pipeline_name, gate.pipeline_version)
    if graph.gate is None or graph.gate.name != gate.name:
        raise UsageError(
            f"topology {graph.name}@{graph.version} has no gate {gate.name!r}, at which documents wait. "
            "Restore it, or let them go on with `medkg gate open`."
        )
    return graph.gate
