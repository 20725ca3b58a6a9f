"""The supervisor: replaces replicas that Ray no longer restarts, with growing pauses between replacements.

Input: the pools that this process started. Output: a new actor for each dead one, under the next name of its
place, which clients find (see pool.py). One thread, which ends with the process.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Sequence
from typing import Any, Final

from ray.exceptions import ActorDiedError

from gpu_actors.pools.health_probe import HealthProbe
from gpu_actors.pools.pool import Pool

__all__ = ["Supervisor"]

CHECK_SECONDS: Final = 1.0
FIRST_PAUSE: Final = 1.0
LONGEST_PAUSE: Final = 60.0
STABLE_SECONDS: Final = 600.0
"""Uptime after which a replica's earlier deaths no longer lengthen the pause."""


class Supervisor:
    """Watches pools until it is closed."""

    def __init__(self, pools: Sequence[Pool[Any]], first_pause: float = FIRST_PAUSE) -> None:
        """`first_pause`: seconds before the first replacement of a replica; each further one doubles them."""
        self._watched = [
            _WatchedReplica(pool, number, first_pause)
            for pool in pools
            for number in range(len(pool.replicas))
        ]
        self._closed = threading.Event()
        self._thread = threading.Thread(target=self._supervise, name="replica-supervisor", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """End the thread; returns when it has ended."""
        self._closed.set()
        self._thread.join()

    def _supervise(self) -> None:
        while not self._closed.wait(CHECK_SECONDS):
            for replica in self._watched:
                replica.check()


class _WatchedReplica:
    """One number of a pool, whichever actor has it."""

    def __init__(self, pool: Pool[Any], number: int, first_pause: float) -> None:
        self._pool = pool
        self._number = number
        self._first_pause = first_pause
        self._probe = HealthProbe(pool, number)
        self._pause = first_pause
        self._dead_since: float | None = None
        self._replaced_at = 0.0

    def check(self) -> None:
        """Replace the actor if Ray has given it up and the pause is over."""
        now = time.monotonic()
        if self._probe.has_answered():
            self._dead_since = None
            if now - self._replaced_at > STABLE_SECONDS:
                self._pause = self._first_pause
            return
        if not isinstance(self._probe.error, ActorDiedError):
            return
        self._dead_since = self._dead_since or now
        if now - self._dead_since < self._pause:
            return
        logging.getLogger(__name__).warning(
            "replacing replica %s of %s: %s",
            self._number,
            self._pool.name,
            self._pool.cause(self._probe.error).message,
        )
        self._pool.replace(self._number, self._probe.replica)
        self._probe = HealthProbe(self._pool, self._number)
        self._replaced_at, self._dead_since = now, None
        self._pause = min(LONGEST_PAUSE, self._pause * 2)
