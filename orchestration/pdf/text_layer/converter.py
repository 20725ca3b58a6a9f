"""The text layer as a PdfConverter: each PDF in a worker process that is killed at its limits.

Comes in: the bytes of PDFs, as tasks. Leaves: `pdf-ir` bytes, or the reason for a failure. A PDF that takes
too long, needs too much memory or crashes PDFium ends its worker process and fails alone. Tasks exist in
this process only: after its end, or `forget`, their ids are lost and must be submitted again.
"""

from __future__ import annotations

import threading
import time
import uuid
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from signal import SIGKILL, SIGTERM
from typing import Final

from pebble import ProcessExpired, ProcessPool
from pydantic import Field

from orchestration.contracts import ConversionState, ConversionStatus
from orchestration.errors import (
    ConversionFailedError,
    ConversionLostError,
    DagsterStageTimeoutError,
    DocumentTooLargeError,
    MedkgError,
    PdfLimitError,
    RateLimitedError,
    StageCrashedError,
    StageFailedError,
)
from orchestration.pdf.configuration import configured
from orchestration.pdf.text_layer.reading import NAME, VERSION, Limits, convert
from orchestration.processes.worker_pool import started_pool
from orchestration.records import Record

__all__ = ["TextLayerConfig", "TextLayerConverter"]

QUEUE_FACTOR: Final = 8
"""Tasks held for each worker process; more are refused until some are forgotten."""


class TextLayerConfig(Record):
    """Settings of the text layer in a topology."""

    workers: int = Field(default=1, ge=1, le=64, description="Processes that read PDFs.")
    seconds: float = Field(default=300, gt=0, le=3_600, description="What one PDF may take.")
    megabytes: int = Field(default=2_048, ge=256, le=65_536, description="Memory of a worker process.")
    max_megabytes: int = Field(default=200, ge=1, le=2_000, description="Largest PDF.")
    pages: int = Field(default=2_000, ge=1, le=100_000, description="Pages of the longest PDF.")
    characters: int = Field(
        default=10_000_000, ge=1_000, le=1_000_000_000, description="Characters of the longest PDF."
    )


GRACE_SECONDS: Final = 20.0
"""Without any task running, or beyond a task's own time, before the pool counts as broken."""


@dataclass(slots=True)
class _Task:
    doc_id: str
    future: Future[bytes]
    pool: ProcessPool
    running_since: float | None = None
    """When it was first seen running, by the monotonic clock."""


class TextLayerConverter:
    """PdfConverter that reads a PDF's own characters. Thread-safe."""

    name = NAME
    version = VERSION

    def __init__(self, **config: object) -> None:
        """Fields of `TextLayerConfig`; raises ConfigurationError. Processes start with the first task."""
        self._config = configured(TextLayerConfig, NAME, config)
        self._limits = Limits(pages=self._config.pages, characters=self._config.characters)
        self._lock = threading.Lock()
        self._tasks: dict[str, _Task] = {}
        self._pool: ProcessPool | None = None
        self._still_since: float | None = None
        """Since when tasks wait and none runs, by the monotonic clock."""
        self._starter = ThreadPoolExecutor(1, "pdf-processes")

    @property
    def capacity(self) -> int:
        return 2 * self._config.workers

    def submit(self, pdf: bytes, doc_id: str) -> str:
        if len(pdf) > self._config.max_megabytes * 1_000_000:
            raise DocumentTooLargeError(
                f"{doc_id}: the PDF has {len(pdf):,} bytes, more than the text layer reads "
                f"({self._config.max_megabytes} MB). Split it, or raise `max_megabytes` of the converter."
            )
        with self._lock:
            if len(self._tasks) >= QUEUE_FACTOR * self._config.workers:
                raise RateLimitedError(
                    f"{doc_id}: the text layer holds {len(self._tasks)} tasks already. Fetch their results.",
                    retry_after=1.0,
                )
            task_id = uuid.uuid4().hex
            pool = self._running_pool()
            future: Future[bytes] = pool.schedule(
                convert, (pdf, doc_id, self._limits), timeout=self._config.seconds
            )
            self._tasks[task_id] = _Task(doc_id, future, pool)
            return task_id

    def poll(self, task_ids: Sequence[str]) -> Sequence[ConversionStatus]:
        with self._lock:
            if self._is_broken(time.monotonic()):
                self._discard_pool()
        return [self._status(task_id) for task_id in task_ids]

    def result(self, task_id: str) -> bytes:
        task = self._tasks.get(task_id)
        if task is None:
            raise _lost(task_id)
        status = self._status(task_id)
        if status.error is not None:
            raise status.error
        if status.state is not ConversionState.DONE:
            raise ConversionFailedError(
                f"{task.doc_id}: its PDF is still being read. Ask again when it is done."
            )
        return task.future.result()

    def forget(self, task_ids: Sequence[str]) -> None:
        with self._lock:
            tasks = [self._tasks.pop(task_id) for task_id in task_ids if task_id in self._tasks]
        for task in tasks:
            task.future.cancel()

    def close(self) -> None:
        with self._lock:
            self._discard_pool()
            self._tasks.clear()
        self._starter.shutdown()

    def _running_pool(self) -> ProcessPool:
        if self._pool is None or not self._pool.active:
            self._discard_pool()
            memory = self._config.megabytes << 20
            self._pool = self._starter.submit(started_pool, self._config.workers, memory).result()
        return self._pool

    def _is_broken(self, now: float) -> bool:
        """Whether tasks wait though none runs, or one runs that should have been stopped.

        A worker that is killed from outside may have held the lock of its pool's queue.
        """
        waiting = [task for task in self._tasks.values() if not task.future.done()]
        running = [task for task in waiting if task.future.running()]
        for task in running:
            task.running_since = task.running_since or now
        self._still_since = (self._still_since or now) if waiting and not running else None
        overdue = self._config.seconds + GRACE_SECONDS
        return (self._still_since is not None and now - self._still_since > GRACE_SECONDS) or any(
            now - (task.running_since or now) > overdue for task in running
        )

    def _discard_pool(self) -> None:
        """End the pool's processes; unfinished tasks are cancelled, and so lost."""
        pool, self._pool, self._still_since = self._pool, None, None
        if pool is None:
            return
        pool.stop()  # type: ignore[no-untyped-call]
        pool.join()
        for task in self._tasks.values():
            if task.pool is pool:
                task.future.cancel()

    def _status(self, task_id: str) -> ConversionStatus:
        task = self._tasks.get(task_id)
        if task is None:
            return ConversionStatus(task_id, ConversionState.FAILED, _lost(task_id))
        if not task.future.done():
            running = task.future.running()
            return ConversionStatus(task_id, ConversionState.RUNNING if running else ConversionState.QUEUED)
        if task.future.cancelled():
            return ConversionStatus(task_id, ConversionState.FAILED, _lost(task_id))
        error = task.future.exception()
        if error is not None:
            return ConversionStatus(task_id, ConversionState.FAILED, self._named(task.doc_id, error))
        return ConversionStatus(task_id, ConversionState.DONE)

    def _named(self, doc_id: str, error: BaseException) -> MedkgError:
        """The error that ended a task, as one of medkg's errors."""
        if isinstance(error, MedkgError):
            return error
        if isinstance(error, TimeoutError):
            return DagsterStageTimeoutError(
                f"{doc_id}: reading the PDF's text layer took more than {self._config.seconds:g} s and was "
                "stopped. Convert it with MinerU, or raise `seconds` of the converter."
            )
        if isinstance(error, MemoryError) or (
            isinstance(error, ProcessExpired) and error.exitcode not in (-SIGKILL, -SIGTERM)
        ):
            return PdfLimitError(
                f"{doc_id}: reading the PDF needs more than {self._config.megabytes} MB, or crashes PDFium. "
                "Convert it with MinerU, or leave it out."
            )
        if isinstance(error, ProcessExpired | BrokenProcessPool):
            return StageCrashedError(f"{doc_id}: the process that read the PDF was killed from outside.")
        return StageFailedError(
            f"{doc_id}: the text layer raised {type(error).__name__}: {error}. Report this PDF as a bug."
        )


def _lost(task_id: str) -> ConversionLostError:
    return ConversionLostError(
        f"task {task_id} is not known to the text layer: its process was restarted, or it was forgotten. "
        "Submit the PDF again."
    )
