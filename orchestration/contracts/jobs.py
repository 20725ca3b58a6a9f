"""Records of jobs: what a user submitted, the windows of its runs, its failures and its account."""

from __future__ import annotations

from enum import StrEnum
from typing import Final

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
    source_plugin: str = Field(description="Source plugin that fetches it, e.g. files.")
    locator: Locator = Field(description="Where its bytes are.")


class Window(Record):
    """The documents of one Dagster run."""

    window_id: str = Field(
        description="UUID; the id of the Dagster run, and of the last window of each of its documents."
    )
    job_id: str = Field(description="Job that the window was claimed for.")
    pipeline_name: str = Field(description="Topology.")
    pipeline_version: str = Field(description="Version of that topology.")
    documents: tuple[WindowDocument, ...] = Field(description="Leased documents.")


class Failure(Record):
    """A document that failed in a stage; becomes a dead letter."""

    ctx: StageContext = Field(description="The document.")
    stage: str = Field(description="Stage that failed.")
    code: str = Field(description="Error code.")
    message: str = Field(description="Cause and next step.")
    attempts: int = Field(ge=0, description="Attempts made, the first included.")
    fatal: bool = Field(
        default=True,
        description="False for an optional stage: the document continues and commits without it.",
    )


class GpuUse(Record):
    """How busy one GPU was while a stage ran."""

    index: int = Field(ge=0, description="NVML's number, in PCI order.")
    uuid: str = Field(description="Identifies the device across reboots.")
    name: str = Field(description="Product.")
    mean_percent: float = Field(
        ge=0, le=100, description="Mean utilisation: percent of the time with a kernel running."
    )
    peak_percent: float = Field(ge=0, le=100, description="Highest sample.")
    used_gib: float = Field(ge=0, description="Memory in use at the end, GiB, of all processes.")


class StageReport(Record):
    """Counts and times of one stage for one window."""

    job_id: str = Field(description="Submission.")
    window_id: str = Field(description="Window.")
    stage: str = Field(description="Stage name.")
    documents_in: int = Field(ge=0, description="Documents that the stage received.")
    documents_out: int = Field(ge=0, description="Documents it passed on.")
    reused: int = Field(default=0, ge=0, description="Of these, documents with the result of an earlier run.")
    failed: int = Field(ge=0, description="Documents it dead-lettered.")
    retried: int = Field(ge=0, description="Repeated item attempts.")
    items_out: int = Field(ge=0, description="Chunks, vectors, mentions, claims or documents it produced.")
    mentions: int = Field(default=0, ge=0, description="Of these, mentions.")
    claims: int = Field(default=0, ge=0, description="Of these, claims.")
    dropped: dict[str, int] = Field(
        default_factory=dict,
        description="Mentions and claims that are not grounded in their text, or not allowed, by reason.",
    )
    started_at: float = Field(ge=0, description="Start, seconds since the epoch.")
    seconds: float = Field(ge=0, description="Wall seconds.")
    cpu_seconds: float = Field(ge=0, description="CPU seconds of the worker, its children and the plane.")
    model_cpu_seconds: float = Field(default=0, ge=0, description="Those of them inside the models.")
    attempts: int = Field(
        default=1, ge=0, description="Most attempts that one of its documents took, the first included."
    )
    models: dict[str, str] = Field(
        default_factory=dict, description="Id of each model that shaped its results, by leg or extractor."
    )
    gpus: tuple[GpuUse, ...] = Field(
        default=(), description="GPUs of this machine, for a stage that computes with models on them."
    )


STAGE_COUNTS: Final = (
    "documents_in",
    "documents_out",
    "reused",
    "failed",
    "retried",
    "items_out",
    "mentions",
    "claims",
)
"""Fields of stage reports that are numbers, and that can be summed over windows."""


class JobState(StrEnum):
    """State of a job."""

    ENUMERATING = "enumerating"
    """Its source is still being enumerated; windows may already be claimed."""
    OPEN = "open"
    """The source is enumerated; documents are queued or running."""
    WAITING = "waiting"
    """Every unfinished document waits at a gate; the job is open again when the gate opens."""
    STALLED = "stalled"
    """Every unfinished document was handed back three times; none is claimed again without a new job."""
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
    request: SourceRequest = Field(description="Source, and what to enumerate of it.")
    window_size: int = Field(ge=1, description="Maximum number of documents per run.")
    attended: bool = Field(
        description="True: a foreground run launches its windows; false: the submission sensor."
    )
    lister: str = Field(default="", description="Identity of the process that enumerates the source.")
    traceparent: str = Field(
        default="", description="W3C trace context of the request; its windows go on in it."
    )


class DocumentCounts(Record):
    """The account of a job: `total` equals the sum of the others, else the run ends with an error.

    `superseded` and `deleted` are parts of `skipped`. `due_for_index` and `due_for_graph` are parts of
    `pending` where items are queued, and in no account of a job.
    """

    total: int = Field(default=0, ge=0, description="Documents the source enumerated.")
    committed: int = Field(default=0, ge=0, description="Visible to search.")
    failed: int = Field(default=0, ge=0, description="Dead-lettered.")
    skipped: int = Field(default=0, ge=0, description="Unchanged, repeats, superseded or deleted.")
    superseded: int = Field(default=0, ge=0, description="Of the skipped: older than another revision.")
    deleted: int = Field(default=0, ge=0, description="Of the skipped: announced as deleted by their source.")
    waiting: int = Field(default=0, ge=0, description="Waiting at a gate.")
    pending: int = Field(default=0, ge=0, description="Queued, running or handed back.")
    due_for_index: int = Field(
        default=0, ge=0, exclude=True, description="Of those just queued: due for chunks and vectors alone."
    )
    due_for_graph: int = Field(
        default=0, ge=0, exclude=True, description="Of those just queued: due for mentions and claims alone."
    )

    @property
    def accounted(self) -> int:
        return self.committed + self.failed + self.skipped + self.waiting + self.pending


class JobSummary(Record):
    """State and account of a job."""

    submission: Submission = Field(description="The request of the user.")
    state: JobState = Field(description="State.")
    created_at: float = Field(default=0, ge=0, description="When it was opened, seconds since the epoch.")
    documents: DocumentCounts = Field(description="The account.")
    removed: int = Field(
        default=0, ge=0, description="Documents that it removed as a mirror; no part of the account's sum."
    )
    chunks: int = Field(ge=0, description="Chunks of the documents it committed.")
    failures: tuple[Failure, ...] = Field(description="Every dead letter, in input order.")
    stages: tuple[StageReport, ...] = Field(description="One report per window and stage, oldest first.")
    run_ids: tuple[str, ...] = Field(description="Windows (= Dagster runs) that worked for it, oldest first.")
    handed_back_because: str | None = Field(
        default=None, description="Why documents of one of its windows were queued again, the last time."
    )


class LedgerDocument(Record):
    """Where a document stands in one pipeline."""

    key: DocumentKey = Field(description="The document.")
    pipeline_name: str = Field(description="Topology.")
    status: str = Field(description="queued, running, committed, failed, waiting or deleted.")
    current_stage: str | None = Field(description="Last stage that was finished, or that failed.")
    version: str | None = Field(description="Content hash, once known.")
    fingerprint: str | None = Field(description="Of the last attempt.")
    error_code: str | None = Field(description="Of the last failure.")
    error_message: str | None = Field(description="Message of the last failure.")
    retry_count_per_stage: dict[str, int] = Field(description="Repeated attempts by stage.")
    missing_stages: tuple[str, ...] = Field(
        default=(), description="Optional stages that failed, so that it was committed without them."
    )
    revision: str | None = Field(default=None, description="Of the last attempt, as its record states it.")
    deleted_at_source: str | None = Field(
        default=None, description="Record in which its source announced that it deleted it."
    )
    job_id: str = Field(description="Job that changed it last.")
    correlation_id: str = Field(description="Of that job.")
    updated_at: str = Field(description="ISO 8601, UTC.")


class DeadLetter(Record):
    """An input that failed for good, kept with its reason and the way back to its bytes."""

    id: int = Field(description="Number for `medkg dlq show` and `replay`.")
    failure: Failure = Field(description="Stage, code, message, attempts.")
    source_plugin: str = Field(description="Source plugin that fetches it, e.g. files.")
    locator: Locator = Field(description="Where its bytes are.")
    created_at: str = Field(description="ISO 8601, UTC.")
    replayed_in: str | None = Field(description="Job that tried it again, if any.")
    deleted: bool = Field(description="Its document is deleted, so it does not wait for replay.")
    settled: bool = Field(
        description="Another topology committed its document, as its message advises, so it does not wait."
    )
