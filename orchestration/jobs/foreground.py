"""A job in the foreground: list the source, have the host work on it, watch the ledger, give the account.

Comes in: an opened submission. Leaves: a RunReport. The host does the work; whatever happens to this
process, to the host or to a service, the ledger holds where every document stands, and the same command
continues.
"""

from __future__ import annotations

import time
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Final, Protocol

from orchestration.contracts import JobState, JobSummary, Ledger, Submission
from orchestration.contracts.host import JobProgress
from orchestration.contracts.jobs import STAGE_COUNTS
from orchestration.errors import ExitCode, HostUnavailableError, RunAccountingError
from orchestration.jobs.submission import Submissions, Topology

__all__ = ["JobHost", "Mirrored", "RunReport", "drive"]

Observer = Callable[[JobSummary], None]

WAIT_SECONDS: Final = 0.5
"""How long one look at the host waits for news; the progress display moves at least so often."""


class JobHost(Protocol):
    """The data folder's host as one command uses it.

    Guarantees: those of HostService; a verb raises HostUnavailableError when no host runs or
    it ends meanwhile.
    """

    def begin(self) -> None:
        """Start a host unless one runs; returns at once."""
        ...

    def work_on(self, job_id: str) -> JobProgress:
        """Claim and run the job's windows until none is left; returns at once."""
        ...

    def wait_for_news(self, job_id: str, last_progress: JobProgress, seconds: float) -> JobProgress:
        """The job's progress once it differs from `last_progress`, or after `seconds`."""
        ...

    def stop_job(self, job_id: str) -> None:
        """Cancel the job's runs; returns when their documents are queued again."""
        ...

    def replace_lost(self) -> bool:
        """Start a host in place of one that ended with another command; False if it was not such a one."""
        ...


@dataclass(frozen=True, slots=True)
class Mirrored:
    """What a mirror removed."""

    gone: int
    """Documents that the listing no longer names."""
    removed: int
    kept_because: Sequence[str] = ()

    @property
    def left(self) -> bool:
        """Whether the folder and the index differ still."""
        return self.removed < self.gone or bool(self.kept_because)

    def as_json(self) -> dict[str, Any]:
        return {"gone": self.gone, "removed": self.removed, "kept_because": list(self.kept_because)}


@dataclass(frozen=True, slots=True)
class RunReport:
    """What a job came to."""

    summary: JobSummary
    seconds: float
    interrupted: bool = False
    stopped_because: str | None = None
    """Why documents are pending, in words, when it was not the user."""
    stopped_exit_code: int = ExitCode.UNAVAILABLE
    startup: Mapping[str, float] = field(default_factory=dict)
    """Seconds from the command's start to the first document in a stage, by what they went into."""
    mirrored: Mirrored | None = None
    """Of a mirror."""

    @property
    def exit_code(self) -> int:
        """130 interrupted, 3 or 99 when a service kept documents pending, 1 failures, 0 all well."""
        documents = self.summary.documents
        if self.interrupted:
            return ExitCode.INTERRUPTED
        if documents.pending:
            return self.stopped_exit_code
        left = self.mirrored is not None and self.mirrored.left
        return ExitCode.SOME_FAILED if documents.failed or left else ExitCode.OK

    def check_account(self) -> None:
        """Raise RunAccountingError unless every document is accounted for exactly once."""
        documents = self.summary.documents
        if documents.total != documents.accounted:
            raise RunAccountingError(
                f"job {self.summary.submission.job_id}: {documents.total} documents in, but "
                f"{documents.accounted} accounted for ({documents.model_dump()}). This is a defect of medkg; "
                "please report it with the ledger file."
            )

    def as_json(self) -> dict[str, Any]:
        """The stable JSON of `medkg run`; beside it why it stopped early, `stages` and `startup`."""
        counts = self.summary.documents.model_dump()
        superseded, deleted = counts.pop("superseded"), counts.pop("deleted")
        documents = {"in": counts.pop("total"), **counts}
        done = documents["committed"]
        return {
            "run_ids": list(self.summary.run_ids),
            "documents": documents,
            "skipped": {
                "unchanged": documents["skipped"] - superseded - deleted,
                "superseded": superseded,
                "deleted": deleted,
            },
            "removed": self.summary.removed,
            "chunks": self.summary.chunks,
            "seconds": round(self.seconds, 3),
            "docs_per_second": round(done / self.seconds, 2) if self.seconds else 0.0,
            "failures": [
                {
                    "doc_id": failure.ctx.doc_id,
                    "stage": failure.stage,
                    "code": failure.code,
                    "message": failure.message,
                }
                for failure in self.summary.failures
            ],
            "outstanding": self.outstanding(),
            "stopped": "interrupted" if self.interrupted else self.stopped_because,
            **({"mirror": self.mirrored.as_json()} if self.mirrored is not None else {}),
            "stages": self.stages(),
            "dropped": self.dropped(),
            "startup": {name: round(value, 3) for name, value in self.startup.items()},
        }

    def outstanding(self) -> dict[str, int]:
        """Documents that were committed without an optional stage, by stage."""
        lacking = {(failure.stage, failure.ctx.key) for failure in self.summary.failures if not failure.fatal}
        failed = {failure.ctx.key for failure in self.summary.failures if failure.fatal}
        return dict(sorted(Counter(stage for stage, key in lacking if key not in failed).items()))

    def dropped(self) -> dict[str, dict[str, int]]:
        """What stages dropped over all windows, by stage and reason."""
        totals: dict[str, Counter[str]] = defaultdict(Counter)
        for report in self.summary.stages:
            if report.dropped:
                totals[report.stage].update(report.dropped)
        return {stage: dict(sorted(counts.items())) for stage, counts in totals.items()}

    def stages(self) -> dict[str, dict[str, float]]:
        """Totals by stage over all windows, in the order the stages first ran."""
        totals: dict[str, dict[str, float]] = {}
        for report in self.summary.stages:
            sums = totals.setdefault(report.stage, defaultdict(float))
            for name in STAGE_COUNTS:
                sums[name] += getattr(report, name)
            for name in ("seconds", "cpu_seconds", "model_cpu_seconds"):
                sums[name] = round(sums[name] + getattr(report, name), 3)
        return {stage: dict(sums) for stage, sums in totals.items()}


def drive(
    ledger: Ledger,
    submissions: Submissions,
    submission: Submission,
    topology: Topology | None,
    host: JobHost,
    observe: Observer,
    started_at: float,
    moves_by_itself: Callable[[str], bool],
    after_listing: Callable[[], Mirrored] | None = None,
) -> RunReport:
    """Run a job to its end; `topology` lists the source first, None if the documents are already in.

    `after_listing` is called between the listing and the work.
    Documents that wait at a gate are waited for while they move by themselves, as long as a PDF is converted.
    `started_at` is when the user's command began, seconds since the epoch. Ctrl-C stops the job's runs,
    hands its documents back and is reported, not raised.
    """
    job_id = submission.job_id
    marks = {"command": time.time() - started_at}
    interrupted = False
    mirrored: Mirrored | None = None
    progress = JobProgress.NOT_STARTED
    try:
        _list_source(ledger, submissions, submission, topology, host, observe)
        mirrored = after_listing() if after_listing is not None else None
        marks["listing"] = time.time() - started_at - marks["command"]
        progress = _work(ledger, job_id, host, observe, moves_by_itself)
    except KeyboardInterrupt:
        interrupted = True
        with suppress(HostUnavailableError):  # it is still starting, and will find nothing to do
            host.stop_job(job_id)
        ledger.jobs.cancel(job_id)
    except HostUnavailableError as error:
        progress = JobProgress(working=False, reason=error.message, exit_code=error.exit_code)
    summary = ledger.jobs.summary(job_id)
    report = RunReport(
        summary=summary,
        seconds=time.time() - started_at,
        interrupted=interrupted,
        stopped_because=progress.reason if summary.documents.pending else None,
        stopped_exit_code=progress.exit_code,
        startup=_startup(marks, summary, started_at),
        mirrored=mirrored,
    )
    report.check_account()
    return report


def _list_source(
    ledger: Ledger,
    submissions: Submissions,
    submission: Submission,
    topology: Topology | None,
    host: JobHost,
    observe: Observer,
) -> None:
    if topology is None:
        return
    for counts in submissions.enqueue(submission, topology):
        if counts.pending:
            host.begin()
        observe(ledger.jobs.summary(submission.job_id))


def _work(
    ledger: Ledger, job_id: str, host: JobHost, observe: Observer, moves_by_itself: Callable[[str], bool]
) -> JobProgress:
    """Have a host claim and run windows until nothing is left that may be claimed, or will be.

    A host that ends with another command, which had started it, is replaced by one of ours.
    """

    def goes_on() -> bool:
        state = ledger.jobs.settle(job_id)
        return state is JobState.OPEN or (state is JobState.WAITING and moves_by_itself(job_id))

    progress = JobProgress.NOT_STARTED
    while goes_on():
        host.begin()
        try:
            progress = _follow(ledger, job_id, host, observe, goes_on)
        except HostUnavailableError:
            if not host.replace_lost():
                raise
        else:
            if not (progress.stopping and host.replace_lost()):
                return progress
    return progress


def _follow(
    ledger: Ledger, job_id: str, host: JobHost, observe: Observer, goes_on: Callable[[], bool]
) -> JobProgress:
    """The last progress of one host. A run ends after its last commit; its end is awaited, so that nothing
    cancels it."""
    progress = host.work_on(job_id)
    while progress.working and (goes_on() or progress.running):
        progress = host.wait_for_news(job_id, progress, WAIT_SECONDS)
        observe(ledger.jobs.summary(job_id))
    return progress


def _startup(marks: Mapping[str, float], summary: JobSummary, started_at: float) -> dict[str, float]:
    first: Sequence[float] = [report.started_at for report in summary.stages]
    if not first:
        return dict(marks)
    until_first = min(first) - started_at
    return {
        **marks,
        "host": max(0.0, until_first - sum(marks.values())),
        "until_first_document": until_first,
    }
