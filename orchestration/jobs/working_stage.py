"""The stage that a job works on now, for its progress.

Input: the reports of finished stages and the phases of the topology. Output: a stage's name. The ledger has a
report per window and stage that is finished, so the stage that works is the one after it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from orchestration.contracts import StageReport

if TYPE_CHECKING:
    from orchestration.topology.graph import TopologyGraph

__all__ = ["PhaseStages", "phase_stages", "working_stage"]

STARTING: Final = "starting"
COMMIT: Final = "commit"
RECENT_WINDOWS: Final = 8
"""Windows that are looked at: at least as many as work at once, and few of those that ended before."""


@dataclass(frozen=True, slots=True)
class PhaseStages:
    """The stages of a phase in order, and what follows the last one: the commit, or a gate."""

    stages: tuple[str, ...]
    end: str


def phase_stages(graph: TopologyGraph) -> tuple[PhaseStages, ...]:
    """The phases of a topology."""
    gate = graph.gate.name if graph.gate is not None else COMMIT
    return tuple(
        PhaseStages(tuple(node.name for node in phase.nodes), COMMIT if phase.held is None else gate)
        for phase in graph.phases
    )


def working_stage(reports: Sequence[StageReport], phases: Sequence[PhaseStages]) -> str:
    """The stage after the newest finished one, of a window that is not at its end; `reports` oldest first.

    The end of the phase if all windows are there; a finished stage itself if no phase has it.
    """
    newest: dict[str, str] = {}
    for report in reversed(reports):
        if len(newest) == RECENT_WINDOWS:
            break
        newest.setdefault(report.window_id, report.stage)
    ends = []
    for stage in newest.values():
        phase = next((phase for phase in phases if stage in phase.stages), PhaseStages((stage,), stage))
        after = phase.stages[phase.stages.index(stage) + 1 :]
        if after:
            return after[0]
        ends.append(phase.end)
    return ends[0] if ends else STARTING
