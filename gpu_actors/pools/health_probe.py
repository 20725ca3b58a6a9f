"""The pulse of a replica: whether it answers, asked beside its work and never waited for."""

from __future__ import annotations

import time
from typing import Any, Final, Protocol, TypeAlias, cast

import ray
from ray.actor import ActorHandle
from ray.exceptions import (
    ActorDiedError,
    ActorUnavailableError,
    ActorUnschedulableError,
    RayActorError,
    RayTaskError,
)

from orchestration.errors import MedkgError

__all__ = ["Actor", "Pulse", "Replicas", "ask_health"]

Actor: TypeAlias = "ActorHandle[Any]"

PULSE_SECONDS: Final = 0.2


class Replicas(Protocol):
    """The part of a pool that probes and dispatches use."""

    name: str
    replicas: list[Actor | None]
    """By number; None: unavailable when this client attached."""

    def find_again(self, number: int) -> None:
        """Replace the replica's handle by that of the actor which has its name now, if there is one."""
        ...

    def cause(self, error: Exception) -> MedkgError:
        """Return the reason that a call failed."""
        ...


class Pulse:
    """Whether a replica answers, asked now and then and never waited for."""

    def __init__(self, pool: Replicas, number: int) -> None:
        self._pool = pool
        self._number = number
        self.replica: Actor | None = None
        """Who was asked last."""
        self._asked: ray.ObjectRef[Any] | None = None
        self._asked_at = 0.0
        self.error: Exception | None = None
        """Why it did not answer last; None if it did, or has not yet."""
        self.reason: Exception | None = None
        """The same, but of what was told the most telling: why it died, rather than that it is away."""
        self.told: dict[str, Any] | None = None
        """What it answered last."""

    def beats(self) -> bool:
        """Whether an answer came since the last look."""
        if self._asked is None:
            self._ask()
            return False
        landed, _ = ray.wait([self._asked], timeout=0)
        if not landed:
            return False
        try:
            self.told = ray.get(landed[0])
        except (RayActorError, RayTaskError, ActorUnschedulableError) as error:
            self.error = error
            if self.reason is None or not isinstance(error, ActorUnavailableError):
                self.reason = error
            self._asked = None
            return False
        self._asked, self.error = None, None
        return True

    def _ask(self) -> None:
        now = time.monotonic()
        if now - self._asked_at < PULSE_SECONDS:
            return
        self._asked_at = now
        if self._pool.replicas[self._number] is None or isinstance(self.error, ActorDiedError):
            self._pool.find_again(self._number)
        self.replica = self._pool.replicas[self._number]
        if self.replica is not None:
            self._asked = ask_health(self.replica)


def ask_health(replica: Actor) -> ray.ObjectRef[Any]:
    """Asked beside the replica's work, never behind it."""
    return cast("ray.ObjectRef[Any]", replica.health.options(concurrency_group="health").remote())
