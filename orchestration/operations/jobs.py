"""Jobs of one tenant: opened, submitted to the daemon, and their status.

Comes in: the parts of a data folder, topologies and source requests. Leaves: submissions in the ledger, and
plain JSON values on where documents and jobs stand.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final, Protocol

from orchestration.contracts import (
    DocumentCounts,
    JobState,
    JobSummary,
    Ledger,
    SourceRequest,
    Submission,
)
from orchestration.errors import HostUnavailableError, UsageError
from orchestration.jobs.syncing import shown_sync
from orchestration.operations.parts import Parts
from orchestration.processes.child_process import is_alive
from orchestration.topology.graph import TopologyGraph

if TYPE_CHECKING:
    from orchestration.jobs.foreground import RunReport

__all__ = ["Jobs"]

SHOWN_JOBS: Final = 10


class RunningHost(Protocol):
    """What cancelling a job asks of the host."""

    def stop_job(self, job_id: str) -> None:
        """Cancel the runs of a job that the host drives; returns when they have ended."""
        ...

    def cancel(self, run_id: str) -> bool:
        """Cancel a run; False if the host has no such run."""
        ...


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

    def newest(self, states: Sequence[JobState] | None, limit: int) -> list[dict[str, Any]]:
        """The newest jobs with account and age, as JSON values; jobs that commands left open are settled."""
        self._parts.submissions.end_abandoned(is_alive)
        now = time.time()
        return [_listed(job, now) for job in self._parts.ledger.jobs.find(self._tenant_id, states, limit)]

    def resolve(self, beginning: str) -> str:
        """The id of the tenant's one job whose id begins so; raises UsageError for none or several."""
        ids = self._parts.ledger.jobs.beginning_with(self._tenant_id, beginning)
        if len(ids) == 1:
            return ids[0]
        problem = f"{len(ids)} jobs begin with {beginning}" if ids else f"there is no job {beginning}"
        raise UsageError(f"{problem}; `medkg jobs list` lists the newest ones.")

    def report(self, job_id: str) -> RunReport:
        """What a job has come to, as `medkg run` reports it; its seconds end with the last stage."""
        from orchestration.jobs.foreground import RunReport

        summary = self._parts.ledger.jobs.summary(job_id)
        ended = (stage.started_at + stage.seconds for stage in summary.stages)
        return RunReport(summary, max(0.0, max(ended, default=0.0) - summary.created_at))

    def cancel(self, job_id: str, host: RunningHost | None, notify: Callable[[str], None]) -> dict[str, Any]:
        """Stop a job and queue its unfinished documents; returns its account as JSON values. Idempotent.

        The job is stopped first, so that nothing claims its documents again; then its runs at the host that
        runs, if one does. A run that the host cannot end loses its leases: it cannot commit any more.
        """
        ledger = self._parts.ledger
        ledger.jobs.cancel(job_id)
        if host is not None:
            _stop_runs(ledger, job_id, host, notify)
        for window_id in ledger.windows.in_work(job_id):
            ledger.windows.release(window_id, "the job was cancelled")
        return _shown(ledger.jobs.account(job_id))

    def status(self) -> dict[str, Any]:
        """Documents by status and missing optional stage, vectors by model, syncs, newest jobs; as JSON.

        Settles jobs that commands left open when they were killed.
        """
        ledger, settings = self._parts.ledger, self._parts.settings
        self._parts.submissions.end_abandoned(is_alive)
        return {
            "data_dir": str(settings.data_dir),
            "profile": settings.profile,
            "tenant": self._tenant_id,
            "documents": ledger.documents.status_counts(self._tenant_id),
            "outstanding": ledger.documents.outstanding(self._tenant_id),
            "vectors": ledger.commits.namespaces(self._tenant_id),
            "syncs": [shown_sync(*sync) for sync in ledger.syncs.find(self._tenant_id)[:SHOWN_JOBS]],
            "jobs": [_shown(job) for job in ledger.jobs.find(self._tenant_id, None, limit=SHOWN_JOBS)],
        }


def _listed(job: JobSummary, now: float) -> dict[str, Any]:
    request = job.submission.request
    return {
        **_shown(job),
        "source": request.plugin,
        "paths": list(request.paths),
        "query": request.query,
        "created_at": datetime.fromtimestamp(job.created_at, UTC).isoformat(timespec="seconds"),
        "age_seconds": round(max(0.0, now - job.created_at), 1),
        "handed_back_because": job.handed_back_because,
    }


def _shown(job: JobSummary) -> dict[str, Any]:
    return {
        "job_id": job.submission.job_id,
        "pipeline": f"{job.submission.pipeline_name}@{job.submission.pipeline_version}",
        "state": str(job.state),
        "in": job.documents.total,
        **job.documents.model_dump(exclude={"total"}),
        "removed": job.removed,
    }


def _stop_runs(ledger: Ledger, job_id: str, host: RunningHost, notify: Callable[[str], None]) -> None:
    try:
        host.stop_job(job_id)
        for window_id in ledger.windows.in_work(job_id):
            host.cancel(window_id)
    except HostUnavailableError as error:  # it ends; its runs lose their leases
        notify(error.message)
