"""Looks at gates: which documents may go on, and which have waited too long.

Comes in: the gates at which documents wait, and the topologies that say what for. Leaves: documents queued
for their second phase, dead letters, and what was moved. The host sweeps in its own time and the sensor in
Dagster's; a document moves once, whichever process sweeps.
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
    """Looks at every gate, each not more often than its topology asks for."""

    def __init__(
        self, gates: GateLedger, topology_of: TopologyOf, now: Callable[[], float] = time.monotonic
    ) -> None:
        """`topology_of` gives the topology of a name and version."""
        self._gates = gates
        self._topology_of = topology_of
        self._now = now
        self._looked: dict[Gate, float] = {}
        self._log = structlog.get_logger(__name__)

    def sweep(self) -> dict[Gate, GateSweep]:
        """Look at the gates that are due; what each look moved.

        A gate whose topology is gone is logged: its documents wait for `medkg gate open`, or their replay.
        """
        sweeps = {}
        for gate in self._gates.occupied():
            try:
                definition = definition_of(self._topology_of, gate)
            except MedkgError as error:
                self._log.warning("gate without topology", gate=gate.name, message=error.message)
                continue
            looked = self._looked.get(gate)
            if looked is not None and self._now() - looked < definition.poll_interval_seconds:
                continue
            self._looked[gate] = self._now()
            sweeps[gate] = self._gates.sweep(
                gate,
                definition.conditions,
                definition.timeout_seconds,
                opens=definition.resume == "automatic",
            )
        return sweeps

    def moves_by_itself(self, job_id: str) -> bool:
        """Whether documents of the job wait that will go on, or fail, without a command."""
        return any(
            definition_of(self._topology_of, gate).resume == "automatic"
            for gate in self._gates.occupied(job_id)
        )


def definition_of(topology_of: TopologyOf, gate: Gate) -> GateDefinition:
    """What a topology says of its gate; raises UsageError when it has none of that name."""
    graph = topology_of(gate.pipeline_name, gate.pipeline_version)
    if graph.gate is None or graph.gate.name != gate.name:
        raise UsageError(
            f"topology {graph.name}@{graph.version} has no gate {gate.name!r}, at which documents wait. "
            "Restore it, or let them go on with `medkg gate open`."
        )
    return graph.gate
