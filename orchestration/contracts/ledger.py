"""The ledger as its readers and writers see it: one small protocol whose parts hold one topic each.

A consumer takes the part that it needs (`WindowLedger`), or the whole `Ledger` when it needs several.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple, Protocol

from orchestration.contracts.aliases import GraphAliases
from orchestration.contracts.commits import Commit, CommitLog
from orchestration.contracts.copying import CopyLedger
from orchestration.contracts.gates import GateLedger, PdfTaskLedger
from orchestration.contracts.graph import GraphStore
from orchestration.contracts.graph_snapshot import GraphSnapshots
from orchestration.contracts.jobs import (
    DeadLetter,
    DocumentCounts,
    JobState,
    JobSummary,
    LedgerDocument,
    Phase,
    Submission,
    Window,
)
from orchestration.contracts.monitoring import MonitoringLedger
from orchestration.contracts.outbox import OutboxLedger
from orchestration.contracts.outcomes import OutcomeLedger
from orchestration.contracts.places import PlaceLedger
from orchestration.contracts.projection import GraphFeed
from orchestration.contracts.retention import RetentionLedger
from orchestration.contracts.syncs import SyncLedger
from orchestration.records import DocumentKey, Fingerprints, SourceItem


class JobLedger(Protocol):
    """Jobs: what users submitted, the items that their sources enumerated, and their accounts."""

    def open(self, submission: Submission) -> None:
        """Record a job without documents, in state `enumerating`."""
        ...

    def enqueue(
        self, job_id: str, items: Sequence[SourceItem], fingerprints: Callable[[SourceItem], Fingerprints]
    ) -> DocumentCounts:
        """Add items to the job and return the counts of these items by outcome.

        Committed with the same version and fingerprints: skipped. Older than the revision that is committed:
        skipped as superseded. A second item of an id in this job: skipped when its content is the same;
        else the newer revision stands, the later one where the records do not state it, and the other one is
        skipped as superseded; in formats without revisions it fails (DuplicateDocumentError) and the first
        stands. An item that announces a deletion: skipped as deleted; an older item of the job is superseded
        by it, and a committed document is marked and stays. An item with an error: failed. In work for
        another job: attached, so that this job counts its outcome too. Everything else: queued. Raises
        UsageError for an unknown job.
        """
        ...

    def set_state(self, job_id: str, state: JobState) -> None:
        """Record the state of a job; a cancelled one stays so. Raises UsageError for an unknown one."""
        ...

    def note_removed(self, job_id: str, removed: int) -> None:
        """Add to the number of documents that the job, a mirror, removed."""
        ...

    def cancel(self, job_id: str) -> None:
        """Stop a job; its unfinished documents stay queued for a later run.

        A job without unfinished documents is done and stays so: its last run may end after its last commit.
        Raises UsageError for an unknown one.
        """
        ...

    def settle(self, job_id: str) -> JobState:
        """Update the state of an enumerated job from its documents, and return it.

        Done when no document is left; waiting when every document that is left waits at a gate; stalled when
        no pending document may be claimed for this job any more.
        """
        ...

    def find(
        self, tenant_id: str | None, states: Sequence[JobState] | None, limit: int | None = None
    ) -> list[JobSummary]:
        """Jobs, the newest first; failures, stages and windows are left empty."""
        ...

    def beginning_with(self, tenant_id: str, beginning: str) -> list[str]:
        """Ids of the tenant's jobs that begin with exactly these characters, the newest job first."""
        ...

    def account(self, job_id: str) -> JobSummary:
        """Return a summary without failures, stages and windows; its cost does not grow with windows.

        Raises UsageError for an unknown job.
        """
        ...

    def summary(self, job_id: str) -> JobSummary:
        """Return state, account and failures of a job. Raises UsageError for an unknown one.

        Its failures are all dead letters that it counts, also those of a run that worked for another job.
        """
        ...


class TenantLoad(NamedTuple):
    """What a tenant has in work, in the order in which the round robin compares it."""

    windows_in_work: int
    """Windows that are reserved or leased."""
    last_claim: int
    """Number of its last claim; claims are numbered upwards."""


class WindowLedger(Protocol):
    """Windows: reserved when they are claimed, leased while a run works on them.

    A reservation has no owner; it ends after the length of a lease unless it is extended, or with the process
    that reserved it. A lease has an owner, a process identity.
    """

    def claim(
        self, job_id: str, limit: int, reserved_by: str | None = None, phase: Phase = Phase.FIRST
    ) -> str | None:
        """Reserve up to `limit` queued documents of a job under a new window id (a UUID, which is also the
        id of the Dagster run); None when there is no such document.

        Documents that were handed back three times in this job are left alone; those that no window had yet
        come first, each kind in input order. `reserved_by` is the process that will launch the run, when no
        other can; the reservation ends with it. `phase` selects new documents, or those that passed a gate.
        """
        ...

    def tenant_loads(self) -> dict[str, TenantLoad]:
        """Return the load by tenant; a tenant that claimed nothing lately and has nothing in work is left
        out. The smallest load is the next one in the round robin."""
        ...

    def extend_reservations(self, window_ids: Sequence[str]) -> None:
        """Extend the reservations of windows whose runs have not started, e.g. while they wait for a worker.

        Reservations that expired and windows whose run has started are left alone.
        """
        ...

    def lease(self, window_id: str, owner: str) -> Window:
        """Lease the unfinished documents of the window to `owner` and return them in input order.

        Documents that finished, that another live owner leases, or that a later window claimed are left out:
        a re-executed run works on what no other run has, which may be nothing. Raises UsageError for an
        unknown window.
        """
        ...

    def renew(self, window_id: str, owner: str) -> None:
        """Extend the lease, and lease again what expired and no other run took.

        Raises LeaseLostError when `owner` leases nothing of the window and not all of it is finished.
        """
        ...

    def release(self, window_id: str, reason: str) -> int:
        """Return the unfinished documents of the window to the queue; returns their number. Idempotent.

        Each counts as handed back, whether its run had started or not. They keep the id of the window until
        a later window claims them.
        """
        ...

    def reclaim(self, is_alive: Callable[[str], bool]) -> int:
        """Queue again what expired, or what processes hold that are not alive any more; returns the number
        of documents.

        Documents of started runs count as handed back, so that a document that kills its worker is tried a
        bounded number of times.
        """
        ...

    def in_work(self, job_id: str) -> list[str]:
        """Return the windows of a job that are reserved or leased, oldest first."""
        ...

    def job_of(self, window_id: str) -> str | None:
        """Return the id of the job that the window was claimed for; None for an unknown window."""
        ...

    def phase_of(self, window_id: str) -> Phase:
        """Return the phase of the topology that the window runs; the first for an unknown window."""
        ...


class DocumentLedger(Protocol):
    """Documents: where each stands, and removing them."""

    def find(
        self,
        tenant_id: str,
        doc_id: str | None = None,
        source: str | None = None,
        status: str | None = None,
        limit: int | None = None,
        pipeline: str | None = None,
        origin: str | None = None,
    ) -> list[LedgerDocument]:
        """Documents, the last changed first, one row per pipeline; deleted ones only with `status="deleted"`.

        A failure whose next step is another pipeline (MEDKG-206) is left out once one commits this version.
        `origin` is a place, or a folder with places beneath it.
        """
        ...

    def status_counts(self, tenant_id: str) -> dict[str, int]:
        """Return the number of documents by status, as `find` without a status counts them."""
        ...

    def outstanding(self, tenant_id: str) -> dict[str, int]:
        """Return the number of committed documents that lack an optional stage, by stage."""
        ...

    def delete(self, keys: Sequence[DocumentKey]) -> list[Commit]:
        """Mark documents deleted in every pipeline and withdraw their commits, in one transaction; returns
        these commits, whose entries are to be removed from the stores.

        A run that works on one of them loses its lease, so it cannot commit the document again. Their dead
        letters stay in the account of their jobs, but wait for replay no longer. Idempotent.
        """
        ...

    def requeue(self, keys: Sequence[DocumentKey]) -> list[Commit]:
        """Queue committed documents again because a store lost them, and withdraw their commits; returns
        these commits. They are worked on when a job enumerates them again."""
        ...

    def queue_again(self, keys: Sequence[DocumentKey]) -> None:
        """Queue committed documents again; what readers see of them stays.

        They are worked on when a job enumerates them again, even if they are unchanged. Idempotent.
        """
        ...

    def erase(self, keys: Sequence[DocumentKey]) -> None:
        """Remove every record of these documents, in one transaction; the sums of jobs stay. Idempotent.

        Call it when no store holds them any more. Caches of the commit log then read everything again.
        """
        ...

    def expunge(self) -> None:
        """Remove deleted rows from the files of the database. Idempotent; takes as long as rewriting them."""
        ...


class DeadLetterLedger(Protocol):
    """Dead letters: inputs that failed for good, and trying them again.

    A dead letter waits for replay until any job tries its document again, or the document is deleted. One
    whose next step is another pipeline (MEDKG-206) does not wait while a commit by one is visible.
    """

    def find(self, tenant_id: str, job_id: str | None = None, only_waiting: bool = True) -> list[DeadLetter]:
        """Dead letters, the newest first: those that wait for replay, or all; with `job_id` those that this
        job counts."""
        ...

    def waiting(self, tenant_id: str, ids: Sequence[int] | None = None) -> list[DeadLetter]:
        """Dead letters that wait for replay (of these numbers, or all), the oldest first.

        Raises UsageError for a number that does not wait for replay.
        """
        ...

    def counts_since(self, tenant_id: str, moment: float) -> dict[tuple[str, str], int]:
        """Number of dead letters by (stage, code) since a moment; of the newest 10,000."""
        ...

    def replay(
        self,
        ids: Sequence[int],
        submission: Submission,
        fingerprints: Callable[[SourceItem], Fingerprints],
    ) -> int:
        """Open a job and queue the documents of these dead letters in it; returns their number.

        They are fetched again, and worked on even when they are unchanged since a commit. What an optional
        stage failed on is worked on in that branch alone, where the commit lacks it. Raises UsageError, and
        opens no job, for a number that does not wait for replay.
        """
        ...


class Ledger(Protocol):
    """The record of where each document stands: one database, one part per topic.

    Guarantees. Atomic: every call is one transaction; one that raises has changed nothing. Durable: what a
    call wrote survives a power failure once it returns. Isolated: any number of threads and processes may
    call at the same time; a document is leased to one owner at a time. Idempotent where the method says so;
    repeating any other call is safe unless it opens or adds something. Errors: UsageError for unknown ids,
    LeaseLostError for writes of a run that lost its documents, and StoreUnwritableError, StoreCorruptError
    or DagsterResourceUnavailableError when the database cannot be used.
    """

    @property
    def jobs(self) -> JobLedger: ...
    @property
    def windows(self) -> WindowLedger: ...
    @property
    def outcomes(self) -> OutcomeLedger: ...
    @property
    def documents(self) -> DocumentLedger: ...
    @property
    def dead_letters(self) -> DeadLetterLedger: ...
    @property
    def gates(self) -> GateLedger: ...
    @property
    def pdf_tasks(self) -> PdfTaskLedger: ...
    @property
    def syncs(self) -> SyncLedger: ...
    @property
    def retention(self) -> RetentionLedger: ...
    @property
    def places(self) -> PlaceLedger: ...
    @property
    def commits(self) -> CommitLog: ...
    @property
    def monitoring(self) -> MonitoringLedger: ...
    @property
    def copies(self) -> CopyLedger: ...
    @property
    def graph(self) -> GraphStore: ...
    @property
    def graph_feed(self) -> GraphFeed: ...
    @property
    def aliases(self) -> GraphAliases: ...
    @property
    def outbox(self) -> OutboxLedger: ...

    @property
    def graph_snapshots(self) -> GraphSnapshots: ...
