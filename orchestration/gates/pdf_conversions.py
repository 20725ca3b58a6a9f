"""Drives conversions of PDFs: submits the tasks of the ledger, and records their results.

Comes in: tasks of the ledger. Leaves: converted documents in the object store, and pdf_ir_ready. One thread
of the host does this; only documents at a gate wait for it. An unavailable converter costs no attempt. A
restarted converter has lost its tasks, which are submitted again.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from typing import Final, Protocol

import structlog

from orchestration.contracts import (
    AskedConverter,
    ObjectStore,
    Obstacle,
    PdfTask,
    PdfTaskLedger,
    PdfTaskState,
    UnavailableConverter,
)
from orchestration.contracts.pdf import ConversionState, ConversionStatus, PdfConverter
from orchestration.errors import (
    BrokerRefusedError,
    ConfigurationError,
    ConversionFailedError,
    MedkgError,
    PermanentError,
    RateLimitedError,
    StageFailedError,
    StoreCorruptError,
    UnavailableError,
)
from orchestration.tracing import Span, span

__all__ = ["CalledConverters", "ConversionDriver", "PdfConversions", "conversion_failed", "pdf_gone"]

SWEEP_SECONDS: Final = 1.0
"""Seconds between two sweeps of the ledger and the converters."""


class ConversionDriver(Protocol):
    """Brings the tasks of converters forward. Used by one thread."""

    def drive(self, requested: AskedConverter) -> None:
        """Submit queued tasks of a converter and record results.

        Raises UnavailableError, RateLimitedError, ConfigurationError or BrokerRefusedError where none can be
        submitted now; tasks then wait.
        """
        ...

    def close(self) -> None:
        """End what it holds; the next host takes over its tasks."""
        ...


class PdfConversions:
    """The conversions of a data folder: a thread that drives them."""

    def __init__(self, tasks: PdfTaskLedger, driver: ConversionDriver) -> None:
        """`driver` calls converters, or a queue."""
        self._tasks = tasks
        self._driver = driver
        self._unavailable: dict[AskedConverter, Obstacle] = {}
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        self._log = structlog.get_logger(__name__)

    def start(self) -> None:
        """Start the thread, which runs until `close`."""
        self._thread = threading.Thread(target=self._run, name="pdf-conversions", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """End the thread and its driver; the next host takes over their tasks."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join()
        self._driver.close()

    def unavailable(self) -> list[UnavailableConverter]:
        """Converters that the last sweep could not use, from any thread."""
        return [
            UnavailableConverter(requested=requested, obstacle=obstacle)
            for requested, obstacle in list(self._unavailable.items())
        ]

    def sweep(self) -> None:
        """Submit queued tasks and fetch results, for every converter that has tasks."""
        converters = self._tasks.converters()
        for idle in self._unavailable.keys() - set(converters):
            del self._unavailable[idle]
        for requested in converters:
            try:
                self._driver.drive(requested)
            except (UnavailableError, RateLimitedError, ConfigurationError, BrokerRefusedError) as error:
                if requested not in self._unavailable:
                    self._log.warning(
                        "converter unavailable", converter=requested.name, message=error.message
                    )
                self._unavailable[requested] = Obstacle(code=error.code, message=error.message)
            else:
                self._unavailable.pop(requested, None)

    def _run(self) -> None:
        while not self._stop.wait(SWEEP_SECONDS):  # no-retry-loop: a clock
            try:
                self.sweep()
            except MedkgError as error:  # e.g. the disk is full; the next sweep meets it again
                self._log.warning("conversions", code=error.code, message=error.message)
            except Exception:  # noqa: BLE001 - a converter may be a plugin; the host must go on
                self._log.exception("conversions")


class CalledConverters:
    """ConversionDriver that calls converters itself."""

    def __init__(
        self,
        tasks: PdfTaskLedger,
        objects: Callable[[], ObjectStore],
        make: Callable[[AskedConverter], PdfConverter],
        owner: str,
        is_alive: Callable[[str], bool],
    ) -> None:
        """`make` creates a converter at its first task; `owner` is the process identity that leases tasks."""
        self._tasks = tasks
        self._objects = objects
        self._make = make
        self._converters: dict[AskedConverter, PdfConverter] = {}
        self._owner = owner
        self._is_alive = is_alive

    def close(self) -> None:
        """End the converters."""
        for converter in self._converters.values():
            converter.close()

    def drive(self, requested: AskedConverter) -> None:
        """Fetch results of submitted tasks, and submit queued ones; see ConversionDriver.drive."""
        converter = self._converter(requested)
        tasks = self._tasks.lease(requested, self._owner, converter.capacity, self._is_alive)
        submitted = [task for task in tasks if task.state is PdfTaskState.SUBMITTED]
        statuses = converter.poll([task.task_id or "" for task in submitted]) if submitted else ()
        for task, status in zip(submitted, statuses, strict=True):
            self._record(converter, task, status)
        queued = [task for task in tasks if task.state is PdfTaskState.QUEUED]
        self._submit(converter, queued, is_working=bool(submitted))

    def _record(self, converter: PdfConverter, task: PdfTask, status: ConversionStatus) -> None:
        if status.state is ConversionState.DONE:
            try:
                with _pdf_span("fetch converted PDF", task):
                    self._objects().put(task.ir_key, converter.result(status.task_id))
            except UnavailableError:
                raise
            except MedkgError as error:
                conversion_failed(self._tasks, task, error)
            else:
                self._tasks.mark_done(task)
        elif status.state is ConversionState.FAILED:
            conversion_failed(
                self._tasks,
                task,
                status.error or ConversionFailedError(f"{task.key.doc_id}: no reason given."),
            )
        else:
            return
        converter.forget([status.task_id])

    def _submit(self, converter: PdfConverter, tasks: Sequence[PdfTask], *, is_working: bool) -> None:
        """Submit until the converter takes no more; raises RateLimitedError if it works on none of ours."""
        for task in tasks:
            content = self._objects().get(task.pdf_key)
            if content is None:
                conversion_failed(self._tasks, task, pdf_gone(task))
                continue
            try:
                with _pdf_span("submit PDF", task) as submitting:
                    submitting.set({"medkg.bytes": len(content.data)})
                    task_id = converter.submit(content.data, task.key.doc_id)
            except UnavailableError:
                raise
            except RateLimitedError:
                if is_working:
                    return  # it takes more when it has done some
                raise
            except MedkgError as error:
                conversion_failed(self._tasks, task, error)
            else:
                self._tasks.mark_submitted(task, task_id)
                is_working = True

    def _converter(self, requested: AskedConverter) -> PdfConverter:
        if requested not in self._converters:
            self._converters[requested] = self._make(requested)
        return self._converters[requested]


def _pdf_span(name: str, task: PdfTask) -> AbstractContextManager[Span]:
    """A trace of a call to a converter: no process holds a trace for the minutes that a PDF takes."""
    attributes = {"medkg.converter": task.requested.name, "medkg.tenant": task.key.tenant_id}
    return span(name, {**attributes, "medkg.document": task.key.doc_id}, kind="client")


def conversion_failed(tasks: PdfTaskLedger, task: PdfTask, error: MedkgError) -> None:
    """Count an attempt: a Permanent error ends the conversion, another one after the last attempt."""
    for_good = isinstance(error, PermanentError | StoreCorruptError)
    structlog.get_logger(__name__).info(
        "conversion failed", document=task.key.doc_id, converter=task.requested.name, code=error.code
    )
    tasks.mark_failed(task, error.code, error.message, for_good=for_good)


def pdf_gone(task: PdfTask) -> MedkgError:
    """The error of a task whose PDF was removed."""
    return StageFailedError(
        f"{task.key.doc_id}: its PDF {task.pdf_key} is not in the object store any more. "
        "`medkg dlq replay` fetches it again."
    )
