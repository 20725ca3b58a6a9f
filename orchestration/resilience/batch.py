"""A stage over many documents under its guard: each has its own outcome, only failed ones are repeated.

Comes in: a stage, its documents and its guard. Leaves: a BatchResult; it raises nothing but cancellation.
An outcome that is an UnavailableError means: not done, no fault of the document, hand it back. Results
that were reached before a service went away are kept.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Final, Protocol
from urllib.parse import urlsplit

import anyio
from tenacity import RetryCallState, retry_if_result

from orchestration.contracts import Isolation, Outcome
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

__all__ = ["BatchResult", "run_batch"]

INLINE_DOCUMENTS: Final = 500
"""Documents of one call of a stage that runs inline: its time-out is for so many."""

Item = tuple[StageContext, Any]


class Execution(Protocol):
    """How one call runs; `isolation.IsolatedExecution` is the real one."""

    async def run(
        self, handle: StageHandle, items: Sequence[Item], timeout_seconds: float
    ) -> Sequence[Outcome[Any]]: ...


@dataclass(frozen=True, slots=True)
class BatchResult:
    """What became of each document, in the order in which they came in."""

    outcomes: tuple[Outcome[Any], ...]
    attempts: tuple[int, ...]
    """How often each was really tried; 0 when its service was away all along."""

    @property
    def retried(self) -> int:
        """Documents that were tried more than once."""
        return sum(attempts > 1 for attempts in self.attempts)


async def run_batch(
    handle: StageHandle, items: Sequence[Item], guard: Guard, execution: Execution
) -> BatchResult:
    """Run a stage over documents; never raises a MedkgError: every document has its outcome."""
    run = _Run(handle, items, guard, execution)
    calls = anyio.CapacityLimiter(_side_by_side(guard))

    async def one(micro_batch: _MicroBatch) -> None:
        async with calls:
            await micro_batch.finish()

    async with anyio.create_task_group() as group:
        for positions, resource in _cut(handle, items, guard):
            group.start_soon(one, _MicroBatch(run, positions, resource))
    return BatchResult(tuple(run.outcomes), tuple(run.attempts))


def _side_by_side(guard: Guard) -> int:
    """One call after another; where a rate is set, as many at once as a second lets through."""
    limit = guard.policy.rate_limit_config
    return math.ceil(limit.requests_per_second) if limit else 1


def _cut(handle: StageHandle, items: Sequence[Item], guard: Guard) -> Iterator[tuple[list[int], str]]:
    """Positions of what one call takes, and the resource it uses: a document each where a rate is set."""
    if guard.policy.rate_limit_config is not None:
        yield from (([position], _host(value)) for position, (_, value) in enumerate(items))
        return
    size = INLINE_DOCUMENTS if handle.isolation is Isolation.INLINE else max(1, len(items))
    for start in range(0, len(items), size):
        yield list(range(start, min(start + size, len(items)))), ""


def _host(value: Any) -> str:
    return urlsplit(value.locator.uri).netloc if isinstance(value, AdapterRequest) else ""


class _Run:
    """What the micro-batches of one `run_batch` share; each writes only at its own positions."""

    def __init__(
        self, handle: StageHandle, items: Sequence[Item], guard: Guard, execution: Execution
    ) -> None:
        self.handle = handle
        self.items = items
        self.guard = guard
        self.execution = execution
        self.outcomes: list[Outcome[Any]] = [None] * len(items)
        self.attempts = [0] * len(items)
        self.away: dict[str, UnavailableError] = {}
        """Resources that one micro-batch has waited for in vain; the others need not wait as well."""


class _MicroBatch:
    """Documents that go into one call, until each has an outcome that stays."""

    def __init__(self, run: _Run, positions: list[int], resource: str) -> None:
        self._run = run
        self._resource = resource
        self._open = positions
        """Not done: never tried, or failed in a way that another attempt may cure."""
        self._due = positions
        """To be tried in the attempt that is under way."""

    async def finish(self) -> None:
        """Bring every document to its outcome under the whole policy."""
        guard, contexts = self._run.guard, [self._run.items[at][0] for at in self._open]
        with ids_bound(self._run.handle.name, contexts):
            repeated = partial(self._call_of, lambda: self._open)
            await guard.retrying(retry_if_result(bool), _outcomes_stand, repeated)(self._attempt)

    async def _attempt(self) -> Sequence[MedkgError]:
        """Try what is open, waiting for the service if it is away; returns the errors worth another."""
        self._due = self._open
        awaiting = partial(self._call_of, lambda: self._due)
        await self._run.guard.waiting(retry_if_result(bool), self._give_up, awaiting)(self._try_due)
        self._open = [at for at in self._open if isinstance(self._run.outcomes[at], TransientError)]
        return [self._run.outcomes[at] for at in self._open]

    async def _try_due(self) -> Sequence[MedkgError]:
        """One call; returns the errors of those that it could not try because a service is away."""
        run = self._run
        given_up = run.away.get(self._resource)
        outcomes = [given_up] * len(self._due) if given_up else await self._outcomes(self._due)
        for at, outcome in zip(self._due, outcomes, strict=True):
            run.outcomes[at] = outcome
            run.attempts[at] += not isinstance(outcome, UnavailableError)
        self._due = [at for at in self._due if isinstance(run.outcomes[at], UnavailableError)]
        return [] if given_up else [run.outcomes[at] for at in self._due]

    async def _outcomes(self, positions: Sequence[int]) -> Sequence[Outcome[Any]]:
        """One guarded call; an error of the call is the outcome of each of its documents."""
        run = self._run
        enforced_elsewhere = run.handle.isolation is not Isolation.INLINE
        timeout = None if enforced_elsewhere else run.guard.policy.timeout_seconds
        try:
            return await run.guard.attempt(lambda: self._call(positions), self._resource, timeout)
        except _AllFailedError as failed:
            return failed.outcomes
        except MedkgError as error:
            return [error] * len(positions)
        except Exception as error:  # noqa: BLE001 - a plugin may raise anything; its documents keep it
            failure = StageFailedError(
                f"stage {run.handle.name} raised {type(error).__name__}: {error}. "
                "Fix the stage, then `medkg dlq replay`."
            )
            return [failure] * len(positions)

    async def _call(self, positions: Sequence[int]) -> Sequence[Outcome[Any]]:
        run = self._run
        items = [run.items[at] for at in positions]
        given = await run.execution.run(run.handle, items, run.guard.policy.timeout_seconds)
        if len(given) != len(items):
            raise StageContractError(
                f"stage {run.handle.name} gave {len(given)} outcomes for {len(items)} documents; "
                "execute_batch returns one for each, in order."
            )
        outcomes = [run.guard.judged(one) if isinstance(one, MedkgError) else one for one in given]
        if all(_speaks_of_the_service(outcome, run.handle) for outcome in outcomes):
            raise _AllFailedError(outcomes) from outcomes[0]
        return outcomes

    def _call_of(self, positions: Callable[[], Sequence[int]]) -> GuardedCall:
        """The call as a decision about the documents at these positions reports it."""
        contexts = [self._run.items[at][0] for at in positions()]
        documents = [DocumentIds(ctx.doc_id, ctx.correlation_id) for ctx in contexts]
        return guarded_call(self._run.guard.name, self._resource, documents)

    def _give_up(self, state: RetryCallState) -> None:
        """The service stayed away: what was due keeps its UnavailableError."""
        assert state.outcome is not None
        (*_, self._run.away[self._resource]) = state.outcome.result()


def _outcomes_stand(_: RetryCallState) -> None:
    """After the last attempt each document keeps the error it has."""


def _speaks_of_the_service(outcome: Outcome[Any], handle: StageHandle) -> bool:
    """Whether an error counts for the breaker; in a worker process a document can hang or crash alone."""
    if handle.isolation is Isolation.PROCESS and isinstance(outcome, _OWN_FAULT):
        return False
    return isinstance(outcome, TransientError)


_OWN_FAULT: Final = (DagsterStageTimeoutError, StageCrashedError)


class _AllFailedError(TransientError):
    """Tells the breaker that an attempt failed for every document; never leaves this module."""

    def __init__(self, outcomes: Sequence[Outcome[Any]]) -> None:
        super().__init__("every document of the attempt failed")
        self.outcomes = outcomes
