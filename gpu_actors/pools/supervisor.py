"""The keeper: replaces replicas that Ray gave up, with growing pauses, so that nothing crashes in a circle.

Comes in: the pools that this process started. Leaves: a new actor under a dead one's name, which clients find
(see pool.py). One thread; it lives with the process.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Sequence
from typing import Any, Final

from ray.exceptions import ActorDiedError

from gpu_actors.pools.health_probe import Pulse
from gpu_actors.pools.pool import Pool

__all__ = ["Keeper"]

LOOK_SECONDS: Final = 1.0
FIRST_PAUSE: Final = 1.0
LONGEST_PAUSE: Final = 60.0
SOUND_SECONDS: Final = 600.0
"""Life after which a replica's former deaths are forgotten."""


class Keeper:
    """Looks after pools until it is closed."""

    def __init__(self, pools: Sequence[Pool[Any]], first_pause: float = FIRST_PAUSE) -> None:
        self._places = [
            _Place(pool, number, first_pause) for pool in pools for number in range(len(pool.replicas))
        ]
        self._closed = threading.Event()
        self._thread = threading.Thread(target=self._keep, name="replica-keeper", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Stop looking; returns when it has."""
        self._closed.set()
        self._thread.join()

    def _keep(self) -> None:
        while not self._closed.wait(LOOK_SECONDS):
            for place in self._places:
                place.look()


class _Place:
    """One replica's place in a pool."""

    def __init__(self, pool: Pool[Any], number: int, first_pause: float) -> None:
        self._pool = pool
        self._number = number
        self._first_pause = first_pause
        self._pulse = Pulse(pool, number)
        self._pause = first_pause
        self._dead_since: float | None = None
        self._replaced_at = 0.0

    def look(self) -> None:
        """Replace the replica if it is dead for good and the pause is over."""
        now = time.monotonic()
        if self._pulse.beats():
            self._dead_since = None
            if now - self._replaced_at > SOUND_SECONDS:
                self._pause = self._first_pause
            return
        if not isinstance(self._pulse.error, ActorDiedError):
            return
        self._dead_since = self._dead_since or now
        if now - self._dead_since < self._pause:
            return
        logging.getLogger(__name__).warning(
            "replacing replica %s of %s: %s",
            self._number,
            self._pool.name,
            self._pool.cause(self._pulse.error).message,
        )
        self._pool.replace(self._number, self._pulse.replica)
        self._pulse = Pulse(self._pool, self._number)
        self._replaced_at, self._dead_since = now, None
        self._pause = min(LONGEST_PAUSE, self._pause * 2)
