"""From a user's request to windows: what is asked becomes a job, its documents rows, its rows windows.

Comes in: a topology's name and a SourceRequest. Leaves: a job in the ledger and, one by one, the ids of
windows that are reserved for a Dagster run. `medkg run`, `medkg submit`, the submission sensor and a launch
from the Dagster UI all use this module, so a job is the same whatever started it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from functools import cache
from typing import Final, Protocol, TypeVar, cast
from uuid import uuid4

import structlog
from structlog.contextvars import bound_contextvars

from orchestration.batching import batched
from orchestration.contracts import (
    DocumentCounts,
    JobState,
    JobSummary,
    Ledger,
    ListedSource,
    Phase,
    Source,
    SourceRequest,
    Submission,
    TenantLoad,
)
from orchestration.errors import UsageError
from orchestration.jobs.mirroring import MirrorPlan, check_mirror, forget_moved, plan_mirror
from orchestration.jobs.syncing import listed_batches
from orchestration.processes.child_process import own_identity
from orchestration.records import Fingerprints, SourceItem
from orchestration.tracing import continued, traceparent

__all__ = [
    "BOTH_PHASES",
    "FIRST_PHASE",
    "Submissions",
    "Topology",
    "installed_source",
    "window_limit",
]

T = TypeVar("T")

ENQUEUE_BATCH: Final = 500
"""Documents per ledger transaction while a source is enumerated."""

SMALLEST_WINDOW: Final = 50
"""Below this a run's fixed cost (about half a CPU second) outweighs what overlap saves."""

ENUMERATE: Final = "enumerate"
"""Stage of log lines that are written while a source enumerates its documents."""

NO_LOAD: Final = TenantLoad(0, 0)

FIRST_PHASE: Final = (Phase.FIRST,)
BOTH_PHASES: Final = (Phase.SECOND, Phase.FIRST)
"""Phases to claim windows of: documents that passed a gate come first, since they are nearest to search."""

WINDOWS_PER_WORKER: Final = 3
"""Windows each worker should get of a small job, so that parsing overlaps with embedding."""


class Topology(Protocol):
    """What a submission needs to know of a topology."""

    @property
    def name(self) -> str: ...
    @property
    def version(self) -> str: ...
    @property
    def content_hash(self) -> str: ...


class Submissions:
    """Opens jobs, lists their sources into the ledger, and cuts windows."""

    def __init__(
        self,
        ledger: Ledger,
        sources: Mapping[str, Source],
        fingerprints: Callable[[Topology, str], Fingerprints],
        window_workers: int,
    ) -> None:
        self._ledger = ledger
        self._sources = sources
        self._fingerprints = fingerprints
        self._window_workers = window_workers

    @property
    def sources(self) -> Collection[str]:
        """Names of the installed sources."""
        return self._sources.keys()

    def open(
        self,
        topology: Topology,
        request: SourceRequest,
        *,
        tenant_id: str,
        window_size: int,
        attended: bool,
    ) -> Submission:
        """A new job without documents; raises UsageError if its source is not installed or refuses it."""
        source = installed_source(self._sources, request.plugin)
        check_mirror(request, source)
        check = getattr(source, "check", None)
        if check is not None:
            check(request)
        submission = _submission(topology, request, tenant_id, window_size, attended=attended)
        self._ledger.jobs.open(submission)
        return submission

    def enqueue(self, submission: Submission, topology: Topology) -> Iterator[DocumentCounts]:
        """List the source into the ledger; yields what became of each batch of documents.

        Each batch is durable when it is yielded. The job is open for `settle` once the last one is.
        """
        try:
            ids = {"stage": ENUMERATE, "tenant": submission.tenant_id, "job": submission.job_id}
            fingerprints = self._fingerprints_of_items(topology)
            for batch in _with_ids(self._listed(submission, topology), ids):
                _log_deletions(batch)
                yield self._ledger.jobs.enqueue(submission.job_id, batch, fingerprints)
        except GeneratorExit:  # the consumer stopped; `end_abandoned` settles the job
            raise
        except BaseException:  # no such path, or Ctrl-C: the job will never get more documents
            self._ledger.jobs.cancel(submission.job_id)
            raise
        forget_moved(self._ledger, submission, installed_source(self._sources, submission.request.plugin))
        self._ledger.jobs.set_state(submission.job_id, JobState.OPEN)

    def mirror_plan(self, submission: Submission) -> MirrorPlan:
        """What an enumerated mirror is to remove; see plan_mirror."""
        source = installed_source(self._sources, submission.request.plugin)
        return plan_mirror(self._ledger, submission, source)

    def _listed(self, submission: Submission, topology: Topology) -> Iterator[Sequence[SourceItem]]:
        """Batches of what the request means; of a source that lists page by page, its listing."""
        source = installed_source(self._sources, submission.request.plugin)
        if not hasattr(source, "listing"):
            yield from batched(source.enumerate(submission.request), ENQUEUE_BATCH)
            return
        listed = cast(ListedSource, source)
        now = self._fingerprints(topology, listed.format)
        shape = now.index if now.graph is None else f"{now.index}/{now.graph}"
        yield from listed_batches(self._ledger.syncs, listed, submission, shape)

    def end_abandoned(self, is_alive: Callable[[str], bool]) -> list[str]:
        """Settle the jobs of processes that have died; returns those that were still being listed.

        What a `submit` had listed is run. What a foreground run had listed waits for its user, who repeats
        the command; so does the rest of the source in both cases. A foreground run's job that others have
        brought to its end meanwhile is done.
        """
        listings = []
        for summary in self._ledger.jobs.find(None, [JobState.ENUMERATING, JobState.OPEN, JobState.WAITING]):
            submission = summary.submission
            if is_alive(submission.lister):
                continue
            if summary.state is JobState.ENUMERATING:
                state = JobState.CANCELLED if submission.attended else JobState.OPEN
                self._ledger.jobs.set_state(submission.job_id, state)
                listings.append(submission.job_id)
            elif submission.attended:
                self._ledger.jobs.settle(submission.job_id)
        return listings

    def replay(
        self, ids: Sequence[int], topology: Topology, *, tenant_id: str, window_size: int
    ) -> Submission:
        """An attended job with the documents of these dead letters, queued again."""
        request = SourceRequest(plugin="dead-letters")
        submission = _submission(topology, request, tenant_id, window_size, attended=True)
        self._ledger.dead_letters.replay(ids, submission, self._fingerprints_of_items(topology))
        return submission

    def _fingerprints_of_items(self, topology: Topology) -> Callable[[SourceItem], Fingerprints]:
        """The fingerprints of an item, computed once per format: that reads folders and models."""
        of_format = cache(lambda document_format: self._fingerprints(topology, document_format))
        return lambda item: of_format(item.locator.format)

    def claim(
        self, job_id: str, reserved_by: str | None = None, phases: Sequence[Phase] = FIRST_PHASE
    ) -> str | None:
        """Reserve the next window of the job for a run; None when no document can be claimed now.

        `reserved_by` is the process that will launch the run, when no other can. The window is of the first
        of `phases` that has documents.
        """
        summary = self._ledger.jobs.summary(job_id)
        for phase in phases:
            limit = (
                summary.submission.window_size
                if phase is Phase.SECOND
                else window_limit(summary, self._window_workers)
            )
            with continued(summary.submission.traceparent):
                window_id = self._ledger.windows.claim(job_id, limit, reserved_by, phase) if limit else None
            if window_id is not None:
                return window_id
        return None

    def claims(
        self,
        jobs: Iterable[Submission],
        reserved_by: str | None = None,
        phases: Sequence[Phase] = FIRST_PHASE,
    ) -> Iterator[tuple[Submission, str]]:
        """Reserve windows of these jobs (oldest first), one by one, until no job has documents to claim.

        Each is of the tenant with the fewest windows in work, and of those of the one whose last claim is
        longest ago; of its oldest job that has any. So between two claims of a tenant, every other one with
        due work gets a claim, or has more in work than it.
        """
        due = list(jobs)
        while due:
            loads = self._ledger.windows.tenant_loads()
            due.sort(key=lambda submission: loads.get(submission.tenant_id, NO_LOAD))
            while due and (window_id := self.claim(due[0].job_id, reserved_by, phases)) is None:
                del due[0]
            if due and window_id is not None:
                yield due[0], window_id


def installed_source(sources: Mapping[str, Source], name: str) -> Source:
    """The source of that name; raises UsageError listing those there are."""
    try:
        return sources[name]
    except KeyError:
        raise UsageError(
            f"--source {name!r} is not installed; installed: {', '.join(sorted(sources))}."
        ) from None


def _submission(
    topology: Topology, request: SourceRequest, tenant_id: str, window_size: int, *, attended: bool
) -> Submission:
    return Submission(
        job_id=str(uuid4()),
        tenant_id=tenant_id,
        pipeline_name=topology.name,
        pipeline_version=topology.version,
        topology_hash=topology.content_hash,
        request=request,
        window_size=window_size,
        attended=attended,
        lister=own_identity(),
        traceparent=traceparent(),
    )


def window_limit(summary: JobSummary, workers: int) -> int:
    """How many documents the next window should take; 0 while a source is still filling one.

    A large job gets full windows; a small one is cut so that every worker gets several, which lets
    parsing and indexing of one overlap with embedding of another.
    """
    most = summary.submission.window_size
    if summary.state is JobState.ENUMERATING:
        return most if summary.documents.pending >= most * (workers + 1) else 0
    share = math.ceil(summary.documents.total / (workers * WINDOWS_PER_WORKER))
    return min(most, max(SMALLEST_WINDOW, share))


def _with_ids(items: Iterator[T], ids: Mapping[str, str]) -> Iterator[T]:
    """The same items; log lines that their making writes have these ids."""
    while True:
        with bound_contextvars(**ids):
            try:
                item = next(items)
            except StopIteration:
                return
        yield item


def _log_deletions(items: Iterable[SourceItem]) -> None:
    for item in items:
        if item.deleted:
            structlog.get_logger(__name__).warning(
                "the source announces that it deleted a document", document=item.doc_id, uri=item.locator.uri
            )
