"""Windows of attended jobs: claimed and launched as workers become free, counted when they end.

Input: job ids from commands in the foreground, and the ends of window runs. Output: window runs passed to
`launch`, and the progress that a command waits for. Tenants get windows by round robin. Jobs without a
command belong to the submission sensor.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import islice
from typing import Final

from orchestration.contracts import JobState, Ledger, Submission
from orchestration.contracts.host import JobProgress
from orchestration.errors import ExitCode, MedkgError, UnavailableError
from orchestration.jobs.submission import BOTH_PHASES, Submissions
from orchestration.processes.child_process import own_identity

__all__ = ["JobDriver"]

FAILED_WINDOWS: Final = 3
"""Windows in succession that may fail before a job is given up for now."""

STOP_SECONDS: Final = 45.0
"""How long cancelled runs may take to end."""

FORGET_SECONDS: Final = 60.0
"""A job with nothing left to do is forgotten when no command has asked for it for so long."""


@dataclass(slots=True)
class _Job:
    submission: Submission
    outstanding: set[str] = field(default_factory=set)
    news: int = 0
    failed_in_a_row: int = 0
    stopped: MedkgError | None = None
    cancelled: bool = False
    settled: bool = False
    """Nothing of it was left to do at the last tick."""
    last_request: float = field(default_factory=time.monotonic)
    """When a command last asked for it."""


class JobDriver:
    """Thread-safe: requests, ends of runs and the host's clock all call it."""

    def __init__(
        self,
        ledger: Ledger,
        submissions: Submissions,
        launch: Callable[[Submission, str], None],
        cancel: Callable[[str], object],
        window_workers: int,
    ) -> None:
        self._ledger = ledger
        self._submissions = submissions
        self._launch = launch
        self._cancel = cancel
        self._most_outstanding = window_workers + 1  # so that a free worker finds the next window
        self._jobs: dict[str, _Job] = {}
        self._stopping = False
        self._changed = threading.Condition(threading.RLock())

    def work_on(self, job_id: str) -> JobProgress:
        """Start or continue a job; returns at once."""
        with self._changed:
            job = self._requested(job_id)
            job.settled = False
            self._fill()
            return self._progress(job)

    def wait_for_news(self, job_id: str, last_news: int, seconds: float) -> JobProgress:
        """The job's progress as soon as it differs from `last_news`, else after `seconds`."""
        with self._changed:
            job = self._requested(job_id)
            self._changed.wait_for(lambda: job.news != last_news or not self._working(job), seconds)
            return self._progress(job)

    def window_ended(self, window_id: str, error: MedkgError | None, cancelled: bool) -> bool:
        """Record a run's end and claim the next window; False if no job here drives the window."""
        with self._changed:
            job = next((job for job in self._jobs.values() if window_id in job.outstanding), None)
            if job is None:
                return False
            job.outstanding.discard(window_id)
            if cancelled and not (
                job.cancelled or self._stopping
            ):  # terminated in the UI: the user wants it to stop
                job.cancelled = True
                self._ledger.jobs.cancel(job.submission.job_id)
            self._judge(job, error)
            self._notify(job)
            self._fill()
            return True

    def drives(self, window_id: str) -> bool:
        """Whether the window is of a job that is driven here."""
        with self._changed:
            return any(window_id in job.outstanding for job in self._jobs.values())

    def stop_job(self, job_id: str) -> None:
        """Cancel the job's runs; returns when they have ended and their documents are handed back."""
        with self._changed:
            job = self._jobs.get(job_id)
            if job is None:
                return
            job.cancelled = True
            for window_id in sorted(job.outstanding):
                self._cancel(window_id)
            self._changed.wait_for(lambda: not job.outstanding, STOP_SECONDS)
            self._notify(job)

    def close(self) -> None:
        """Claim no more: the host is being stopped, and its jobs continue with the next one."""
        with self._changed:
            self._stopping = True
            for job in self._jobs.values():
                self._notify(job)

    def tick(self) -> None:
        """Claim work that has returned to the queue: expired leases, documents another job gave up.

        The reservations of windows that wait for a worker are renewed, and ended jobs forgotten.
        """
        with self._changed:
            self._ledger.windows.extend_reservations(
                [window for job in self._jobs.values() for window in job.outstanding]
            )
            self._forget()
            self._fill()
            for job_id, job in self._jobs.items():
                job.settled = not job.outstanding and self._ledger.jobs.settle(job_id) is not JobState.OPEN
                if job.settled and job.news:
                    self._notify(job)

    def _requested(self, job_id: str) -> _Job:
        """The job that a command asks for; known again if it was forgotten."""
        if job_id not in self._jobs:
            self._jobs[job_id] = _Job(self._ledger.jobs.summary(job_id).submission)
        job = self._jobs[job_id]
        job.last_request = time.monotonic()
        return job

    def _forget(self) -> None:
        """Drop jobs with nothing left to do that no command waits for: a host lives for years."""
        before = time.monotonic() - FORGET_SECONDS
        self._jobs = {
            job_id: job
            for job_id, job in self._jobs.items()
            if job.outstanding
            or job.last_request > before
            or not (job.settled or job.stopped or job.cancelled)
        }

    def _judge(self, job: _Job, error: MedkgError | None) -> None:
        """Give a job up when a service is unavailable, or when FAILED_WINDOWS fail in succession."""
        job.failed_in_a_row = job.failed_in_a_row + 1 if error is not None else 0
        if isinstance(error, UnavailableError) or job.failed_in_a_row >= FAILED_WINDOWS:
            job.stopped = error

    def _working(self, job: _Job) -> bool:
        return bool(job.outstanding) or not (job.stopped or job.cancelled or self._stopping)

    def _fill(self) -> None:
        """Launch as many windows as the workers need, tenants by round robin."""
        if self._stopping:
            return
        due = [
            job.submission for job in self._jobs.values() if not (job.settled or job.stopped or job.cancelled)
        ]
        free = self._most_outstanding - sum(len(job.outstanding) for job in self._jobs.values())
        claims = self._submissions.claims(due, own_identity(), BOTH_PHASES)
        for submission, window_id in islice(claims, max(0, free)):
            job = self._jobs[submission.job_id]
            job.outstanding.add(window_id)
            try:
                self._launch(submission, window_id)
            except MedkgError as error:  # e.g. its topology is gone: other jobs must not wait for that
                job.outstanding.discard(window_id)
                job.stopped = error
                self._ledger.windows.release(window_id, error.message)
                self._notify(job)
                self._fill()
                return

    def _notify(self, job: _Job) -> None:
        job.news += 1
        self._changed.notify_all()

    def _progress(self, job: _Job) -> JobProgress:
        return JobProgress(
            working=self._working(job),
            running=bool(job.outstanding),
            news=job.news,
            stopping=self._stopping,
            reason=_reason(job) or ("its host was stopped" if self._stopping else None),
            exit_code=job.stopped.exit_code if job.stopped else ExitCode.UNAVAILABLE,
        )


def _reason(job: _Job) -> str | None:
    if job.stopped is not None:
        return f"{job.stopped.code} {job.stopped.message}"
    return "its runs were terminated" if job.cancelled else None
