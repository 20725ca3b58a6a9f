"""Health probes: whether a replica answers, asked beside its work and without waiting for the answer.

Input: the replicas of a pool. Output: whether an answer arrived, and the error of the last call that failed.
"""

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

__all__ = ["Actor", "HealthProbe", "Replicas", "ask_health"]

Actor: TypeAlias = "ActorHandle[Any]"

PROBE_SECONDS: Final = 0.2
"""Least time between two calls of one probe."""


class Replicas(Protocol):
    """The part of a pool that probes and dispatches use."""

    name: str
    replicas: list[Actor | None]
    """By number; None: unavailable when this client attached."""

    def find_again(self, number: int) -> None:
        """Take the actor that has the replica's name now, if there is one."""
        ...

    def cause(self, error: Exception) -> MedkgError:
        """Return the reason why a call failed."""
        ...


class HealthProbe:
    """Whether one replica answers, polled and never waited for."""

    def __init__(self, pool: Replicas, number: int) -> None:
        self._pool = pool
        self._number = number
        self.replica: Actor | None = None
        """The actor that was called last."""
        self._call: ray.ObjectRef[Any] | None = None
        self._called_at = 0.0
        self.error: Exception | None = None
        """Error of the last call; None if it was answered or is under way."""
        self.reason: Exception | None = None
        """The most specific error so far: why the replica died, rather than that it is unavailable."""
        self.health: dict[str, Any] | None = None
        """The last answer."""

    def has_answered(self) -> bool:
        """Return whether an answer arrived since the last call of this method; never waits."""
        if self._call is None:
            self._ask()
            return False
        ready, _ = ray.wait([self._call], timeout=0)
        if not ready:
            return False
        try:
            self.health = ray.get(ready[0])
        except (RayActorError, RayTaskError, ActorUnschedulableError) as error:
            self.error = error
            if self.reason is None or not isinstance(error, ActorUnavailableError):
                self.reason = error
            self._call = None
            return False
        self._call, self.error = None, None
        return True

    def _ask(self) -> None:
        now = time.monotonic()
        if now - self._called_at < PROBE_SECONDS:
            return
        self._called_at = now
        if self._pool.replicas[self._number] is None or isinstance(self.error, ActorDiedError):
            self._pool.find_again(self._number)
        self.replica = self._pool.replicas[self._number]
        if self.replica is not None:
            self._call = ask_health(self.replica)


def ask_health(replica: Actor) -> ray.ObjectRef[Any]:
    """Call `health` in the replica's own concurrency group for it, so never behind its micro-batches."""
    return cast("ray.ObjectRef[Any]", replica.health.options(concurrency_group="health").remote())
