"""Jobs of one tenant: opened, submitted to the daemon, and their status.

Comes in: the parts of a data folder, topologies and source requests. Leaves: submissions in the ledger, and
plain JSON values on where documents and jobs stand.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from orchestration.contracts import DocumentCounts, JobSummary, SourceRequest, Submission
from orchestration.jobs.syncing import shown_sync
from orchestration.operations.parts import Parts
from orchestration.processes.child_process import is_alive
from orchestration.topology.graph import TopologyGraph

__all__ = ["Jobs"]

SHOWN_JOBS: Final = 10


class Jobs:
    """Jobs of the settings' tenant."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._tenant_id = parts.settings.tenant

    def open(
        self, topology: TopologyGraph, request: SourceRequest, window_size: int | None, *, attended: bool
    ) -> Submission:
        """Open a job that has no documents yet; raises UsageError for a source that is not installed."""
        return self._parts.submissions.open(
            topology,
            request,
            tenant_id=self._tenant_id,
            window_size=window_size or self._parts.settings.window_size,
            attended=attended,
        )

    def submit_to_dagster(
        self,
        topology: str,
        request: SourceRequest,
        window_size: int | None = None,
        observe: Callable[[DocumentCounts], None] = lambda counts: None,
    ) -> Submission:
        """Queue documents for the daemon's submission sensor; returns when the source is enumerated.

        `observe` is called with the counts of each enumerated batch, which is durable by then. Raises
        DagsterPipelineConfigError for an invalid topology, UsageError for a source that is not installed.
        """
        graph = self._parts.topologies.load(topology)
        submission = self.open(graph, request, window_size, attended=False)
        for counts in self._parts.submissions.enqueue(submission, graph):
            observe(counts)
        return submission

    def status(self) -> dict[str, Any]:
        """Documents by status, vectors by model, syncs and the newest jobs, as JSON values.

        Settles jobs that commands left open when they were killed.
        """
        ledger, settings = self._parts.ledger, self._parts.settings
        self._parts.submissions.end_abandoned(is_alive)
        return {
            "data_dir": str(settings.data_dir),
            "profile": settings.profile,
            "tenant": self._tenant_id,
            "documents": ledger.documents.status_counts(self._tenant_id),
            "vectors": ledger.commits.namespaces(self._tenant_id),
            "syncs": [shown_sync(*sync) for sync in ledger.syncs.find(self._tenant_id)[:SHOWN_JOBS]],
            "jobs": [_shown(job) for job in ledger.jobs.find(self._tenant_id, None, limit=SHOWN_JOBS)],
        }


def _shown(job: JobSummary) -> dict[str, Any]:
    return {
        "job_id": job.submission.job_id,
        "pipeline": f"{job.submission.pipeline_name}@{job.submission.pipeline_version}",
        "state": str(job.state),
        "in": job.documents.total,
        **job.documents.model_dump(exclude={"total"}),
    }
