"""Types of events and what their data says. One model per type; docs/asyncapi.yaml is made from them.

Names end in what happened, so that a consumer can take `...document.*`. Text of documents is in no event.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar, Final, Literal

from pydantic import Field

from orchestration.contracts import DocumentCounts, JobState
from orchestration.contracts.facts import SkipReason
from orchestration.records import Record

__all__ = ["EVENT_TYPES", "PREFIX", "EventData"]

PREFIX: Final = "org.medicalkg.orchestration."
"""Of every type."""


class EventData(Record):
    """Data of an event; `event` is its type without the prefix."""

    event: ClassVar[str]


class _OfDocument(EventData):
    doc_id: str = Field(description="The document's id at its source; null in `subject` once it was erased.")
    source: str = Field(description="Where its record comes from, e.g. pmc.")


class _OfStage(_OfDocument):
    stage: str = Field(description="Name of the stage in its topology.")


class _Reason(Record):
    error_code: str = Field(pattern=r"^MEDKG-\d{3}$", description="Code of docs/reference/errors.md.")
    error_class: str = Field(
        description="Name of the error; empty for a code that this version does not know."
    )
    error_message: str = Field(description="Cause and next step.")


# --- stages ------------------------------------------------------------------------------------------------


class StageStartedData(_OfStage):
    """A stage begins with the document."""

    event = "stage.started"


class StageCompletedData(_OfStage):
    """The document came through a stage."""

    event = "stage.completed"
    duration_ms: float = Field(ge=0, description="Of the batch that it was in.")
    output_count: int = Field(ge=0, description="Chunks, vectors, mentions and claims made of it; else 1.")


class StageFailedData(_OfStage, _Reason):
    """The document failed in a stage, or the stage ended without an outcome."""

    event = "stage.failed"
    retry_count: int = Field(ge=0, description="Repeated attempts.")
    fatal: bool = Field(
        description="False: the document goes on without an optional stage, or is queued again."
    )


class StageRetryingData(EventData):
    """An attempt failed and another follows. Best effort: lost with a process that is killed."""

    event = "stage.retrying"
    stage: str = Field(description="Name of the stage.")
    doc_id: str = Field(default="", description="Document; empty: of the whole batch.")
    source: str = Field(default="", description="Where its record comes from.")
    attempt_number: int = Field(ge=1, description="The failed attempt, from 1.")
    backoff_ms: float = Field(ge=0, description="Milliseconds until the next one.")
    error_codes: dict[str, int] = Field(description="How often each error code occurred.")


# --- jobs and windows --------------------------------------------------------------------------------------


class JobOpenedData(EventData):
    """A user, a schedule or a replay asked for documents."""

    event = "job.opened"
    source: str = Field(description="Source plugin.")
    attended: bool = Field(description="Whether a foreground run waits for it.")


class JobListedData(EventData):
    """A part of the job's source was listed."""

    event = "job.listed"
    counts: DocumentCounts = Field(description="Items of this part by outcome.")


class JobChangedData(EventData):
    """The job has another state."""

    event = "job.changed"
    state: JobState = Field(description="The new state.")
    counts: DocumentCounts = Field(description="The account of the ledger at this moment.")
    duration_ms: float = Field(ge=0, description="Since it was opened.")


class WindowClaimedData(EventData):
    """Documents were reserved for a run."""

    event = "window.claimed"
    documents: int = Field(ge=0, description="Number of documents.")


class WindowStartedData(EventData):
    """The process of a run took documents of the window."""

    event = "window.started"
    documents: int = Field(ge=0, description="Number of documents.")


class WindowCommittedData(EventData):
    """Documents of the window became visible together."""

    event = "window.committed"
    documents: int = Field(ge=0, description="Number of documents.")


# --- documents ---------------------------------------------------------------------------------------------


class DocumentQueuedData(_OfDocument):
    """The document waits for a window. Its outcome counts in the job, if one is named."""

    event = "document.queued"
    attached: bool = Field(description="Another job has it in work.")


class DocumentRunningData(_OfDocument):
    """A run works on the document."""

    event = "document.running"


class DocumentDisplacedData(_OfDocument):
    """The document's earlier item of the job counts no longer for it: skipped now, or failed if it was."""

    event = "document.displaced"


class DocumentSkippedData(_OfDocument):
    """Nothing was to be done for a queued document."""

    event = "document.skipped"
    reason: SkipReason = Field(description="Why.")


class DocumentCommittedData(_OfDocument):
    """A version of the document became visible to search and graph."""

    event = "document.committed"
    version: str = Field(description="Content hash.")
    chunks: int = Field(ge=0, description="Its chunks.")
    mentions: int = Field(ge=0, description="Its mentions.")
    claims: int = Field(ge=0, description="Its claims.")


class DocumentFailedData(_OfStage, _Reason):
    """The document ended as a dead letter."""

    event = "document.failed"
    attempts: int = Field(ge=0, description="Attempts, the first included.")


class DocumentHandedBackData(_OfDocument):
    """The document was in work and is queued again."""

    event = "document.handedback"
    reason: str = Field(description="Why; empty where only the end of its lease is known.")


class DocumentDeletedData(_OfDocument):
    """The document was removed from index and graph."""

    event = "document.deleted"


class DocumentErasedData(EventData):
    """A document was erased; consumers should erase what they have of it."""

    event = "document.erased"
    key_hash: str = Field(pattern="^[0-9a-f]{64}$", description="sha256 of TENANT/SOURCE/DOC_ID in UTF-8.")


class DeadLetterReplayedData(_OfDocument):
    """A dead letter of the document is tried again by this job."""

    event = "deadletter.replayed"


class GateReachedData(_OfDocument):
    """The document waits at a gate."""

    event = "gate.reached"
    gate: str = Field(description="Name of the gate.")


class GateOpenedData(_OfDocument):
    """The gate opened for the document, which is queued for its second phase."""

    event = "gate.opened"
    gate: str = Field(description="Name of the gate.")
    waited_seconds: float = Field(ge=0, description="How long it waited.")


# --- services ----------------------------------------------------------------------------------------------


class BreakerChangedData(EventData):
    """A circuit breaker changed its state. Best effort."""

    event = "breaker.changed"
    stage: str = Field(description="Guard: PIPELINE/STAGE, or web.")
    resource: str = Field(description="Host that is called, where there are several.")
    state: Literal["open", "half-open", "closed"] = Field(description="The new state.")
    error_code: str = Field(description="That opened it; else empty.")


class ServiceWaitedData(EventData):
    """A needed service is unavailable and waited for. Best effort."""

    event = "service.waited"
    stage: str = Field(description="Stage that waits.")
    error_code: str = Field(description="Code of docs/reference/errors.md.")
    wait_ms: float = Field(ge=0, description="Milliseconds until the next try.")


class RateLimitWaitedData(EventData):
    """Calls were held back by a rate limit. Best effort."""

    event = "ratelimit.waited"
    stage: str = Field(description="Stage that was held back.")
    calls: int = Field(ge=1, description="Number of calls.")
    wait_ms: float = Field(ge=0, description="Milliseconds of all waits.")


class ResourceChangedData(EventData):
    """A process, model, GPU, server or disk became unusable, or usable again. Best effort."""

    event = "resource.changed"
    resource: str = Field(description="Name, as `medkg status` shows it.")
    available: bool = Field(description="Whether it can be used now.")
    error_code: str = Field(description="Where one is known; else empty.")
    error_message: str = Field(description="Cause and next step.")


class AlertChangedData(EventData):
    """An alert fired or ended. Best effort."""

    event = "alert.changed"
    alert: str = Field(description="Name, as in ops/observability.")
    firing: bool = Field(description="False: it ended.")
    severity: Literal["warning", "critical"] = Field(description="Of the alert.")
    summary: str = Field(description="For a person.")


class EventsDroppedData(EventData):
    """The outbox was full, and facts were removed before a sink had them."""

    event = "events.dropped"
    sink: str = Field(description="Sink that was behind.")
    facts: int = Field(ge=1, description="Number of facts; each stands for one event or a batch of them.")


EVENT_TYPES: Final[Mapping[str, type[EventData]]] = {
    PREFIX + data.event: data
    for data in (
        StageStartedData,
        StageCompletedData,
        StageFailedData,
        StageRetryingData,
        JobOpenedData,
        JobListedData,
        JobChangedData,
        WindowClaimedData,
        WindowStartedData,
        WindowCommittedData,
        DocumentQueuedData,
        DocumentRunningData,
        DocumentDisplacedData,
        DocumentSkippedData,
        DocumentCommittedData,
        DocumentFailedData,
        DocumentHandedBackData,
        DocumentDeletedData,
        DocumentErasedData,
        DeadLetterReplayedData,
        GateReachedData,
        GateOpenedData,
        BreakerChangedData,
        ServiceWaitedData,
        RateLimitWaitedData,
        ResourceChangedData,
        AlertChangedData,
        EventsDroppedData,
    )
}
"""Models by type."""
