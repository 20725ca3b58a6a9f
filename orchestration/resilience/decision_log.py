"""One log line per decision of a guard, with the ids that find its documents.

Comes in: decisions. Leaves: structlog lines without document text: errors appear by their code alone. Waits
for a rate limit are normal, so they have level info. Everything else is a warning, also a breaker that
closes: the log that reports the beginning of an outage reports its end.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, Final

import structlog

from orchestration.errors import MedkgError
from orchestration.resilience.decisions import (
    BreakerMoved,
    BreakerState,
    Decision,
    DocumentIds,
    GaveUp,
    GuardedCall,
    RateLimitWaited,
    RetryScheduled,
    ServiceAwaited,
)
from orchestration.tracing import current_span

__all__ = ["log_decision"]

MOST_DOCUMENTS: Final = 20
"""Documents that one line names; `documents_total` counts all of them."""

EVENTS: Final[Mapping[type[Decision], str]] = {
    RetryScheduled: "retry",
    ServiceAwaited: "service_unavailable_wait",
    RateLimitWaited: "rate_limit_wait",
    GaveUp: "gave_up",
}

BREAKER_EVENTS: Final[Mapping[BreakerState, str]] = {
    "open": "breaker_opened",
    "half-open": "breaker_half_open",
    "closed": "breaker_closed",
}


def log_decision(decision: Decision) -> None:
    """Write one line for the decision; an observer of guards."""
    log = structlog.get_logger(__name__).bind(**_ids(decision.call))
    _note_on_span(decision)
    match decision:
        case RetryScheduled():
            log.warning(
                "stage_retry",
                attempt=decision.attempt,
                max_attempts=decision.max_attempts,
                wait=_seconds(decision.wait_seconds),
                **_codes(decision.errors),
            )
        case ServiceAwaited():
            log.warning(
                "service_unavailable_wait",
                attempt=decision.attempt,
                wait=_seconds(decision.wait_seconds),
                **_codes([decision.error]),
            )
        case RateLimitWaited():
            log.info("rate_limit_wait", wait=_seconds(decision.wait_seconds))
        case BreakerMoved():
            log.warning(
                BREAKER_EVENTS[decision.state],
                wait=_seconds(decision.wait_seconds),
                **_codes([decision.error] if decision.error is not None else []),
            )
        case GaveUp():
            log.warning(
                "gave_up",
                attempt=decision.attempt,
                wait=_seconds(decision.waited_seconds),
                **_codes(decision.errors),
            )


def _note_on_span(decision: Decision) -> None:
    """Note the decision as an event of the span that the call is made in."""
    event: dict[str, str | int | float] = {"medkg.guard": decision.call.guard}
    if decision.call.resource:
        event["server.address"] = decision.call.resource
    if isinstance(decision, BreakerMoved):
        name = BREAKER_EVENTS[decision.state]
        errors = [decision.error] if decision.error is not None else []
    else:
        name = EVENTS[type(decision)]
        errors = list(decision.errors) if isinstance(decision, RetryScheduled | GaveUp) else []
        errors = [decision.error] if isinstance(decision, ServiceAwaited) else errors
    if not isinstance(decision, RateLimitWaited | BreakerMoved):
        event["medkg.attempt"] = decision.attempt
    waited = decision.waited_seconds if isinstance(decision, GaveUp) else decision.wait_seconds
    code = _codes(errors).get("code", "")
    current_span().event(
        name, event | {"medkg.wait_seconds": _seconds(waited)} | ({"error.type": code} if code else {})
    )


def _ids(call: GuardedCall) -> dict[str, Any]:
    ids = {
        "guard": call.guard,
        "resource": call.resource,
        "stage": call.stage,
        "tenant": call.tenant,
        "job": call.job,
    }
    return {name: value for name, value in ids.items() if value} | _document_ids(call.documents)


def _document_ids(documents: Sequence[DocumentIds]) -> dict[str, Any]:
    if not documents:
        return {}
    if len(documents) == 1:
        return {"document": documents[0].document, "correlation": documents[0].correlation}
    named = documents[:MOST_DOCUMENTS]
    return {
        "documents": [ids.document for ids in named],
        "correlations": [ids.correlation for ids in named],
        "documents_total": len(documents),
    }


def _codes(errors: Sequence[MedkgError]) -> dict[str, Any]:
    """`code`: the most frequent one; `codes`: how often each occurs, where there are several."""
    counts = Counter(error.code for error in errors)
    if not counts:
        return {}
    (code, _), *others = counts.most_common()
    return {"code": code, "codes": dict(counts)} if others else {"code": code}


def _seconds(value: float) -> float:
    return round(value, 3)
