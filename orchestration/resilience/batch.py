"""Runs a stage over many documents under its guard: one outcome per document, only failed ones are repeated.

Comes in: a stage, its documents and its guard. Leaves: a BatchResult; it raises nothing but cancellation.
An outcome that is an UnavailableError means: not done, no fault of the document, hand it back. Results from
before a service became unavailable are kept.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from functools import partial
from typing import Any, Final, Protocol
from urllib.parse import urlsplit

import anyio
from tenacity import RetryCallState, retry_if_result

from orchestration.batching import batched
from orchestration.contracts import Isolation, Outcome
from orchestration.disk_space import unwritable_disk
from orchestration.errors import (
    DagsterStageTimeoutError,
    MedkgError,
    StageContractError,
    StageCrashedError,
    StageFailedError,
    TransientError,
    UnavailableError,
)
from orchestration.records import AdapterRequest, StageContext
from orchestration.resilience.decisions import DocumentIds, GuardedCall, guarded_call, ids_bound
from orchestration.resilience.guard import Guard
from orchestration.resilience.isolation import StageHandle
from orchestration.tracing import span

__all__ = ["BatchResult", "run_batch"]

INLINE_DOCUMENTS: Final = 500
"""Most documents per call of an inline stage; its time-out covers them together."""

Item = tuple[StageContext, Any]


class Execution(Protocol):
    """Runs one call of a stage; `isolation.IsolatedExecution` is the implementation."""

    async def run(
        self, handle: StageHandle, items: Sequence[Item], timeout_seconds: float
    ) -> Sequence[Outcome[Any]]: ...


@dataclass(frozen=True, slots=True)
class BatchResult:
    """Outcome and number of attempts of each document, in the order of the input."""

    outcomes: tuple[Outcome[Any], ...]
    attempts: tuple[int, ...]
    """Calls that really tried the document; 0 when its service was unavailable all the time."""


async def run_batch(
    handle: StageHandle, items: Sequence[Item], guard: Guard, execution: Execution
) -> BatchResult:
    """Run a stage over documents; raises no MedkgError: each document has its outcome."""
    run = _Run(handle, items, guard, execution)
    calls = anyio.CapacityLimiter(_concurrency(guard))

    async def finish(micro_batch: _MicroBatch) -> None:
        async with calls:
            await micro_batch.finish()

    async with anyio.create_task_group() as group:
        for positions, resource in _micro_batches(handle, items, guard):
            group.start_soon(finish, _MicroBatch(run, positions, resource))
    return BatchResult(tuple(run.outcomes), tuple(run.attempts))


def _concurrency(guard: Guard) -> int:
    """Calls at the same time: 1, or under a rate limit the calls of one second."""
    limit = guard.policy.rate_limit_config
    return math.ceil(limit.requests_per_second) if limit else 1


def _micro_batches(
    handle: StageHandle, items: Sequence[Item], guard: Guard
) -> Iterator[tuple[list[int], str]]:
    """Positions of the documents of each call, and its resource; one document per call under a rate limit."""
    if guard.policy.rate_limit_config is not None:
        yield from (([position], _host(value)) for position, (_, value) in enumerate(items))
        return
    size = INLINE_DOCUMENTS if handle.isolation is Isolation.INLINE else max(1, len(items))
    yield from ((positions, "") for positions in batched(range(len(items)), size))


def _host(value: Any) -> str:
    return urlsplit(value.locator.uri).netloc if isinstance(value, AdapterRequest) else ""


class _Run:
    """State that the micro-batches of one `run_batch` share; each writes only at its own positions."""

    def __init__(
        self, handle: StageHandle, items: Sequence[Item], guard: Guard, execution: Execution
    ) -> None:
        self.handle = handle
        self.items = items
        self.guard = guard
        self.execution = execution
        self.outcomes: list[Outcome[Any]] = [None] * len(items)
        self.attempts = [0] * len(items)
        self.unavailable: dict[str, UnavailableError] = {}
        """Resources that one micro-batch has given up; the others do not wait for them too."""


class _MicroBatch:
    """Documents that go into one call, until each has its final outcome."""

    def __init__(self, run: _Run, positions: list[int], resource: str) -> None:
        self._run = run
        self._resource = resource
        self._unfinished = positions
        """Documents without a final outcome: not tried yet, or failed with a TransientError."""
        self._untried = positions
        """Documents that the current attempt has not tried yet."""

    async def finish(self) -> None:
        """Bring every document to its outcome under the whole policy."""
        guard, contexts = self._run.guard, [self._run.items[at][0] for at in self._unfinished]
        with ids_bound(self._run.handle.name, contexts):
            repeated = partial(self._call_of, lambda: self._unfinished)
            await guard.retrying(retry_if_result(bool), _keep_outcomes, repeated)(self._attempt)

    async def _attempt(self) -> Sequence[MedkgError]:
        """Try the unfinished documents, waiting for their service; returns the errors worth a retry."""
        self._untried = self._unfinished
        awaiting = partial(self._call_of, lambda: self._untried)
        await self._run.guard.waiting(retry_if_result(bool), self._give_up, awaiting)(self._try_untried)
        self._unfinished = [
            at for at in self._unfinished if isinstance(self._run.outcomes[at], TransientError)
        ]
        return [self._run.outcomes[at] for at in self._unfinished]

    async def _try_untried(self) -> Sequence[MedkgError]:
        """One call; returns the errors of the documents that stay untried: their service is unavailable."""
        run = self._run
        given_up = run.unavailable.get(self._resource)
        outcomes = [given_up] * len(self._untried) if given_up else await self._outcomes(self._untried)
        for at, outcome in zip(self._untried, outcomes, strict=True):
            run.outcomes[at] = outcome
            run.attempts[at] += not isinstance(outcome, UnavailableError)
        self._untried = [at for at in self._untried if isinstance(run.outcomes[at], UnavailableError)]
        return [] if given_up else [run.outcomes[at] for at in self._untried]

    async def _outcomes(self, positions: Sequence[int]) -> Sequence[Outcome[Any]]:
        """One guarded call; an error of the call is the outcome of each of its documents."""
        run = self._run
        inline = run.handle.isolation is Isolation.INLINE
        timeout = run.guard.policy.timeout_seconds if inline else None
        try:
            with _attempt_span(run, positions):
                return await run.guard.attempt(lambda: self._call(positions), self._resource, timeout)
        except _AllFailedError as failed:
            return failed.outcomes
        except MedkgError as error:
            return [error] * len(positions)
        except Exception as error:  # noqa: BLE001 - a plugin may raise anything; it is the outcome of its documents
            failure = unwritable_disk(error) or StageFailedError(
                f"stage {run.handle.name} raised {type(error).__name__}: {error}. "
                "Fix the stage, then `medkg dlq replay`."
            )
            return [failure] * len(positions)

    async def _call(self, positions: Sequence[int]) -> Sequence[Outcome[Any]]:
        run = self._run
        items = [run.items[at] for at in positions]
        returned = await run.execution.run(run.handle, items, run.guard.policy.timeout_seconds)
        if len(returned) != len(items):
            raise StageContractError(
                f"stage {run.handle.name} returned {len(returned)} outcomes for {len(items)} documents; "
                "execute_batch returns one for each, in order."
            )
        outcomes = [
            run.guard.judged(outcome) if isinstance(outcome, MedkgError) else outcome for outcome in returned
        ]
        if all(_counts_for_the_breaker(outcome, run.handle) for outcome in outcomes):
            raise _AllFailedError(outcomes) from outcomes[0]
        return outcomes

    def _call_of(self, positions: Callable[[], Sequence[int]]) -> GuardedCall:
        """The call as a decision about the documents at these positions reports it."""
        contexts = [self._run.items[at][0] for at in positions()]
        documents = [
            DocumentIds(ctx.doc_id, ctx.correlation_id, ctx.metadata.get("source", "")) for ctx in contexts
        ]
        return guarded_call(self._run.guard.name, self._resource, documents)

    def _give_up(self, state: RetryCallState) -> None:
        """The service stays unavailable: the untried documents keep its UnavailableError."""
        assert state.outcome is not None
        (*_, self._run.unavailable[self._resource]) = state.outcome.result()


def _attempt_span(run: _Run, positions: Sequence[int]) -> AbstractContextManager[object]:
    """A span of an attempt; none under a rate limit, where each document has its attempts."""
    if run.guard.policy.rate_limit_config is not None:
        return nullcontext()
    attributes: dict[str, str | int] = {
        "medkg.guard": run.guard.name,
        "medkg.attempt": max((run.attempts[at] for at in positions), default=0) + 1,
        "medkg.documents": len(positions),
        "medkg.isolation": run.handle.isolation.value,
    }
    return span("attempt", attributes)


def _keep_outcomes(_: RetryCallState) -> None:
    """After the last attempt each document keeps its error."""


def _counts_for_the_breaker(outcome: Outcome[Any], handle: StageHandle) -> bool:
    """Whether it may be the service's failure; in a worker process a document hangs or crashes alone."""
    if handle.isolation is Isolation.PROCESS and isinstance(outcome, _DOCUMENT_FAULTS):
        return False
    return isinstance(outcome, TransientError)


_DOCUMENT_FAULTS: Final = (DagsterStageTimeoutError, StageCrashedError)


class _AllFailedError(TransientError):
    """Makes the breaker count an attempt that failed for every document; never leaves this module."""

    def __init__(self, outcomes: Sequence[Outcome[Any]]) -> None:
        super().__init__("every document of the attempt failed")
        self.outcomes = outcomes
