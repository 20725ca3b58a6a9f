"""Progress of a job (stage, rate, failures, time left) or a count: bars on a terminal, else plain lines."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Final, Protocol

from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TaskProgressColumn,
    TextColumn,
    TimeRemainingColumn,
)

from orchestration.cli.output import note, stderr_console
from orchestration.contracts import JobState, JobSummary
from orchestration.jobs.working_stage import PhaseStages, working_stage

__all__ = ["Watch", "counting", "watching"]

PLAIN_SECONDS: Final = 5.0
"""Interval of plain lines where there is no terminal."""


class Watch(Protocol):
    """Shows a job's state; called whenever it may have changed."""

    def __call__(self, summary: JobSummary) -> None: ...


@contextmanager
def watching(quiet: bool, phases: Sequence[PhaseStages] = ()) -> Iterator[Watch]:
    """A watch that draws a bar on a terminal, else writes a line every few seconds; quiet shows nothing.

    `phases`: of the job's topology, to name the stage that works; without them the last finished one is.
    """
    if quiet:
        yield lambda summary: None
    elif stderr_console().is_terminal:
        with _bars() as bars:
            yield _Bar(bars, phases)
    else:
        yield _Lines(phases)


@contextmanager
def counting(done_word: str, quiet: bool) -> Iterator[Callable[[int, int], None]]:
    """Shows (documents done, of how many): a bar on a terminal, else a line every few seconds."""
    if quiet:
        yield lambda done, total: None
    elif stderr_console().is_terminal:
        columns = TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn()
        with Progress(*columns, console=stderr_console(), transient=True) as bars:
            task = bars.add_task(f"documents {done_word}", total=None)
            yield lambda done, total: bars.update(task, completed=done, total=total)
    else:
        yield _counted_lines(done_word)


def _counted_lines(done_word: str) -> Callable[[int, int], None]:
    last = time.monotonic()

    def show(done: int, total: int) -> None:
        nonlocal last
        if time.monotonic() - last >= PLAIN_SECONDS:
            last = time.monotonic()
            note(f"{done} of {total} documents {done_word}")

    return show


def _bars() -> Progress:
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        TaskProgressColumn(),
        TextColumn("{task.completed:.0f}/{task.total:.0f}"),
        TextColumn("{task.fields[rate]:.1f} docs/s"),
        TextColumn("{task.fields[failed]} failed"),
        TimeRemainingColumn(),
        console=stderr_console(),
        transient=True,
    )


class _Rate:
    """Documents per second since the first window started."""

    def __init__(self) -> None:
        self._started: float | None = None

    def of(self, summary: JobSummary) -> float:
        if self._started is None and summary.stages:
            self._started = min(report.started_at for report in summary.stages)
        if self._started is None:
            return 0.0
        return summary.documents.committed / max(0.001, time.time() - self._started)


class _Bar:
    def __init__(self, bars: Progress, phases: Sequence[PhaseStages]) -> None:
        self._bars = bars
        self._phases = phases
        self._rate = _Rate()
        self._task = bars.add_task("enumerating the source", total=None, rate=0.0, failed=0)

    def __call__(self, summary: JobSummary) -> None:
        documents = summary.documents
        enumerating = summary.state is JobState.ENUMERATING
        self._bars.update(
            self._task,
            description=f"enumerating the source: {documents.total}"
            if enumerating
            else working_stage(summary.stages, self._phases),
            total=max(1, documents.total),
            completed=documents.total - documents.pending,
            rate=self._rate.of(summary),
            failed=documents.failed,
        )


class _Lines:
    def __init__(self, phases: Sequence[PhaseStages]) -> None:
        self._phases = phases
        self._last = time.monotonic()
        self._rate = _Rate()

    def __call__(self, summary: JobSummary) -> None:
        if time.monotonic() - self._last < PLAIN_SECONDS:
            return
        self._last = time.monotonic()
        documents, stage = summary.documents, working_stage(summary.stages, self._phases)
        note(
            f"{stage}: {documents.total - documents.pending} of {documents.total} documents, "
            f"{documents.failed} failed, {self._rate.of(summary):.1f} docs/s"
        )
