"""The starts and ends of one process that the host keeps, and the health that follows from them.

Input: when it was started, how it ended, whether it answers. Output: its `ChildHealth`. A process that ends
again and again is restarted each time, so that it would seem to run whenever it is looked at; what counts is
how often it has ended since it last ran for long.
"""

from __future__ import annotations

import socket
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

from orchestration.contracts.host import ChildHealth, ChildState
from orchestration.processes.child_process import is_running, log_tail

__all__ = ["ServiceHistory", "accepts"]

STABLE_SECONDS: Final = 60.0
"""A process that has run so long has recovered from its earlier ends."""

SILENT_SECONDS: Final = 120.0
"""A process that has not answered for so long, since its start or its last answer, has failed."""

ANSWER_SECONDS: Final = 1.0


class ServiceHistory:
    """Of one process, whichever pid it has; only the host's main thread records its starts and ends."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._started = self._answered = clock()
        self._exit_code: int | None = None
        self._ended = False
        self._ends = 0
        """In succession, none of them after STABLE_SECONDS."""
        self._restarts = 0
        self._is_replaced = False

    def will_be_replaced(self) -> None:
        """Record that the host ends it to start another; until that runs it is starting."""
        self._is_replaced = True

    def has_started(self) -> None:
        """Record a start."""
        self._started = self._answered = self._clock()
        self._ended = self._is_replaced = False

    def has_ended(self, exit_code: int | None) -> None:
        """Record that it ended by itself; once per start."""
        if self._ended:
            return
        self._ends = 1 if self.seconds() >= STABLE_SECONDS else self._ends + 1
        self._ended, self._exit_code = True, exit_code
        self._restarts += 1

    def has_answered(self) -> None:
        """Record that it accepted a connection."""
        self._answered = self._clock()

    def seconds(self) -> float:
        """Seconds since its start."""
        return self._clock() - self._started

    def health(self, name: str, pid: int, log_path: Path, answers: bool) -> ChildHealth:
        """The health of the process `pid`; `answers`: whether it accepts connections now."""
        runs = is_running(pid)
        if answers:
            self.has_answered()
        state = self._state(runs, answers)
        return ChildHealth(
            name=name,
            pid=pid if runs else None,
            state=state,
            restarts=self._restarts,
            problem=self._problem(runs, state, log_path),
        )

    def _state(self, runs: bool, answers: bool) -> ChildState:
        recovered = runs and self.seconds() >= STABLE_SECONDS
        if self._ends > 1 and not recovered:
            return ChildState.FAILED
        if not runs:
            return ChildState.STARTING if self._is_replaced else ChildState.RESTARTING
        if answers:
            return ChildState.RUNNING
        is_silent = not self._is_replaced and self._silence() >= SILENT_SECONDS
        return ChildState.FAILED if is_silent else ChildState.STARTING

    def _silence(self) -> float:
        """Seconds since it last accepted a connection, or since its start."""
        return self._clock() - self._answered

    def _problem(self, runs: bool, state: ChildState, log_path: Path) -> str | None:
        if state in (ChildState.STARTING, ChildState.RUNNING):
            return None
        if runs and self._ends < 2:
            what = f"it has not answered for {self._silence():.0f} s"
        elif self._ends > 1:
            what = f"it ended {self._ends} times in succession{self._with_code()}, and is restarted each time"
        else:
            what = f"it ended{self._with_code()}, and is restarted"
        return f"{what}. Its log {log_path} ends with: {log_tail(log_path, 1)}"

    def _with_code(self) -> str:
        return f" with exit code {self._exit_code}" if self._ends else ""


def accepts(family: socket.AddressFamily, address: str | tuple[str, int]) -> bool:
    """Whether a process accepts a connection at the address."""
    with socket.socket(family, socket.SOCK_STREAM) as client:
        client.settimeout(ANSWER_SECONDS)
        return client.connect_ex(address) == 0
