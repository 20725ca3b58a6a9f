"""RunTree: follows jobs, windows and stages from fact to fact.

Comes in: facts in order, and what was open before them. Leaves: changes of runs. Every run that starts ends
once, whatever was killed in between: a stage without an end ends with its window, and a window when the last
of its documents has ended in it. Ids are those of the ledger, or derived from them, so that facts that are
read again give the same events.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from typing import Final
from uuid import UUID, uuid5

from orchestration.contracts.facts import (
    DocumentCommitted,
    DocumentDeleted,
    DocumentErased,
    DocumentFailed,
    DocumentHandedBack,
    DocumentSkipped,
    Fact,
    GateReached,
    JobChanged,
    JobOpened,
    StageAbandoned,
    StageFinished,
    StageRetried,
    StageStarted,
    WindowLeased,
)
from orchestration.contracts.jobs import JobState, StageReport
from orchestration.lineage.runs import (
    HASH,
    Counts,
    DatasetName,
    JobRun,
    Level,
    OpenRuns,
    RunChange,
    RunState,
    WindowRun,
    counts_of_job,
    counts_of_stage,
    hash_of,
    uuid_of,
)

__all__ = ["RunTree"]

MOST_REMEMBERED: Final = 1_000
"""Stalled jobs, and windows that were handed back, that are remembered; the oldest are forgotten."""

OUTCOMES: Final[dict[type, str]] = {
    DocumentCommitted: "passed",
    DocumentFailed: "failed",
    DocumentSkipped: "skipped",
    DocumentDeleted: "skipped",
    GateReached: "waiting",
    DocumentHandedBack: "pending",
}
"""Facts with which documents leave their window, and as what they count in it."""

JOB_STATES: Final = {
    JobState.OPEN: RunState.RUNNING,
    JobState.WAITING: RunState.RUNNING,
    JobState.DONE: RunState.COMPLETE,
    JobState.CANCELLED: RunState.ABORT,
    JobState.STALLED: RunState.FAIL,
}

STALLED: Final = "every unfinished document was handed back three times; `medkg run` the source again"
STARTED_AGAIN: Final = "its process ended; the stage was started again"
HANDED_BACK: Final = "the process of the run ended; its documents are queued again"
LEFT: Final = "its documents ended without it"


class RunTree:
    """Applies facts to what is open."""

    def __init__(self, runs: OpenRuns, inputs_of: Callable[[JobOpened], Iterable[DatasetName]]) -> None:
        """`inputs_of` names the datasets that a job reads. `runs` is changed in place."""
        self._runs = runs
        self._inputs_of = inputs_of

    def apply(self, fact: Fact) -> list[RunChange]:
        """The changes that a fact makes, in the order in which they are to be sent."""
        return list(self._changes(fact))

    def _changes(self, fact: Fact) -> Iterator[RunChange]:
        match fact.body:
            case JobOpened() as body:
                yield self._open_job(fact, body)
            case JobChanged() as body:
                yield from self._change_job(fact, body)
            case WindowLeased():
                yield from self._lease(fact)
            case StageStarted() as body:
                yield from self._start_stage(fact, body.stage, fact.happened_at)
            case StageFinished() as body:
                yield from self._finish_stage(fact, body)
            case StageAbandoned() as body:
                yield from self._abandon_stage(fact, body)
            case StageRetried() as body:
                yield from self._retry(fact, body)
            case DocumentErased() as body:
                yield from self._erase(fact, body)
            case body if type(body) in OUTCOMES:
                yield from self._leave(fact)

    # --- jobs ---------------------------------------------------------------------------------------

    def _open_job(self, fact: Fact, body: JobOpened) -> RunChange:
        job = JobRun(
            tenant=fact.tenant_id,
            pipeline=fact.pipeline_name,
            version=fact.pipeline_version,
            source=body.source,
            inputs=list(self._inputs_of(body)),
        )
        self._runs.jobs[fact.job_id] = job
        return self._of_job(fact.job_id, job, RunState.START, fact.happened_at)

    def _change_job(self, fact: Fact, body: JobChanged) -> Iterator[RunChange]:
        state = JOB_STATES.get(body.state)
        if state is None:
            return
        job = self._runs.jobs.get(fact.job_id)
        if job is None:  # its first facts were dropped before this reader had them
            job = JobRun(tenant=fact.tenant_id, pipeline=fact.pipeline_name, version=fact.pipeline_version)
            self._runs.jobs[fact.job_id] = job
            yield self._of_job(fact.job_id, job, RunState.START, max(0.0, fact.happened_at - body.seconds))
        stalled = body.state is JobState.STALLED
        sent = RunState.OTHER if job.ended else state
        error = STALLED if stalled and sent is RunState.FAIL else None
        yield self._of_job(fact.job_id, job, sent, fact.happened_at, error, counts_of_job(body.counts))
        if state is RunState.RUNNING:
            return
        job.ended, job.cancelled = True, body.state is JobState.CANCELLED
        if body.state is JobState.DONE:
            for window_id in [
                id_ for id_, window in self._runs.windows.items() if window.job_id == fact.job_id
            ]:
                yield from self._end_window(window_id, fact.happened_at)
        if not stalled:
            self._forget_ended(fact.job_id)
        self._bound()

    def _forget_ended(self, job_id: str) -> None:
        """Forget an ended job without open windows."""
        job = self._runs.jobs.get(job_id)
        if job and job.ended and all(window.job_id != job_id for window in self._runs.windows.values()):
            del self._runs.jobs[job_id]

    def _bound(self) -> None:
        """Forget the oldest of what may never be continued."""
        ended = [job_id for job_id, job in self._runs.jobs.items() if job.ended]
        for job_id in ended[: max(0, len(ended) - MOST_REMEMBERED)]:
            del self._runs.jobs[job_id]
        for window_id in list(self._runs.handed_back)[
            : max(0, len(self._runs.handed_back) - MOST_REMEMBERED)
        ]:
            del self._runs.handed_back[window_id]

    def _of_job(
        self,
        job_id: str,
        job: JobRun,
        state: RunState,
        at: float,
        error: str | None = None,
        counts: Counts | None = None,
    ) -> RunChange:
        return RunChange(
            level=Level.JOB,
            run_id=uuid_of(job_id),
            state=state,
            at=at,
            tenant=job.tenant,
            pipeline=job.pipeline,
            version=job.version,
            job_id=job_id,
            source=job.source,
            inputs=tuple(job.inputs),
            error=error,
            counts=counts,
            written=dict(job.written),
        )

    # --- windows ------------------------------------------------------------------------------------

    def _lease(self, fact: Fact) -> Iterator[RunChange]:
        if fact.window_id in self._runs.windows:
            window = self._runs.windows[fact.window_id]
            window.add(fact.documents)
            yield self._of_window(window, RunState.RUNNING, fact.happened_at)
        else:
            yield from self._open_window(fact, fact.happened_at)

    def _open_window(self, fact: Fact, at: float) -> Iterator[RunChange]:
        attempt = self._runs.handed_back.pop(fact.window_id, 0) + 1
        own_id = uuid_of(fact.window_id)
        window = WindowRun(
            job_id=fact.job_id,
            run_id=own_id if attempt == 1 else str(uuid5(UUID(own_id), f"attempt {attempt}")),
            tenant=fact.tenant_id,
            pipeline=fact.pipeline_name,
            version=fact.pipeline_version,
            attempt=attempt,
        )
        window.add(fact.documents)
        self._runs.windows[fact.window_id] = window
        yield self._of_window(window, RunState.START, at)

    def _leave(self, fact: Fact) -> Iterator[RunChange]:
        """Documents end in their window; it ends with the last of them."""
        if isinstance(fact.body, DocumentCommitted):
            written = Counter(
                documents=len(fact.body.versions),
                chunks=sum(fact.body.chunks),
                mentions=sum(fact.body.mentions),
                claims=sum(fact.body.claims),
            )
            if (job := self._runs.jobs.get(fact.job_id)) is not None:
                job.written += written
        window = self._runs.windows.get(fact.window_id)
        if window is None:
            return
        window.outcomes[OUTCOMES[type(fact.body)]] += len(fact.documents)
        if isinstance(fact.body, DocumentCommitted):
            window.written += written
        if isinstance(fact.body, DocumentFailed):
            window.codes.update(failure.code for failure in fact.body.failures)
        if isinstance(fact.body, DocumentHandedBack):
            window.reason = fact.body.reason or HANDED_BACK
        gone = {hash_of(document) for document in fact.documents if document is not None}
        window.documents = [each for each in window.documents if each not in gone]
        if not window.documents:
            yield from self._end_window(fact.window_id, fact.happened_at)

    def _erase(self, fact: Fact, body: DocumentErased) -> Iterator[RunChange]:
        gone = {value[:HASH] for value in body.key_hashes}
        for window_id, window in list(self._runs.windows.items()):
            if gone.isdisjoint(window.documents):
                continue
            window.documents = [each for each in window.documents if each not in gone]
            if not window.documents:
                yield from self._end_window(window_id, fact.happened_at)

    def _end_window(self, window_id: str, at: float) -> Iterator[RunChange]:
        window = self._runs.windows.pop(window_id)
        job = self._runs.jobs.get(window.job_id)
        state = RunState.COMPLETE
        if window.outcomes["pending"]:
            state = RunState.ABORT if job and job.cancelled else RunState.FAIL
            self._runs.handed_back[window_id] = window.attempt
        for stage in list(window.stages):
            ended_as = RunState.ABORT if state is RunState.COMPLETE else state
            yield self._of_stage(window, stage, ended_as, at, error=window.reason or LEFT)
        yield self._of_window(window, state, at, error=window.reason or None)
        self._forget_ended(window.job_id)
        self._bound()

    def _of_window(
        self, window: WindowRun, state: RunState, at: float, error: str | None = None
    ) -> RunChange:
        return RunChange(
            level=Level.WINDOW,
            run_id=window.run_id,
            state=state,
            at=at,
            tenant=window.tenant,
            pipeline=window.pipeline,
            version=window.version,
            job_id=window.job_id,
            parent_run_id=uuid_of(window.job_id),
            error=error,
            counts=Counts(total=window.total, **window.outcomes, by_code=dict(window.codes)),
            written=dict(window.written),
            attempt=window.attempt,
        )

    # --- stages -------------------------------------------------------------------------------------

    def _start_stage(self, fact: Fact, stage: str, at: float) -> Iterator[RunChange]:
        if fact.window_id not in self._runs.windows:
            yield from self._open_window(fact, at)
        window = self._runs.windows[fact.window_id]
        if stage in window.stages:
            yield self._of_stage(window, stage, RunState.FAIL, at, error=STARTED_AGAIN)
        window.starts[stage] += 1
        window.stages[stage] = str(uuid5(UUID(window.run_id), f"{stage} {window.starts[stage]}"))
        yield self._of_stage(window, stage, RunState.START, at)

    def _finish_stage(self, fact: Fact, body: StageFinished) -> Iterator[RunChange]:
        report = body.report
        window = self._runs.windows.get(fact.window_id)
        if window is None or report.stage not in window.stages:
            if not fact.documents:  # its documents ended or went to another run before
                return
            yield from self._start_stage(fact, report.stage, report.started_at)
            window = self._runs.windows[fact.window_id]
        nothing_came_through = report.failed > 0 and report.documents_out == 0
        codes = Counter(failure.code for failure in body.failures)
        yield self._of_stage(
            window,
            report.stage,
            RunState.FAIL if nothing_came_through else RunState.COMPLETE,
            fact.happened_at,
            report=report,
            counts=counts_of_stage(report, codes),
            error=f"every document failed: {', '.join(sorted(codes))}" if nothing_came_through else None,
        )

    def _abandon_stage(self, fact: Fact, body: StageAbandoned) -> Iterator[RunChange]:
        window = self._runs.windows.get(fact.window_id)
        if window is None or body.stage not in window.stages:
            if not fact.documents:
                return
            yield from self._start_stage(fact, body.stage, fact.happened_at)
            window = self._runs.windows[fact.window_id]
        error = f"{body.code}: {body.message}"
        yield self._of_stage(window, body.stage, RunState.FAIL, fact.happened_at, error=error)

    def _retry(self, fact: Fact, body: StageRetried) -> Iterator[RunChange]:
        """Report a retry, which names no window, in that of its documents, or where alone its stage runs."""
        hashes = {hash_of(document) for document in fact.documents if document is not None}
        running = [
            window
            for window in self._runs.windows.values()
            if window.job_id == fact.job_id and body.stage in window.stages
        ]
        if hashes:
            running = [window for window in running if not hashes.isdisjoint(window.documents)]
        if len(running) == 1:
            (window,) = running
            yield self._of_stage(window, body.stage, RunState.RUNNING, fact.happened_at, retried=body)

    def _of_stage(
        self,
        window: WindowRun,
        stage: str,
        state: RunState,
        at: float,
        *,
        report: StageReport | None = None,
        counts: Counts | None = None,
        error: str | None = None,
        retried: StageRetried | None = None,
    ) -> RunChange:
        """A change of a stage's run, which an end takes from the open ones."""
        goes_on = state in (RunState.START, RunState.RUNNING)
        run_id = window.stages[stage] if goes_on else window.stages.pop(stage)
        job = self._runs.jobs.get(window.job_id)
        return RunChange(
            level=Level.STAGE,
            run_id=run_id,
            state=state,
            at=at,
            tenant=window.tenant,
            pipeline=window.pipeline,
            version=window.version,
            job_id=window.job_id,
            parent_run_id=window.run_id,
            stage=stage,
            inputs=tuple(job.inputs) if job else (),
            error=error,
            counts=counts,
            report=report,
            retried=retried,
            attempt=window.starts[stage],
        )
