"""Progress of a training: a bar per part on a terminal, else a plain line every few seconds, on stderr."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import typer

from orchestration.cli.output import note, stderr_console
from orchestration.errors import ExitCode

if TYPE_CHECKING:
    from gpu_actors.training.recipe import Progress, Watch

__all__ = ["interruptible", "watching_training"]

PLAIN_SECONDS: Final = 10.0
"""Interval of plain lines where there is no terminal."""


@contextmanager
def interruptible(out: Path) -> Iterator[None]:
    """Ends the command with its exit code where it is interrupted, which leaves nothing at `out`."""
    try:
        yield
    except KeyboardInterrupt:
        note(f"interrupted; nothing was written to {out}. The same command starts again.")
        raise typer.Exit(ExitCode.INTERRUPTED) from None


@contextmanager
def watching_training() -> Iterator[Watch]:
    """A watch that draws one bar per part on a terminal, else writes a line every few seconds, on stderr."""
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

    if not stderr_console().is_terminal:
        yield _Lines()
        return
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.completed:.0f} {task.fields[detail]}"),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=stderr_console()) as bars:
        yield _Bars(bars)


class _Bars:
    def __init__(self, bars: Any) -> None:
        self._bars = bars
        self._tasks: dict[str, Any] = {}

    def __call__(self, progress: Progress) -> None:
        if progress.part not in self._tasks:
            self._tasks[progress.part] = self._bars.add_task(progress.part, total=progress.total, detail="")
        self._bars.update(
            self._tasks[progress.part], completed=progress.done, total=progress.total, detail=progress.detail
        )


class _Lines:
    def __init__(self) -> None:
        self._last = time.monotonic()
        self._part = ""

    def __call__(self, progress: Progress) -> None:
        """Write a line when a part starts and ends, and every few seconds in between."""
        ends = progress.done == progress.total
        if progress.part == self._part and not ends and time.monotonic() - self._last < PLAIN_SECONDS:
            return
        self._last, self._part = time.monotonic(), progress.part
        of = f" of {progress.total}" if progress.total is not None else ""
        note(f"{progress.part}: {progress.done}{of} {progress.detail}")
