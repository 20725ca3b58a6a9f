"""Decisions of a guard: a retry, a wait, a breaker that changed its state, the end of all attempts.

Comes in: nothing but what happened. Leaves: one frozen record per decision for the guard's observers: the
log (`decision_log`), and metrics or events beside it. An observer runs in the event loop of the calls, so it
must return quickly and raise nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Literal, TypeAlias

from structlog.contextvars import bound_contextvars, get_contextvars

from orchestration.errors import MedkgError
from orchestration.records import StageContext

__all__ = [
    "BreakerMoved",
    "BreakerState",
    "Decision",
    "DocumentIds",
    "GaveUp",
    "GuardedCall",
    "Observer",
    "RateLimitWaited",
    "RetryScheduled",
    "ServiceAwaited",
    "guarded_call",
    "ids_bound",
]

BreakerState: TypeAlias = Literal["open", "half-open", "closed"]


@dataclass(frozen=True, slots=True)
class DocumentIds:
    """Ids that find a document in the ledger and in logs."""

    document: str
    correlation: str
    source: str = ""
    """Where the record comes from; '' where it is not known."""


@dataclass(frozen=True, slots=True)
class GuardedCall:
    """The call that a decision is about; '' or () for what is not known where it is made."""

    guard: str
    """Name of the guard: `pipeline/stage`, or `web` for requests to web services."""
    resource: str = ""
    """Host that the call goes to."""
    stage: str = ""
    """Stage that the call is made for."""
    tenant: str = ""
    job: str = ""
    documents: tuple[DocumentIds, ...] = ()


@dataclass(frozen=True, slots=True)
class RetryScheduled:
    """An attempt failed and another follows."""

    call: GuardedCall
    attempt: int
    """Number of the failed attempt, from 1."""
    max_attempts: int
    wait_seconds: float
    errors: tuple[MedkgError, ...]
    """One per document that is repeated; the error of the call where no documents are known."""


@dataclass(frozen=True, slots=True)
class ServiceAwaited:
    """A needed service is unavailable; no attempt is spent and the guard tries again later."""

    call: GuardedCall
    attempt: int
    """Number of the call that found it unavailable, from 1."""
    wait_seconds: float
    error: MedkgError


@dataclass(frozen=True, slots=True)
class RateLimitWaited:
    """A call was held back by the rate limit."""

    call: GuardedCall
    wait_seconds: float


@dataclass(frozen=True, slots=True)
class BreakerMoved:
    """A circuit breaker changed its state."""

    call: GuardedCall
    state: BreakerState
    wait_seconds: float
    """Seconds until an open breaker lets one call through; 0 in the other states."""
    error: MedkgError | None
    """Failure that opened it; None for the other states."""


@dataclass(frozen=True, slots=True)
class GaveUp:
    """The policy allows no further attempt, or no longer wait for an unavailable service."""

    call: GuardedCall
    attempt: int
    """Number of calls that were made."""
    waited_seconds: float
    """Seconds of all waits between them."""
    errors: tuple[MedkgError, ...]
    """One per document that stays undone; the error of the call where no documents are known."""


Decision: TypeAlias = RetryScheduled | ServiceAwaited | RateLimitWaited | BreakerMoved | GaveUp
Observer: TypeAlias = Callable[[Decision], None]


# --- ids of the call -------------------------------------------------------------------------------


@contextmanager
def ids_bound(stage: str, contexts: Sequence[StageContext]) -> Iterator[None]:
    """Bind the ids of these documents to the log context; guards inside of it report them.

    A tenant or job that differs between the documents is not bound, and those of a document are bound where
    it is the only one. Threads and event loops that are entered from inside inherit the context.
    """
    tenants, jobs = {ctx.tenant_id for ctx in contexts}, {ctx.job_id for ctx in contexts}
    ids = {"stage": stage}
    if len(tenants) == 1:
        ids["tenant"] = tenants.pop()
    if len(jobs) == 1:
        ids["job"] = jobs.pop()
    if len(contexts) == 1:
        ids |= {"document": contexts[0].doc_id, "correlation": contexts[0].correlation_id}
    with bound_contextvars(**ids):
        yield


def guarded_call(guard: str, resource: str, documents: Sequence[DocumentIds] = ()) -> GuardedCall:
    """The current call of a guard, with the ids of the log context; `documents` replace those bound there."""
    bound = get_contextvars()
    if not documents and "document" in bound:
        documents = [DocumentIds(bound["document"], bound.get("correlation", ""))]
    return GuardedCall(
        guard=guard,
        resource=resource,
        stage=bound.get("stage", ""),
        tenant=bound.get("tenant", ""),
        job=bound.get("job", ""),
        documents=tuple(documents),
    )
