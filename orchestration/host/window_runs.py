"""Window runs at the host: created for claimed windows, accounted for when they end, canceled for users.

Input: windows of the job driver, runs of Dagster, and the ends of both. Output: runs on the warm workers,
jobs and documents in the state that a run's end leaves them in.
"""

from __future__ import annotations

from collections.abc import Callable

import structlog

from orchestration.assembly import Assembly
from orchestration.contracts import Submission
from orchestration.contracts.host import RunState
from orchestration.dagster.instance import open_instance, settle_abandoned_runs
from orchestration.dagster.names import (
    HOST_STOPPED_TAG,
    dagster_names,
    first_op_config,
    window_of,
    window_tags,
)
from orchestration.dagster.pruning import prune_runs
from orchestration.dagster.run_errors import run_error
from orchestration.dagster.workers.window_workers import FinishedRun, NewRun, WindowWorkers
from orchestration.dagster.workers.worker_process import SourceWatch, WorkerCommand
from orchestration.errors import MedkgError
from orchestration.host.environment import child_environment
from orchestration.host.job_driver import JobDriver
from orchestration.processes.child_process import is_alive
from orchestration.processes.fork_server import ForkServers
from orchestration.settings import Settings

__all__ = ["HostRuns"]


class HostRuns:
    """The worker pool of a host with the jobs that it drives; thread-safe."""

    def __init__(
        self,
        assembly: Assembly,
        settings: Settings,
        sources: SourceWatch,
        fork_servers: ForkServers,
        on_end: Callable[[bool], None],
    ) -> None:
        """`on_end` is called with each run's end: True if it succeeded, False if it left something behind."""
        self._assembly = assembly
        self._log = structlog.get_logger(__name__)
        self._on_end = on_end
        self._instance = open_instance(settings)
        self.workers = WindowWorkers(
            self._instance,
            WorkerCommand(
                settings.dagster_home, environment=child_environment(settings), log_dir=settings.logs_dir
            ),
            settings.window_workers,
            self._run_ended,
            sources,
            fork_servers,
        )
        self.driver = JobDriver(
            assembly.ledger,
            assembly.submissions,
            self._launch_window,
            self.workers.cancel,
            settings.window_workers,
        )

    def start(self) -> None:
        """Settle the runs that a killed host left behind, and start the workers; does not wait for them."""
        settle_abandoned_runs(self._instance)
        self.workers.start()

    def prune(self, days: float) -> None:
        """Delete runs that ended longer ago."""
        prune_runs(self._instance, days)

    def cancel(self, run_id: str) -> bool:
        """Cancel a run for a user, who wants its job to stop; False if the run is not here.

        The job stops before the run does, so that no other window takes up what the run hands back.
        """
        run = self._instance.get_run_by_id(run_id)
        window_id = window_of(run.tags) if run is not None else None
        if window_id is not None and self.workers.state(run_id) is not RunState.ABSENT:
            job_id = self._assembly.ledger.windows.job_of(window_id)
            if job_id is not None:
                self._assembly.ledger.jobs.cancel(job_id)
        return self.workers.cancel(run_id)

    def close(self) -> None:
        """Cancel all runs and queue their documents again; their jobs continue with the next host."""
        self.driver.close()
        self._mark_stopped_runs()
        self.workers.close()
        try:
            self._assembly.ledger.windows.reclaim(is_alive)
        except MedkgError as error:  # the next command does it
            self._log.warning("documents not handed back", code=error.code, message=error.message)

    def _launch_window(self, submission: Submission, window_id: str) -> None:
        job_name, first_op = dagster_names(
            self._assembly.topology_of(submission.pipeline_name, submission.pipeline_version),
            self._assembly.ledger.windows.phase_of(window_id),
        )
        self.workers.submit(
            window_id,
            NewRun(
                job_name=job_name,
                tags=window_tags(window_id, submission),
                run_config=first_op_config(first_op, window_id),
            ),
        )

    def _run_ended(self, run: FinishedRun) -> None:
        """Hand back what an attended window did not finish; the sensors hand back that of other windows."""
        succeeded = run.status == "SUCCESS"
        self._on_end(succeeded)
        if succeeded:
            self.driver.window_ended(run.run_id, None, cancelled=False)
            return
        error = run_error(self._instance, run)
        if run.status == "FAILURE":
            self._log.warning("run failed", run_id=run.run_id, code=error.code, message=error.message)
        if self.driver.drives(run.run_id):
            self._assembly.ledger.windows.release(run.run_id, error.message)
            self.driver.window_ended(run.run_id, error, cancelled=run.status == "CANCELED")

    def _mark_stopped_runs(self) -> None:
        """Tag the runs that are about to be canceled: their jobs continue with the next host."""
        for run_id in (*self.workers.running(), *self.workers.queued()):
            try:
                if self._instance.has_run(run_id):
                    self._instance.add_run_tags(run_id, {HOST_STOPPED_TAG: "true"})
            except Exception:  # noqa: BLE001 - e.g. disk full; the host must close all the same
                self._log.exception("stopped_run_not_marked", run_id=run_id)
