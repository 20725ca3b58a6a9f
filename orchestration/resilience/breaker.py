"""A circuit breaker around async calls of one resource.

Comes in: a call and the breaker's configuration. Leaves: the call's result, or CircuitOpenError while the
resource is left alone. pybreaker counts failures and changes the state; this module reports the changes.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import TypeVar, cast

from pybreaker import (
    STATE_CLOSED,
    STATE_OPEN,
    CircuitBreaker,
    CircuitBreakerError,
    CircuitBreakerListener,
    CircuitBreakerState,
    CircuitMemoryStorage,
)

from orchestration.errors import CircuitOpenError, MedkgError, PermanentError, UnavailableError
from orchestration.resilience.decisions import BreakerMoved, BreakerState, guarded_call
from orchestration.resilience.policies import CircuitBreakerConfig

__all__ = ["Breaker"]

T = TypeVar("T")


class Breaker:
    """A pybreaker that keeps its storage, so that an open one can state when it lets a call through."""

    def __init__(
        self, guard: str, resource: str, config: CircuitBreakerConfig, observe: Callable[[BreakerMoved], None]
    ) -> None:
        self._name = f"{guard} ({resource})" if resource else guard
        self._reset = timedelta(seconds=config.reset_seconds)
        self._storage = CircuitMemoryStorage(STATE_CLOSED)
        self._breaker = CircuitBreaker(
            fail_max=config.failure_threshold,
            reset_timeout=config.reset_seconds,
            exclude=[_is_no_failure],
            listeners=[_Moves(guard, resource, config.reset_seconds, observe)],
            state_storage=self._storage,
            throw_new_error_on_trip=False,
        )

    async def run(self, action: Callable[[], Awaitable[T]]) -> T:
        """The action's result; raises CircuitOpenError when the breaker is open.

        Uses pybreaker's `calling`: its `call` holds a lock during the call and ignores async functions.
        """
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


class _Moves(CircuitBreakerListener):
    """Reports each change of state; an opening with the failure that caused it."""

    def __init__(
        self, guard: str, resource: str, reset_seconds: float, observe: Callable[[BreakerMoved], None]
    ) -> None:
        self._guard = guard
        self._resource = resource
        self._reset_seconds = reset_seconds
        self._observe = observe
        self._last_failure: MedkgError | None = None

    def failure(self, cb: CircuitBreaker, exc: BaseException) -> None:
        """Remember the failure: pybreaker reports it before the change of state that follows from it."""
        cause = exc.__cause__  # of a batch that failed for every document: the first one's error
        failure = cause if isinstance(cause, MedkgError) else exc
        self._last_failure = failure if isinstance(failure, MedkgError) else None

    def state_change(
        self, cb: CircuitBreaker, old_state: CircuitBreakerState | None, new_state: CircuitBreakerState
    ) -> None:
        opened = new_state.name == STATE_OPEN
        self._observe(
            BreakerMoved(
                guarded_call(self._guard, self._resource),
                cast(BreakerState, new_state.name),
                self._reset_seconds if opened else 0.0,
                self._last_failure if opened else None,
            )
        )


def _is_no_failure(error: BaseException) -> bool:
    """A refusal shows that the service answers, Unavailable is waited for, a cancellation is our own."""
    return isinstance(error, PermanentError | UnavailableError) or not isinstance(error, Exception)
