"""Which events a kind of fact stands for, and what they say.

Comes in: bodies of facts. Leaves: data of events: one about the batch, one per document, or both.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Mapping
from operator import attrgetter
from typing import Any, Final

from orchestration.contracts import facts
from orchestration.contracts.facts import FactDocument, StageFailure
from orchestration.errors import errors_by_code
from orchestration.events import types
from orchestration.events.types import EventData

__all__ = ["OF_BATCH", "OF_DOCUMENT", "WITHOUT_EVENTS", "ids_of", "retried"]

WITHOUT_EVENTS: Final = frozenset({"search.served"})
"""Kinds of facts that make metrics alone."""

OF_BATCH: Final[Mapping[type[Any], Callable[[Any, int], EventData]]] = {
    facts.JobOpened: lambda body, _: types.JobOpenedData(source=body.source, attended=body.attended),
    facts.JobListed: lambda body, _: types.JobListedData(counts=body.counts),
    facts.JobChanged: lambda body, _: types.JobChangedData(
        state=body.state, counts=body.counts, duration_ms=body.seconds * 1000
    ),
    facts.WindowClaimed: lambda _, documents: types.WindowClaimedData(documents=documents),
    facts.WindowLeased: lambda _, documents: types.WindowStartedData(documents=documents),
    facts.BreakerChanged: lambda body, _: types.BreakerChangedData(
        stage=body.stage, resource=body.resource, state=body.state, error_code=body.code
    ),
    facts.ServiceWaited: lambda body, _: types.ServiceWaitedData(
        stage=body.stage, error_code=body.code, wait_ms=body.wait_ms
    ),
    facts.RateLimited: lambda body, _: types.RateLimitWaitedData(
        stage=body.stage, calls=max(1, len(body.waits)), wait_ms=sum(body.waits) * 1000
    ),
    facts.ResourceChanged: lambda body, _: types.ResourceChangedData(
        resource=body.resource, available=body.available, error_code=body.code, error_message=body.message
    ),
    facts.AlertChanged: lambda body, _: types.AlertChangedData(
        alert=body.alert, firing=body.firing, severity=body.severity, summary=body.summary
    ),
    facts.OutboxDropped: lambda body, _: types.EventsDroppedData(sink=body.reader, facts=body.facts),
}
"""By the fact's class, from its body and number of documents."""

Ids = dict[str, Any]


def _finished(body: facts.StageFinished, place: int, ids: Ids) -> EventData:
    failure = _failure(body, place)
    if failure is not None:
        return types.StageFailedData(
            **ids,
            **_reason(failure),
            stage=failure.stage,
            retry_count=max(0, failure.attempts - 1),
            fatal=failure.fatal,
        )
    report = body.report
    return types.StageCompletedData(
        **ids, stage=report.stage, duration_ms=report.seconds * 1000, output_count=body.outputs[place]
    )


def _failed(body: facts.DocumentFailed, place: int, ids: Ids) -> EventData:
    failure = _failure(body, place)
    assert failure is not None
    return types.DocumentFailedData(**ids, **_reason(failure), stage=failure.stage, attempts=failure.attempts)


def _committed(body: facts.DocumentCommitted, place: int, ids: Ids) -> EventData:
    return types.DocumentCommittedData(
        **ids,
        version=body.versions[place],
        chunks=body.chunks[place],
        mentions=body.mentions[place],
        claims=body.claims[place],
    )


OF_DOCUMENT: Final[Mapping[type[Any], Callable[[Any, int, Ids], EventData]]] = {
    facts.StageStarted: lambda body, _, ids: types.StageStartedData(**ids, stage=body.stage),
    facts.StageFinished: _finished,
    facts.StageAbandoned: lambda body, _, ids: types.StageFailedData(
        **ids, **_reason(body), stage=body.stage, retry_count=0, fatal=False
    ),
    facts.StageRetried: lambda body, _, ids: retried(body, **ids),
    facts.WindowLeased: lambda _, __, ids: types.DocumentRunningData(**ids),
    facts.DocumentQueued: lambda body, _, ids: types.DocumentQueuedData(**ids, attached=body.attached),
    facts.DocumentDisplaced: lambda _, __, ids: types.DocumentDisplacedData(**ids),
    facts.DocumentSkipped: lambda body, _, ids: types.DocumentSkippedData(**ids, reason=body.reason),
    facts.DocumentCommitted: _committed,
    facts.DocumentFailed: _failed,
    facts.DocumentHandedBack: lambda body, _, ids: types.DocumentHandedBackData(**ids, reason=body.reason),
    facts.DocumentDeleted: lambda _, __, ids: types.DocumentDeletedData(**ids),
    facts.DeadLetterReplayed: lambda _, __, ids: types.DeadLetterReplayedData(**ids),
    facts.GateReached: lambda body, _, ids: types.GateReachedData(**ids, gate=body.gate),
    facts.GateOpened: lambda body, place, ids: types.GateOpenedData(
        **ids, gate=body.gate, waited_seconds=body.waited[place]
    ),
}
"""By the fact's class, from its body, the document's place in it, and the document's id and source."""


def retried(body: facts.StageRetried, doc_id: str = "", source: str = "") -> EventData:
    """A retry of one document, or of a batch whose documents are not known."""
    return types.StageRetryingData(
        stage=body.stage,
        doc_id=doc_id,
        source=source,
        attempt_number=body.attempt,
        backoff_ms=body.backoff_ms,
        error_codes=body.codes,
    )


def ids_of(document: FactDocument) -> Ids:
    """What events of a document begin with."""
    return {"doc_id": document.key.doc_id, "source": document.key.source}


def _failure(body: facts.StageFinished | facts.DocumentFailed, place: int) -> StageFailure | None:
    first = bisect_left(body.failures, place, key=attrgetter("index"))  # they are in the documents' order
    at_place = body.failures[first : first + 1]
    return at_place[0] if at_place and at_place[0].index == place else None


def _reason(failure: StageFailure | facts.StageAbandoned) -> dict[str, str]:
    return {
        "error_code": failure.code,
        "error_class": getattr(errors_by_code().get(failure.code), "__name__", ""),
        "error_message": failure.message,
    }
