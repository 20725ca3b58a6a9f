"""A sleep that returns at once."""

from __future__ import annotations

from collections.abc import Callable

import anyio.lowlevel


class FakeSleep:
    """Records the requested seconds and returns at once."""

    def __init__(self) -> None:
        self.slept: list[float] = []
        self.meanwhile: Callable[[float], None] = lambda _: None

    async def __call__(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.meanwhile(seconds)
        await anyio.lowlevel.checkpoint()
