"""A sleep that lets time pass without waiting for it."""

from __future__ import annotations

from collections.abc import Callable

import anyio.lowlevel


class FakeSleep:
    """Remembers how long it was asked to sleep, and returns at once."""

    def __init__(self) -> None:
        self.slept: list[float] = []
        self.meanwhile: Callable[[float], None] = lambda _: None

    async def __call__(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.meanwhile(seconds)
        await anyio.lowlevel.checkpoint()
