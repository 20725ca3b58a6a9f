"""What a guard tells while it works: repeats, waits, breakers that moved.

Comes in: nothing but what happened. Leaves: frozen records, for whoever was given as the guard's observer.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

from orchestration.errors import MedkgError

__all__ = [
    "BreakerMoved",
    "GuardEvent",
    "Observe",
    "RateLimitWaited",
    "RetryScheduled",
    "ServiceAwaited",
    "unheard",
]


@dataclass(frozen=True, slots=True)
class RetryScheduled:
    """An attempt failed and another follows."""

    stage: str
    attempt: int
    """The one that failed, from 1."""
    max_attempts: int
    wait_seconds: float
    errors: tuple[MedkgError, ...]
    """One for each item that is repeated."""


@dataclass(frozen=True, slots=True)
class ServiceAwaited:
    """A needed service is away; no attempt was spent and the guard looks again."""

    stage: str
    wait_seconds: float
    error: MedkgError


@dataclass(frozen=True, slots=True)
class RateLimitWaited:
    """A call was held back by the rate limit."""

    stage: str
    resource: str
    seconds: float


@dataclass(frozen=True, slots=True)
class BreakerMoved:
    """A circuit breaker changed its state: closed, open, half-open."""

    stage: str
    resource: str
    state: str


GuardEvent: TypeAlias = RetryScheduled | ServiceAwaited | RateLimitWaited | BreakerMoved
Observe: TypeAlias = Callable[[GuardEvent], None]


def unheard(_: GuardEvent) -> None:
    """Hears an event and does nothing."""
