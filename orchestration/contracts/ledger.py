"""What windows, submissions and the command line ask of the ledger. Every call is one transaction."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from enum import StrEnum
from typing import Protocol

from pydantic import Field

from orchestration.contracts.copying import CopyingLedger
from orchestration.contracts.gates import GateLedger, PdfTaskLedger
from orchestration.contracts.sources import SourceRequest
from orchestration.contracts.stores import Commit, CommitLog
from orchestration.contracts.syncs import Sync, SyncKey
from orchestration.records import (
    DocumentKey,
    Locator,
    Record,
    SourceItem,
    StageContext,
)


class WindowDocument(Record):
    """One leased document of a window."""

    ctx: StageContext = Field(description="Context of the document in this job.")
    source_plugin: str = Field(description="Source plugin that fetches it.")
    locator: Locator = Field(description="Where its bytes are.")


class Window(Record):
    """The documents of one Dagster run."""

    window_id: str = Field(description="Also the owner of the leases.")
    job_id: str = Field(description="Submission the documents came in with.")
    pipeline_name: str = Field(description="Topology.")
    pipeline_version: str = Field(description="Version of that topology.")
    documents: tuple[WindowDocument, ...] = Field(description="Leased documents.")


class Failure(Record):
    """A document that a stage gave up on; becomes a dead letter."""

    ctx: StageContext = Field(description="The document.")
    stage: str = Field(description="Stage that failed.")
    code: str = Field(description="Error code.")
    message: str = Field(description="What went wrong and what to do.")
    attempts: int = Field(ge=0, description="Attempts made, the first included.")
    fatal: bool = Field(
        default=True, description="False for an optional stage: the document goes on and commits without it."
    )


class StageReport(Record):
    """What one stage did for one window."""

    job_id: str = Field(description="Submission.")
    window_id: str = Field(description="Window.")
    stage: str = Field(description="Stage name.")
    documents_in: int = Field(ge=0, description="Documents handed to the stage.")
    documents_out: int = Field(ge=0, description="Documents it passed on.")
    failed: int = Field(ge=0, description="Documents it dead-lettered.")
    retried: int = Field(ge=0, description="Repeated item attempts.")
    items_out: int = Field(ge=0, description="Chunks, vectors or documents it produced.")
    started_at: float = Field(ge=0, description="When it began, seconds since the epoch.")
    seconds: float = Field(ge=0, description="Wall seconds.")
    cpu_seconds: float = Field(ge=0, description="CPU seconds of the worker, its children and the plane.")
    model_cpu_seconds: float = Field(default=0, ge=0, description="Those of them inside the models.")


class WindowLedger(Protocol):
    """What a window run needs of the ledger. Every call is one transaction."""

    def window(self, window_id: str, owner: str) -> Window:
        """Lease the window's unfinished documents to `owner` (a process identity) and return them.

        In input order. Documents that finished, that another live owner holds, or that a later window
        claimed are left out: a re-executed run works on what is still its own, which may be nothing.
        """
        ...

    def renew(self, window_id: str, owner: str) -> None:
        """Push the lease's end, and take again what expired and nobody else took.

        Raises LeaseLostError when nothing of the window is `owner`'s any more and not all of it is finished.
        """
        ...

    def fetched(self, contexts: Sequence[StageContext]) -> list[StageContext]:
        """Record versions set by ingest; returns the contexts that still need work.

        The others are unchanged since their commit and become skipped, or are another run's by now.
        """
        ...

    def advance(
        self,
        window_id: str,
        stage: str,
        survivors: Sequence[StageContext],
        failures: Sequence[Failure],
        retries: Mapping[str, int],
    ) -> None:
        """Record a stage's outcome for a batch: current_stage, dead letters, retries by doc_id.

        Documents that the window no longer has are left alone: no dead letter for another run's document.
        """
        ...

    def finish(self, window_id: str, owner: str, committed: Sequence[Commit]) -> list[Commit]:
        """Commit the window's documents: visibility and status in one transaction; returns what they
        superseded. Documents that `owner` no longer holds are left to whoever does; LeaseLostError when
        that is all of them."""
        ...

    def release(self, window_id: str, reason: str) -> int:
        """Hand the documents a window holds back to queued; returns how many. Idempotent.

        Counts as handed back, begun or not. They keep the window's id until a later window claims them.
        """
        ...

    def report(self, report: StageReport) -> None: ...


# --- submissions, as the command line and the sensors see them --------------------------------------


class JobState(StrEnum):
    """Where a submission stands."""

    ENUMERATING = "enumerating"
    """Its source is still being listed; windows may already be claimed."""
    OPEN = "open"
    """Everything is listed; documents are queued or being worked on."""
    WAITING = "waiting"
    """What is left waits at a gate; it is open again when that opens."""
    STALLED = "stalled"
    """What is left was handed back too often to be tried again by itself."""
    DONE = "done"
    CANCELLED = "cancelled"
    """The user stopped it; its unfinished documents stay queued for a later run."""


class Submission(Record):
    """One request of a user: which documents, through which topology."""

    job_id: str = Field(description="Unique.")
    tenant_id: str = Field(description="Tenant.")
    pipeline_name: str = Field(description="Topology.")
    pipeline_version: str = Field(description="Version of that topology.")
    topology_hash: str = Field(description="Hash of the topology's content.")
    request: SourceRequest = Field(description="What was asked of which source.")
    window_size: int = Field(ge=1, description="At most so many documents in one run.")
    attended: bool = Field(
        description="A foreground run launches its windows; else the submission sensor does."
    )
    lister: str = Field(default="", description="Identity of the process that lists the source.")


class DocumentCounts(Record):
    """The account of a job: `total` is the sum of all others, or the run ends with an error."""

    total: int = Field(default=0, ge=0, description="Documents the source enumerated.")
    committed: int = Field(default=0, ge=0, description="Visible to search.")
    failed: int = Field(default=0, ge=0, description="Dead-lettered.")
    skipped: int = Field(default=0, ge=0, description="Unchanged since their commit, or repeats.")
    waiting: int = Field(default=0, ge=0, description="Held by a gate.")
    pending: int = Field(default=0, ge=0, description="Queued, in work or handed back.")

    @property
    def accounted(self) -> int:
        return self.committed + self.failed + self.skipped + self.waiting + self.pending


class JobSummary(Record):
    """Where a job stands, from the ledger alone."""

    submission: Submission = Field(description="What was asked.")
    state: JobState = Field(description="Where it stands.")
    documents: DocumentCounts = Field(description="The account.")
    chunks: int = Field(ge=0, description="Chunks of the documents it committed.")
    failures: tuple[Failure, ...] = Field(description="Every dead letter, in input order.")
    stages: tuple[StageReport, ...] = Field(description="One report a window and stage, oldest first.")
    run_ids: tuple[str, ...] = Field(description="Windows (= Dagster runs) that worked for it, oldest first.")


class LedgerDocument(Record):
    """One row of the ledger for a reader."""

    key: DocumentKey = Field(description="The document.")
    pipeline_name: str = Field(description="Topology.")
    status: str = Field(description="queued, running, committed, failed, waiting or deleted.")
    current_stage: str | None = Field(description="Last stage that was finished, or that failed.")
    version: str | None = Field(description="Content hash, once known.")
    fingerprint: str | None = Field(description="Of the last attempt.")
    error_code: str | None = Field(description="Of the last failure.")
    error_message: str | None = Field(description="The same for a person.")
    retry_count_per_stage: dict[str, int] = Field(description="Repeated attempts by stage.")
    missing_stages: tuple[str, ...] = Field(
        default=(), description="Optional stages that failed, so that it was committed without them."
    )
    job_id: str = Field(description="Job that touched it last.")
    correlation_id: str = Field(description="Of that job.")
    updated_at: str = Field(description="ISO 8601, UTC.")


class DeadLetter(Record):
    """An input that failed for good, kept with its reason and the way back to its bytes."""

    id: int = Field(description="Number for `medkg dlq show` and `replay`.")
    failure: Failure = Field(description="Stage, code, message, attempts.")
    source_plugin: str = Field(description="Source plugin that fetches it.")
    locator: Locator = Field(description="Where its bytes are.")
    created_at: str = Field(description="ISO 8601, UTC.")
    replayed_in: str | None = Field(description="Job that tried it again, if any.")


class SyncLedger(Protocol):
    """What the syncing of a source asks of the ledger. Every call is one transaction."""

    def sync(self, key: SyncKey) -> Sync:
        """Where that listing stands; a new one if it is not known."""
        ...

    def save_sync(self, key: SyncKey, sync: Sync) -> None:
        """Remember where it stands, replacing what was known. Durable when it returns."""
        ...

    def syncs(self, tenant_id: str) -> list[tuple[SyncKey, Sync]]:
        """Every listing that is remembered of a tenant, the last begun first."""
        ...

    def unfinished(self, submission: Submission) -> list[SourceItem]:
        """Documents that earlier jobs of the same request listed and that are not done, oldest first.

        Not those that a gate holds, and not those that failed.
        """
        ...


class JobLedger(CommitLog, WindowLedger, GateLedger, PdfTaskLedger, SyncLedger, CopyingLedger, Protocol):
    """The whole ledger: submissions, documents and dead letters beside windows and commits."""

    def open_job(self, submission: Submission) -> None: ...

    def enqueue(
        self, job_id: str, items: Sequence[SourceItem], fingerprint: Callable[[SourceItem], str]
    ) -> DocumentCounts:
        """Give each item its place in the job, in one transaction; returns what became of these items.

        Same version and fingerprint committed: skipped. Second item of an id in this job: skipped when its
        content is the same, else failed (DuplicateDocumentError); the first stands. An item with an error:
        failed. In work for another job: attached, this job counts its outcome too. Everything else: queued.
        """
        ...

    def set_job_state(self, job_id: str, state: JobState) -> None: ...

    def jobs(
        self, tenant_id: str | None, states: Sequence[JobState] | None, limit: int | None = None
    ) -> list[JobSummary]:
        """Newest first; failures, stages and windows left empty."""
        ...

    def account(self, job_id: str) -> JobSummary:
        """As `summary`, with failures, stages and windows left empty; its cost doesn't grow with windows."""
        ...

    def summary(self, job_id: str) -> JobSummary:
        """Where a job stands; UsageError for an unknown one.

        Its failures are all dead letters it counts, also those of another job's run for both.
        """
        ...

    def settle(self, job_id: str) -> JobState:
        """Move a listed job on, and return its state: done when nothing is left, waiting when all that is
        left waits at a gate, stalled when nothing pending may be claimed for it any more."""
        ...

    def claim_window(
        self, job_id: str, limit: int, holder: str | None = None, *, resumed: bool = False
    ) -> str | None:
        """Hold up to `limit` queued documents of a job under a new window id (a UUID, also the Dagster
        run's); None when there are none. Documents handed back three times in this job are left alone;
        those that no window had yet come first. The hold expires like a lease if no run takes it, and ends
        with the process `holder`, if that is the one to launch the run. `resumed`: of documents that passed
        a gate, else of those that did not."""
        ...

    def turns(self) -> dict[str, tuple[int, int]]:
        """By tenant: windows that are held or leased, and the number of its last claim (they count up).

        The smaller, the sooner it is the tenant's turn; one that is not named has had none lately.
        """
        ...

    def hold(self, window_ids: Sequence[str]) -> None:
        """Push the end of holds whose runs have not begun: those that wait for a worker for long."""
        ...

    def reclaim(self, is_alive: Callable[[str], bool]) -> int:
        """Queue again what expired leases, or owners and holders that are not alive any more, had; how many.

        What a run had begun counts as handed back, so that a document that kills its worker ends.
        """
        ...

    def job_of_window(self, window_id: str) -> str | None: ...

    def find_documents(
        self,
        tenant_id: str,
        doc_id: str | None = None,
        source: str | None = None,
        status: str | None = None,
        limit: int | None = None,
    ) -> list[LedgerDocument]:
        """Newest change first; deleted documents only when asked for by status."""
        ...

    def delete_document(self, key: DocumentKey) -> int:
        """Mark a document deleted in every pipeline and withdraw its commit, in one transaction; rows."""
        ...

    def erase(self, keys: Sequence[DocumentKey]) -> None:
        """Forget that these documents ever were, in one transaction; sums of jobs stay. Idempotent.

        Call it when no store holds them any more.
        """
        ...

    def expunge(self) -> None:
        """Have removed rows leave the database's files. Idempotent; takes as long as rewriting them."""
        ...

    def dead_letters(
        self, tenant_id: str, job_id: str | None = None, unreplayed: bool = True
    ) -> list[DeadLetter]:
        """Newest first. A letter counts as replayed as soon as any job tries its document again."""
        ...

    def replay(
        self,
        ids: Sequence[int],
        submission: Submission,
        fingerprint: Callable[[SourceItem], str],
    ) -> int:
        """Open a job with the documents of these dead letters, queued again; how many documents.

        They are fetched anew, and worked on even when unchanged since a commit (that lacks an optional
        stage). UsageError for a number that does not wait for replay.
        """
        ...

    def requeue(self, key: DocumentKey) -> int:
        """Withdraw a document and make it due again, because a store lost it; its rows."""
        ...

    def status_counts(self, tenant_id: str) -> dict[str, int]:
        """Documents by status, for `medkg status`."""
        ...
