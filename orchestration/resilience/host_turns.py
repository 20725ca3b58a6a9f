"""A rate that holds for all processes of a data folder: the next free moment of a host, in a file.

Comes in: a folder, a host and its rate limit. Leaves: the wait until its turn. aiolimiter, which the guard
takes otherwise, counts in one process only. The generic cell rate algorithm (ITU-T I.371) needs one number.
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

__all__ = ["HostTurns"]

FORGOTTEN_SECONDS: Final = 3600.0
"""A turn further away than this was written by another clock."""


class HostTurns:
    """One host's turns; `acquire` returns when it is the caller's."""

    def __init__(
        self, folder: Path, host: str, limit: RateLimitConfig, now: Callable[[], float] = time.time
    ) -> None:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._path = folder / (re.sub(r"[^a-zA-Z0-9.-]", "_", host) or "any")
        self._interval = 1 / limit.requests_per_second
        self._tolerance = (limit.burst - 1) * self._interval
        self._now = now

    async def acquire(self) -> None:
        """Wait for a turn, which is taken at once: a caller that gives up has used it."""
        await anyio.sleep(self.take())

    def take(self) -> float:
        """Take the next turn; seconds until it comes. A killed process blocks nobody: its lock is gone."""
        with self._path.open("a+b") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            file.seek(0)
            now = self._now()
            written = float(file.read() or 0)
            free = max(written, now) if written < now + FORGOTTEN_SECONDS else now
            file.truncate(0)
            file.write(repr(free + self._interval).encode())
        return max(0.0, free - self._tolerance - now)
