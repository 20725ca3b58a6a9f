"""Facts: what happened to documents, windows and jobs, as the ledger records them for readers outside.

A fact is written in the transaction that makes it true (`orchestration/ledger/outbox`), once for a batch
of documents, and read by the relay (`orchestration/events`), which makes CloudEvents, lineage and metrics of
it. What is no transaction of the ledger (retries, breakers, waits, health) is observed: noted soon
afterwards, and lost with a process that is killed before; the docstrings of those kinds say so.
"""

from __future__ import annotations

from typing import Annotated, Final, Literal, TypeAlias

from pydantic import Field, TypeAdapter

from orchestration.contracts.jobs import DocumentCounts, JobState, StageReport
from orchestration.contracts.sources import SourceRequest
from orchestration.records import DocumentKey, Record

__all__ = [
    "AlertChanged",
    "BreakerChanged",
    "DeadLetterReplayed",
    "DocumentCommitted",
    "DocumentDeleted",
    "DocumentErased",
    "DocumentFailed",
    "DocumentHandedBack",
    "DocumentQueued",
    "DocumentSkipped",
    "Fact",
    "FactBody",
    "FactDocument",
    "GateOpened",
    "GateReached",
    "JobChanged",
    "JobListed",
    "JobOpened",
    "OutboxDropped",
    "RateLimited",
    "ResourceChanged",
    "SearchServed",
    "ServiceWaited",
    "SkipReason",
    "StageAbandoned",
    "StageFailure",
    "StageFinished",
    "StageRetried",
    "StageStarted",
    "WindowClaimed",
    "WindowLeased",
    "fact_body",
]


SkipReason: TypeAlias = Literal["unchanged", "superseded", "deleted"]
"""Why nothing was to be done for a document."""


class FactDocument(Record):
    """A document that a fact is about."""

    key: DocumentKey = Field(description="The document.")
    correlation_id: str = Field(description="Links all that happens to it in its job.")


class StageFailure(Record):
    """Why one document failed."""

    index: int = Field(ge=0, description="Position of the document in the fact's documents.")
    stage: str = Field(description="Stage that failed, `enumerate`, or a gate.")
    code: str = Field(pattern=r"^MEDKG-\d{3}$", description="Code of errors.py.")
    message: str = Field(description="Cause and next step.")
    attempts: int = Field(ge=0, description="Attempts made, the first included.")
    fatal: bool = Field(
        default=True, description="False: an optional stage; the document goes on without it."
    )


# --- jobs and windows --------------------------------------------------------------------------------------


class JobOpened(Record):
    """A user, a schedule or a replay asked for documents."""

    kind: Literal["job.opened"] = "job.opened"
    source: str = Field(description="Source plugin, e.g. files.")
    attended: bool = Field(description="True: a foreground run launches its windows.")
    request: SourceRequest | None = Field(
        default=None, description="What was asked of the source; None: not recorded."
    )


class JobListed(Record):
    """A part of the job's source was listed; counts are of this part. Its failed items are DocumentFailed."""

    kind: Literal["job.listed"] = "job.listed"
    counts: DocumentCounts = Field(description="Items of this part by outcome.")


class JobChanged(Record):
    """The job has another state; `counts` is the ledger's account of the job at this moment."""

    kind: Literal["job.changed"] = "job.changed"
    state: JobState = Field(description="The new state.")
    counts: DocumentCounts = Field(description="The account.")
    seconds: float = Field(ge=0, description="Since it was opened.")


class WindowClaimed(Record):
    """Documents were reserved for a run."""

    kind: Literal["window.claimed"] = "window.claimed"


class WindowLeased(Record):
    """A run's process took the documents, which run now. Repeated when another process takes them."""

    kind: Literal["window.leased"] = "window.leased"


# --- stages ------------------------------------------------------------------------------------------------


class StageStarted(Record):
    """A stage begins with these documents."""

    kind: Literal["stage.started"] = "stage.started"
    stage: str = Field(description="Name of the stage in its topology.")


class StageFinished(Record):
    """A stage ended for its documents: those without a failure came through."""

    kind: Literal["stage.finished"] = "stage.finished"
    report: StageReport = Field(description="Counts and times of the batch.")
    outputs: tuple[int, ...] = Field(
        description="Per document what the stage made of it: chunks, vectors, mentions and claims."
    )
    failures: tuple[StageFailure, ...] = Field(default=(), description="Documents that failed.")


class StageAbandoned(Record):
    """A stage ended for its batch without an outcome: a service stayed unavailable, or it was stopped."""

    kind: Literal["stage.abandoned"] = "stage.abandoned"
    stage: str = Field(description="Name of the stage.")
    code: str = Field(description="Code of errors.py.")
    message: str = Field(description="Cause and next step.")


class StageRetried(Record):
    """Attempts failed and others follow. Observed."""

    kind: Literal["stage.retried"] = "stage.retried"
    stage: str = Field(description="Name of the stage.")
    attempt: int = Field(ge=1, description="Number of the failed attempt, from 1.")
    backoff_ms: float = Field(ge=0, description="Milliseconds until the next one.")
    codes: dict[str, int] = Field(description="How often each error code occurred.")


# --- documents ---------------------------------------------------------------------------------------------


class DocumentQueued(Record):
    """Documents wait for a window: listed, or to be run again. `attached`: another job has them in work."""

    kind: Literal["document.queued"] = "document.queued"
    attached: bool = Field(default=False, description="Their outcome counts in this job too.")


class DocumentDisplaced(Record):
    """Earlier items of the job no longer stand for their documents: a later item of it has another revision.

    Those that had failed stay failed, the others count as skipped. Facts about the later items follow.
    """

    kind: Literal["document.displaced"] = "document.displaced"


class DocumentSkipped(Record):
    """Nothing was to be done for documents that had been queued."""

    kind: Literal["document.skipped"] = "document.skipped"
    reason: SkipReason = Field(description="Why.")


class DocumentCommitted(Record):
    """Versions became visible to search and graph."""

    kind: Literal["document.committed"] = "document.committed"
    chunks: tuple[int, ...] = Field(description="Per document.")
    mentions: tuple[int, ...] = Field(description="Per document.")
    claims: tuple[int, ...] = Field(description="Per document.")
    versions: tuple[str, ...] = Field(description="Per document the content hash.")


class DocumentFailed(Record):
    """Documents ended with a dead letter: in a stage, at listing, or at a gate."""

    kind: Literal["document.failed"] = "document.failed"
    failures: tuple[StageFailure, ...] = Field(description="One per document.")


class DocumentHandedBack(Record):
    """Documents in work were queued again: their run ended without them, or its process did."""

    kind: Literal["document.handed-back"] = "document.handed-back"
    reason: str = Field(description="Why; empty where only the end of the lease is known.")


class DocumentDeleted(Record):
    """Documents were removed from index and graph."""

    kind: Literal["document.deleted"] = "document.deleted"


class DocumentErased(Record):
    """Documents were erased. Has no id: a consumer that knows a document can compute its hash."""

    kind: Literal["document.erased"] = "document.erased"
    key_hashes: tuple[str, ...] = Field(description="sha256 of `TENANT/SOURCE/DOC_ID`, UTF-8, hexadecimal.")


class DeadLetterReplayed(Record):
    """Dead letters are tried again by this job, which queued their documents."""

    kind: Literal["deadletter.replayed"] = "deadletter.replayed"


class GateReached(Record):
    """Documents wait at a gate."""

    kind: Literal["gate.reached"] = "gate.reached"
    gate: str = Field(description="Name of the gate.")


class GateOpened(Record):
    """A gate opened for documents, which are queued for their second phase."""

    kind: Literal["gate.opened"] = "gate.opened"
    gate: str = Field(description="Name of the gate.")
    waited: tuple[float, ...] = Field(description="Per document the seconds that it waited.")


# --- observed ----------------------------------------------------------------------------------------------


class BreakerChanged(Record):
    """A circuit breaker changed its state. Observed."""

    kind: Literal["breaker.changed"] = "breaker.changed"
    stage: str = Field(description="Guard: `pipeline/stage`, or `web`.")
    resource: str = Field(default="", description="Host that is called, where there are several.")
    state: Literal["open", "half-open", "closed"] = Field(description="The new state.")
    code: str = Field(default="", description="Error code that opened it.")


class ServiceWaited(Record):
    """A needed service is unavailable and waited for. Observed."""

    kind: Literal["service.waited"] = "service.waited"
    stage: str = Field(description="Stage that waits.")
    resource: str = Field(default="", description="Host that is called, where it is known.")
    code: str = Field(description="Error code.")
    wait_ms: float = Field(ge=0, description="Milliseconds until the next try.")


class RateLimited(Record):
    """Calls were held back by a rate limit, summed over a short time. Observed."""

    kind: Literal["ratelimit.waited"] = "ratelimit.waited"
    stage: str = Field(description="Stage that was held back.")
    waits: tuple[float, ...] = Field(description="Seconds of each wait.")


class ResourceChanged(Record):
    """A process, a model, a GPU, a server or a disk became unusable or usable again. Observed."""

    kind: Literal["resource.changed"] = "resource.changed"
    resource: str = Field(description="Name, as `medkg status` shows it.")
    available: bool = Field(description="Whether it can be used now.")
    code: str = Field(default="", description="Error code, where one is known.")
    message: str = Field(default="", description="Cause and next step.")


class AlertChanged(Record):
    """An alert of medkg itself fired or ended. Observed."""

    kind: Literal["alert.changed"] = "alert.changed"
    alert: str = Field(description="Name, as in ops/observability.")
    firing: bool = Field(description="False: it ended.")
    severity: Literal["warning", "critical"] = Field(description="Of the alert.")
    summary: str = Field(description="For a person.")
    fingerprint: str = Field(default="", description="Of its labels: an alert of one stage is not another's.")


class SearchServed(Record):
    """Searches were answered. Observed; makes metrics alone."""

    kind: Literal["search.served"] = "search.served"
    legs: dict[str, tuple[float, ...]] = Field(description="Seconds by leg; `total` for the whole search.")
    degraded: dict[str, int] = Field(default_factory=dict, description="Legs left out, how often.")


class OutboxDropped(Record):
    """Facts were removed before a reader had them, since the outbox was full."""

    kind: Literal["outbox.dropped"] = "outbox.dropped"
    reader: str = Field(description="Sink that was behind.")
    facts: int = Field(ge=1, description="Number of facts that it will never see.")


FactBody: TypeAlias = Annotated[
    JobOpened
    | JobListed
    | JobChanged
    | WindowClaimed
    | WindowLeased
    | StageStarted
    | StageFinished
    | StageAbandoned
    | StageRetried
    | DocumentQueued
    | DocumentDisplaced
    | DocumentSkipped
    | DocumentCommitted
    | DocumentFailed
    | DocumentHandedBack
    | DocumentDeleted
    | DocumentErased
    | DeadLetterReplayed
    | GateReached
    | GateOpened
    | BreakerChanged
    | ServiceWaited
    | RateLimited
    | ResourceChanged
    | AlertChanged
    | SearchServed
    | OutboxDropped,
    Field(discriminator="kind"),
]

_BODY: Final[TypeAdapter[FactBody]] = TypeAdapter(FactBody)


def fact_body(content: str) -> FactBody:
    """A body from its JSON; raises pydantic's ValidationError for anything else."""
    return _BODY.validate_json(content)


class Fact(Record):
    """One row of the outbox, as its readers see it."""

    sequence: int = Field(ge=1, description="Number that it was written under; never given twice.")
    position: int = Field(ge=1, description="Place in the order of commits; without gaps, from 1.")
    ledger: str = Field(description="Identity of the ledger, part of every event's id.")
    happened_at: float = Field(ge=0, description="Seconds since the epoch.")
    tenant_id: str = Field(default="", description="Tenant; empty: of the whole data folder.")
    job_id: str = Field(default="", description="Job; empty: of none.")
    window_id: str = Field(default="", description="Window; empty: of none.")
    pipeline_name: str = Field(default="", description="Topology; empty: of none.")
    pipeline_version: str = Field(default="", description="Its version.")
    traceparent: str = Field(default="", description="W3C trace context of what made it true.")
    documents: tuple[FactDocument | None, ...] = Field(
        default=(), description="What it is about; None: erased since."
    )
    body: FactBody = Field(description="What happened.")
