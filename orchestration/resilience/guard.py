"""The guard around a call: limiter, then breaker and time-out around each attempt, retry outside.

Comes in: an async call and a policy. Leaves: its result, or the error after the last attempt. A service
that is away (UnavailableError, open breaker) costs no attempt: the guard waits for it, up to
`unavailable_seconds`. tenacity, pybreaker and aiolimiter do the work; this module composes them once.

A guard belongs to one event loop (an AsyncLimiter does) and keeps its breakers over many calls.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final, Protocol, TypeAlias, TypeVar

import anyio
from aiolimiter import AsyncLimiter
from pybreaker import (
    STATE_CLOSED,
    CircuitBreaker,
    CircuitBreakerError,
    CircuitBreakerListener,
    CircuitBreakerState,
    CircuitMemoryStorage,
)
from tenacity import (
    AsyncRetrying,
    RetryCallState,
    retry_if_exception_type,
    stop_after_attempt,
    stop_before_delay,
    wait_exponential,
    wait_exponential_jitter,
    wait_incrementing,
    wait_none,
)
from tenacity.retry import retry_base
from tenacity.wait import wait_base

from orchestration.errors import (
    CircuitOpenError,
    DagsterResourceUnavailableError,
    DagsterStageTimeoutError,
    MedkgError,
    PermanentError,
    TransientError,
    UnavailableError,
)
from orchestration.resilience.events import (
    BreakerMoved,
    GuardEvent,
    Observe,
    RateLimitWaited,
    RetryScheduled,
    ServiceAwaited,
    unheard,
)
from orchestration.resilience.policies import (
    ExponentialBackoff,
    LinearBackoff,
    RateLimitConfig,
    ResiliencePolicyConfig,
)

__all__ = [
    "BreakerMoved",
    "Guard",
    "GuardEvent",
    "Guards",
    "RateLimitWaited",
    "RetryScheduled",
    "ServiceAwaited",
]

T = TypeVar("T")

READINESS_SECONDS: Final = (0.5, 5.0)
"""First and longest wait between two looks whether a service is back."""

NOTABLE_WAIT_SECONDS: Final = 0.001
"""A limiter that lets a call through at once takes less than this."""


Sleep: TypeAlias = Callable[[float], Awaitable[None]]


class Limiter(Protocol):
    """What holds calls back."""

    async def acquire(self) -> None:
        """Return when a call may be made."""
        ...


LimiterOf: TypeAlias = Callable[[str, RateLimitConfig], Limiter]
"""The limiter of a resource."""


def in_this_process(_: str, limit: RateLimitConfig) -> Limiter:
    """A limiter that counts the calls of one event loop."""
    return AsyncLimiter(limit.burst, limit.burst / limit.requests_per_second)


# --- guard -----------------------------------------------------------------------------------------


class Guard:
    """One stage's policy at work; breakers and limiters are kept for each resource (host) it names."""

    def __init__(
        self,
        stage: str,
        policy: ResiliencePolicyConfig,
        unavailable_seconds: float,
        observe: Observe = unheard,
        sleep: Sleep = anyio.sleep,
        limiter: LimiterOf = in_this_process,
    ) -> None:
        self.stage = stage
        self.policy = policy
        self._unavailable_seconds = unavailable_seconds
        self._observe = observe
        self._sleep = sleep
        self._limiter = limiter
        self._limiters: dict[str, Limiter] = {}
        self._breakers: dict[str, _Breaker] = {}

    async def call(
        self, action: Callable[[], Awaitable[T]], resource: str = "", timeout_seconds: float | None = None
    ) -> T:
        """The action's result, tried as the policy says; async code past its time-out is cancelled.

        `timeout_seconds` of an attempt, where it is not the policy's.

        Raises the last TransientError, any PermanentError at once, and UnavailableError when the service
        is still away after `unavailable_seconds`.
        """

        async def one_attempt() -> T:
            return await self.attempt(action, resource, timeout_seconds or self.policy.timeout_seconds)

        async def when_available() -> T:
            return await self.waiting(retry_if_exception_type(UnavailableError), reraise)(one_attempt)

        return await self.retrying(retry_if_exception_type(TransientError), reraise)(when_available)

    async def attempt(
        self, action: Callable[[], Awaitable[T]], resource: str, timeout_seconds: float | None
    ) -> T:
        """One attempt: limiter, then breaker and time-out around the action. None: it times out itself."""
        await self._limit(resource)
        breaker = self._breaker(resource)
        if breaker is None:
            return await self._timed(action, timeout_seconds)
        return await breaker.run(lambda: self._timed(action, timeout_seconds))

    def retrying(self, condition: retry_base, at_the_end: AtTheEnd) -> AsyncRetrying:
        """tenacity over attempts of the policy; the wait obeys Retry-After."""

        def tell(state: RetryCallState) -> None:
            errors = tuple(_errors(state))
            wait = state.upcoming_sleep
            self._observe(
                RetryScheduled(self.stage, state.attempt_number, self.policy.max_attempts, wait, errors)
            )

        return AsyncRetrying(
            retry=condition,
            stop=stop_after_attempt(self.policy.max_attempts),
            wait=_obeying(_backoff(self.policy)),
            before_sleep=tell,
            sleep=self._sleep,
            retry_error_callback=at_the_end,
        )

    def waiting(self, condition: retry_base, at_the_end: AtTheEnd) -> AsyncRetrying:
        """tenacity that looks again and again whether a service is back, up to `unavailable_seconds`."""

        def tell(state: RetryCallState) -> None:
            for error in _errors(state)[:1]:
                self._observe(ServiceAwaited(self.stage, state.upcoming_sleep, error))

        limit = self._unavailable_seconds
        passed = stop_before_delay(limit)

        def waited_enough(state: RetryCallState) -> bool:
            return passed(state) or state.idle_for + state.upcoming_sleep > limit

        first, most = READINESS_SECONDS
        return AsyncRetrying(
            retry=condition,
            stop=waited_enough,
            wait=_obeying(wait_exponential(multiplier=first, max=most)),
            before_sleep=tell,
            sleep=self._sleep,
            retry_error_callback=at_the_end,
        )

    def judged(self, error: MedkgError) -> MedkgError:
        """The error itself; Unavailable when the service asks for more patience than we have."""
        asked = error.retry_after if isinstance(error, TransientError) else None
        if asked is None or asked <= self._unavailable_seconds:
            return error
        return DagsterResourceUnavailableError(
            f"{self.stage}: the service asks to wait {asked:g} s (Retry-After), longer than "
            f"unavailable_seconds ({self._unavailable_seconds:g}): {error.message} Run again later.",
            retry_after=asked,
        )

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
            raise timed_out(self.stage, seconds or 0) from error

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
            self._observe(RateLimitWaited(self.stage, resource, waited))

    def _breaker(self, resource: str) -> _Breaker | None:
        config = self.policy.circuit_breaker_config
        if config is None:
            return None
        if resource not in self._breakers:
            self._breakers[resource] = _Breaker(
                self.stage, resource, config.failure_threshold, config.reset_seconds, self._observe
            )
        return self._breakers[resource]


AtTheEnd: TypeAlias = Callable[[RetryCallState], Any]


def reraise(state: RetryCallState) -> Any:
    """At the end of all attempts: the last error as it was."""
    assert state.outcome is not None
    return state.outcome.result()


def timed_out(what: str, seconds: float) -> DagsterStageTimeoutError:
    """The error of an attempt that was stopped."""
    return DagsterStageTimeoutError(
        f"{what}: stopped after {seconds:g} s, the time-out of its policy. If the work is sound, "
        "raise timeout_seconds in resilience.yaml, then `medkg dlq replay`."
    )


class Guards:
    """The guards of one event loop: one a stage, kept as long as its policy stays the same."""

    def __init__(
        self,
        policy: Callable[[str], ResiliencePolicyConfig],
        unavailable_seconds: float,
        observe: Observe = unheard,
        limiter: LimiterOf = in_this_process,
    ) -> None:
        self._policy = policy
        self._unavailable_seconds = unavailable_seconds
        self._observe = observe
        self._limiter = limiter
        self._guards: dict[tuple[str, str], Guard] = {}

    def guard(self, stage: str, policy_name: str) -> Guard:
        """The guard of a stage under a policy; raises ConfigurationError for an unknown policy."""
        policy = self._policy(policy_name)
        known = self._guards.get((stage, policy_name))
        if known is None or known.policy != policy:
            known = Guard(stage, policy, self._unavailable_seconds, self._observe, limiter=self._limiter)
            self._guards[stage, policy_name] = known
        return known


# --- parts -----------------------------------------------------------------------------------------


class _Breaker:
    """A pybreaker with its storage in hand, so that it can say when it lets a call through again."""

    def __init__(
        self, stage: str, resource: str, failure_threshold: int, reset_seconds: float, observe: Observe
    ) -> None:
        self._name = f"{stage} ({resource})" if resource else stage
        self._reset = timedelta(seconds=reset_seconds)
        self._storage = CircuitMemoryStorage(STATE_CLOSED)
        self._breaker = CircuitBreaker(
            fail_max=failure_threshold,
            reset_timeout=reset_seconds,
            exclude=[_is_no_failure],
            listeners=[_Listener(stage, resource, observe)],
            state_storage=self._storage,
            throw_new_error_on_trip=False,
        )

    async def run(self, action: Callable[[], Awaitable[T]]) -> T:
        """`calling`, not `call`: that holds a lock during the call and knows no async functions."""
        try:
            with self._breaker.calling():
                return await action()
        except CircuitBreakerError as error:
            opened = self._storage.opened_at or datetime.now(UTC)
            left = max(0.0, (opened + self._reset - datetime.now(UTC)).total_seconds())
            raise CircuitOpenError(
                f"{self._name}: left alone for {left:.0f} s more after repeated failures. Its documents are "
                "handed back; see the errors before this one for the cause.",
                retry_after=left,
            ) from error


class _Listener(CircuitBreakerListener):
    def __init__(self, stage: str, resource: str, observe: Observe) -> None:
        self._stage = stage
        self._resource = resource
        self._observe = observe

    def state_change(
        self, cb: CircuitBreaker, old_state: CircuitBreakerState | None, new_state: CircuitBreakerState
    ) -> None:
        self._observe(BreakerMoved(self._stage, self._resource, new_state.name))


def _is_no_failure(error: BaseException) -> bool:
    """A refusal shows that the service lives, Unavailable is waited for, a cancellation is our own."""
    return isinstance(error, PermanentError | UnavailableError) or not isinstance(error, Exception)


def _backoff(policy: ResiliencePolicyConfig) -> wait_base:
    strategy = policy.backoff_strategy
    if isinstance(strategy, ExponentialBackoff):
        jitter = strategy.first_seconds if strategy.jitter else 0
        return wait_exponential_jitter(
            multiplier=strategy.first_seconds, max=strategy.most_seconds, jitter=jitter
        )
    if isinstance(strategy, LinearBackoff):
        return wait_incrementing(strategy.first_seconds, strategy.step_seconds, strategy.most_seconds)
    return wait_none()


def _obeying(backoff: wait_base) -> Callable[[RetryCallState], float]:
    """The backoff, or what a service asked for by Retry-After when that is longer."""

    def wait(state: RetryCallState) -> float:
        asked = [getattr(error, "retry_after", None) or 0.0 for error in _errors(state)]
        return max(backoff(state), *asked, 0.0)

    return wait


def _errors(state: RetryCallState) -> Sequence[MedkgError]:
    """What is repeated: the exception of a call, or the errors that a batch attempt returned."""
    assert state.outcome is not None
    error = state.outcome.exception()
    if error is None:
        returned: Sequence[MedkgError] = state.outcome.result()
        return returned
    return [error] if isinstance(error, MedkgError) else []
