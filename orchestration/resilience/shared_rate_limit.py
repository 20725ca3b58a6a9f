"""A rate limiter that all processes of a data folder share: the next free slot of a host, in a locked file.

Comes in: a folder, a host and its rate limit. Leaves: the wait until the caller's slot. It is ours because
aiolimiter, which guards use otherwise, counts in one process only; its algorithm, the generic cell rate
algorithm (ITU-T I.371), needs a single number.
"""

from __future__ import annotations

import fcntl
import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

import anyio

from orchestration.resilience.policies import RateLimitConfig

__all__ = ["SharedRateLimiter"]

FARTHEST_SLOT_SECONDS: Final = 3600.0
"""A slot further in the future was written under another clock, and is ignored."""


class SharedRateLimiter:
    """The slots of one host, one interval apart; `acquire` returns when the caller's slot has come."""

    def __init__(
        self, folder: Path, host: str, limit: RateLimitConfig, now: Callable[[], float] = time.time
    ) -> None:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._path = folder / (re.sub(r"[^a-zA-Z0-9.-]", "_", host) or "any")
        self._interval = 1 / limit.requests_per_second
        self._tolerance = (limit.burst - 1) * self._interval
        self._now = now

    async def acquire(self) -> None:
        """Wait for a slot. It is taken at once: a caller that is cancelled while it waits has used it."""
        await anyio.sleep(self.take())

    def take(self) -> float:
        """Take the next slot; returns the seconds until it comes. A killed process holds no lock."""
        with self._path.open("a+b") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            file.seek(0)
            now = self._now()
            written = float(file.read() or 0)
            free = max(written, now) if written < now + FARTHEST_SLOT_SECONDS else now
            file.truncate(0)
            file.write(repr(free + self._interval).encode())
        return max(0.0, free - self._tolerance - now)
