"""Records of jobs: what a user submitted, the windows of its runs, its failures and its account."""

from __future__ import annotations

from enum import StrEnum

from pydantic import Field

from orchestration.contracts.sources import SourceRequest
from orchestration.records import DocumentKey, Locator, Record, StageContext


class Phase(StrEnum):
    """Which part of its topology a document, or the run of a window, is in."""

    FIRST = "first"
    """From the source up to the gate, or to the end of a topology without a gate."""
    SECOND = "second"
    """From the gate, which the document has passed, to the end."""


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
