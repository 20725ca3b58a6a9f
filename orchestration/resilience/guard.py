"""The guard around a call: limiter, then breaker and time-out around each attempt, retry outside.

Comes in: an async call and a policy. Leaves: its result, or the error after the last attempt; each decision
goes to the observers. An unavailable service (UnavailableError, open breaker) costs no attempt: the guard
waits for it, up to `unavailable_seconds`. tenacity, pybreaker and aiolimiter do the work.

A guard belongs to one event loop, because its AsyncLimiter does, and keeps its breakers over many calls.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Final, Protocol, TypeAlias, TypeVar

import anyio
from aiolimiter import AsyncLimiter
from tenacity import (
    AsyncRetrying,
    RetryCallState,
    retry_if_exception_type,
    stop_after_attempt,
    stop_before_delay,
    wait_exponential,
)
from tenacity.retry import retry_base

from orchestration.errors import (
    DagsterResourceUnavailableError,
    DagsterStageTimeoutError,
    MedkgError,
    TransientError,
    UnavailableError,
)
from orchestration.resilience.backoff import backoff, errors_of, obeying_retry_after
from orchestration.resilience.breaker import Breaker
from orchestration.resilience.decisions import (
    Decision,
    GaveUp,
    GuardedCall,
    Observer,
    RateLimitWaited,
    RetryScheduled,
    ServiceAwaited,
    guarded_call,
)
from orchestration.resilience.policies import RateLimitConfig, ResiliencePolicyConfig

__all__ = ["Guard", "Guards", "Limiter", "LimiterOf", "timed_out"]

T = TypeVar("T")

OPTIONAL_SECONDS: Final = 10.0
"""Longest wait of an optional step for an unavailable service."""

READINESS_SECONDS: Final = (0.5, 5.0)
"""First and longest wait between two calls to an unavailable service."""

NOTABLE_WAIT_SECONDS: Final = 0.001
"""Shorter waits are the cost of the limiter itself, not of its limit."""


Sleep: TypeAlias = Callable[[float], Awaitable[None]]


class Limiter(Protocol):
    """Delays calls to a rate."""

    async def acquire(self) -> None:
        """Return when a call may be made."""
        ...


LimiterOf: TypeAlias = Callable[[str, RateLimitConfig], Limiter]
"""Makes the limiter of a resource."""


def limiter_of_this_process(_: str, limit: RateLimitConfig) -> Limiter:
    """A limiter for the calls of one event loop."""
    return AsyncLimiter(limit.burst, limit.burst / limit.requests_per_second)


# --- guard -----------------------------------------------------------------------------------------


class Guard:
    """A policy at work for one stage or client; keeps a breaker and a limiter per resource (host)."""

    def __init__(
        self,
        name: str,
        policy: ResiliencePolicyConfig,
        unavailable_seconds: float,
        observers: Sequence[Observer],
        sleep: Sleep = anyio.sleep,
        limiter: LimiterOf = limiter_of_this_process,
    ) -> None:
        """`name` identifies the guard in errors and decisions; each observer gets every decision once."""
        self.name = name
        self.policy = policy
        self._unavailable_seconds = unavailable_seconds
        self._observers = tuple(observers)
        self._sleep = sleep
        self._limiter = limiter
        self._limiters: dict[str, Limiter] = {}
        self._breakers: dict[str, Breaker] = {}

    async def call(
        self, action: Callable[[], Awaitable[T]], resource: str = "", timeout_seconds: float | None = None
    ) -> T:
        """The action's result, tried under the policy; an attempt past its time-out is cancelled.

        `timeout_seconds` is the time-out of an attempt where it is not the policy's.

        Raises the last TransientError, any PermanentError at once, and UnavailableError when the service
        is still unavailable after `unavailable_seconds`.
        """

        async def one_attempt() -> T:
            return await self.attempt(action, resource, timeout_seconds or self.policy.timeout_seconds)

        def this_call() -> GuardedCall:
            return guarded_call(self.name, resource)

        async def when_available() -> T:
            waiting = self.waiting(retry_if_exception_type(UnavailableError), reraise, this_call)
            return await waiting(one_attempt)

        retrying = self.retrying(retry_if_exception_type(TransientError), reraise, this_call)
        return await retrying(when_available)

    async def attempt(
        self, action: Callable[[], Awaitable[T]], resource: str, timeout_seconds: float | None
    ) -> T:
        """One attempt: limiter, then breaker and time-out around the action.

        `timeout_seconds` None: the action enforces its own time-out.
        """
        await self._limit(resource)
        breaker = self._breaker(resource)
        if breaker is None:
            return await self._timed(action, timeout_seconds)
        return await breaker.run(lambda: self._timed(action, timeout_seconds))

    def retrying(
        self, condition: retry_base, at_the_end: AtTheEnd, call: Callable[[], GuardedCall]
    ) -> AsyncRetrying:
        """tenacity over attempts of the policy; the wait obeys Retry-After. `call` is what is repeated."""

        def observe(state: RetryCallState) -> None:
            errors, wait = tuple(errors_of(state)), state.upcoming_sleep
            self._observe(
                RetryScheduled(call(), state.attempt_number, self.policy.max_attempts, wait, errors)
            )

        return AsyncRetrying(
            retry=condition,
            stop=stop_after_attempt(self.policy.max_attempts),
            wait=obeying_retry_after(backoff(self.policy)),
            before_sleep=observe,
            sleep=self._sleep,
            retry_error_callback=self._giving_up(at_the_end, call),
        )

    def waiting(
        self, condition: retry_base, at_the_end: AtTheEnd, call: Callable[[], GuardedCall]
    ) -> AsyncRetrying:
        """tenacity that calls until the service is available, for at most `unavailable_seconds`."""

        def observe(state: RetryCallState) -> None:
            for error in errors_of(state)[:1]:
                self._observe(ServiceAwaited(call(), state.attempt_number, state.upcoming_sleep, error))

        limit = self._unavailable_seconds
        passed = stop_before_delay(limit)

        def waited_enough(state: RetryCallState) -> bool:
            return passed(state) or state.idle_for + state.upcoming_sleep > limit

        first, most = READINESS_SECONDS
        return AsyncRetrying(
            retry=condition,
            stop=waited_enough,
            wait=obeying_retry_after(wait_exponential(multiplier=first, max=most)),
            before_sleep=observe,
            sleep=self._sleep,
            retry_error_callback=self._giving_up(at_the_end, call),
        )

    def judged(self, error: MedkgError) -> MedkgError:
        """The error; as Unavailable when its Retry-After is longer than `unavailable_seconds`."""
        requested = error.retry_after if isinstance(error, TransientError) else None
        if requested is None or requested <= self._unavailable_seconds:
            return error
        return DagsterResourceUnavailableError(
            f"{self.name}: the service asks to wait {requested:g} s (Retry-After), longer than "
            f"unavailable_seconds ({self._unavailable_seconds:g}): {error.message} Run again later.",
            retry_after=requested,
        )

    def _observe(self, decision: Decision) -> None:
        for observer in self._observers:
            observer(decision)

    def _giving_up(self, at_the_end: AtTheEnd, call: Callable[[], GuardedCall]) -> AtTheEnd:
        def give_up(state: RetryCallState) -> Any:
            errors = tuple(errors_of(state))
            self._observe(GaveUp(call(), state.attempt_number, state.idle_for, errors))
            return at_the_end(state)

        return give_up

    async def _timed(self, action: Callable[[], Awaitable[T]], seconds: float | None) -> T:
        try:
            with anyio.fail_after(seconds) as scope:
                return await action()
        except TransientError as error:
            judged = self.judged(error)
            if judged is error:
                raise
            raise judged from error
        except TimeoutError as error:
            if not scope.cancelled_caught:
                raise
            raise timed_out(self.name, seconds or 0) from error

    async def _limit(self, resource: str) -> None:
        limit = self.policy.rate_limit_config
        if limit is None:
            return
        limiter = self._limiters.get(resource)
        if limiter is None:
            limiter = self._limiter(resource, limit)
            self._limiters[resource] = limiter
        started = time.monotonic()
        await limiter.acquire()
        waited = time.monotonic() - started
        if waited > NOTABLE_WAIT_SECONDS:
            self._observe(RateLimitWaited(guarded_call(self.name, resource), waited))

    def _breaker(self, resource: str) -> Breaker | None:
        config = self.policy.circuit_breaker_config
        if config is None:
            return None
        if resource not in self._breakers:
            self._breakers[resource] = Breaker(self.name, resource, config, self._observe)
        return self._breakers[resource]


AtTheEnd: TypeAlias = Callable[[RetryCallState], Any]
"""Result of the call after the last attempt."""


def reraise(state: RetryCallState) -> Any:
    """Raise the error of the last attempt."""
    assert state.outcome is not None
    return state.outcome.result()


def timed_out(what: str, seconds: float) -> DagsterStageTimeoutError:
    """The error of an attempt that was stopped at its time-out."""
    return DagsterStageTimeoutError(
        f"{what}: stopped after {seconds:g} s, the time-out of its policy. If the work is sound, "
        "raise timeout_seconds in resilience.yaml, then `medkg dlq replay`."
    )


class Guards:
    """Guards of one event loop: one per stage, kept as long as its policy stays the same."""

    def __init__(
        self,
        policy: Callable[[str], ResiliencePolicyConfig],
        unavailable_seconds: float,
        observers: Sequence[Observer],
        limiter: LimiterOf = limiter_of_this_process,
    ) -> None:
        self._policy = policy
        self._unavailable_seconds = unavailable_seconds
        self._observers = tuple(observers)
        self._limiter = limiter
        self._guards: dict[tuple[str, str, bool], Guard] = {}

    def guard(self, name: str, policy_name: str, *, optional: bool = False) -> Guard:
        """The guard of that name under a policy; raises ConfigurationError for an unknown policy.

        That of an `optional` step waits for an unavailable service for at most OPTIONAL_SECONDS, since its
        documents go on without it.
        """
        policy = self._policy(policy_name)
        known = self._guards.get((name, policy_name, optional))
        if known is None or known.policy != policy:
            limit = self._unavailable_seconds
            seconds = min(limit, OPTIONAL_SECONDS) if optional else limit
            known = Guard(name, policy, seconds, self._observers, limiter=self._limiter)
            self._guards[name, policy_name, optional] = known
        return known
