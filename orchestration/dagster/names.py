"""The names that Dagster, the host, the launcher and the command line must agree on."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from orchestration.contracts import Phase, Submission
from orchestration.errors import DagsterGateConditionError

if TYPE_CHECKING:
    from orchestration.topology.graph import TopologyGraph

CODE_LOCATION: Final = "medkg"
"""Name of the code location: the same in the workspace and in runs, or re-execution finds no job."""
DEFINITIONS_MODULE: Final = "orchestration.dagster.definitions"
"""Module that the code server and the window workers load."""

WINDOW_TAG: Final = ".dagster/medkg_window"
"""Id of the window, mostly the run's own. Dagster hides tags of this prefix, which is right for a long id."""
PREVIOUS_WINDOW_TAG: Final = "medkg/window"
"""On runs that were created before the tag was hidden."""
JOB_TAG: Final = "medkg/job"
"""On window runs: the first characters of the job's id; the whole id is in the first op's metadata."""
TOPOLOGY_TAG: Final = "medkg/topology"
"""On each run of a topology: auto@2026-11-23. The hash of its content is in the job's metadata."""
TRACE_TAG: Final = ".dagster/medkg_traceparent"
"""W3C trace context of the request that a window run goes on in."""
HOST_STOPPED_TAG: Final = "medkg/host_stopped"
"""On a run that was canceled because its host was stopped, not because its user wants its job to stop."""


JOB_TAG_LENGTH: Final = 8

HOLD_OP: Final = "hold_op"
"""Last op of the job before a gate: its documents wait from then on."""
RESUME_OP: Final = "resume_op"
"""First op of the job behind a gate."""


def op_name(stage: str) -> str:
    """ingest -> ingest_op."""
    return f"{stage.replace('-', '_')}_op"


def window_of(tags: Mapping[str, str]) -> str | None:
    """Window of a run with these tags; None for a run without one, e.g. of an asset check."""
    return tags.get(WINDOW_TAG) or tags.get(PREVIOUS_WINDOW_TAG)


def window_tags(window_id: str, submission: Submission) -> dict[str, str]:
    """Tags of a window's run."""
    tags = {WINDOW_TAG: window_id, JOB_TAG: submission.job_id[:JOB_TAG_LENGTH]}
    return tags | ({TRACE_TAG: submission.traceparent} if submission.traceparent else {})


def first_op_config(first_op: str, window_id: str) -> dict[str, Any]:
    """Run config that hands a claimed window to a job's first op."""
    return {"ops": {first_op: {"config": {"window_id": window_id}}}}


def dagster_names(graph: TopologyGraph, phase: Phase) -> tuple[str, str]:
    """(job, first op) for a window of the topology: of new documents, or of those that passed its gate.

    Raises DagsterGateConditionError when documents passed a gate that the topology no longer has.
    """
    if phase is Phase.FIRST:
        first = next(node for node in graph.nodes if node.is_source)
        return graph.job, op_name(first.name)
    if graph.gate is None:
        raise DagsterGateConditionError(
            f"documents passed a gate of topology {graph.name}@{graph.version}, which has none any more. "
            "Keep the file of that version under versions/, or run their source again."
        )
    return graph.phases[1].job, RESUME_OP
