"""One warm process that executes window runs, one at a time, in its main thread.

Input over a pipe: a run to execute (by id, or to be created first), or to cancel. Output: a dagster run that
has ended in the instance, and one message about it. dagster and the definitions are
imported once, so a run starts in milliseconds; steps run in this process. It ends with the host; if it
ends alone, the pool settles its run.

    window_worker.main() with argv CONTROL_FD DAGSTER_HOME MODULE ATTRIBUTE LOCATION_NAME
"""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
import time
from collections import deque
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from queue import SimpleQueue
from typing import Any, Final

import structlog
from dagster import DagsterEventType, DagsterInstance, DagsterRun, DagsterRunStatus
from dagster._core.definitions.job_base import InMemoryJob
from dagster._core.definitions.repository_definition import RepositoryDefinition
from dagster._core.events import JobFailureData, RunFailureReason
from dagster._core.execution.api import execute_run_iterator
from dagster._utils.error import serializable_error_info_from_exc_info
from dagster._utils.interrupts import capture_interrupts, pop_captured_interrupt
from structlog.contextvars import bound_contextvars

from orchestration.dagster.instance import CodeLocation, create_window_run, job_of, open_instance_at
from orchestration.dagster.names import JOB_TAG, TRACE_TAG, window_of
from orchestration.dagster.run_log import log_runs_as_lines
from orchestration.dagster.step_failures import step_failure, with_step_failures
from orchestration.dagster.workers.worker_process import FINISHED, READY, RUN
from orchestration.errors import MedkgError, UsageError
from orchestration.known_secrets import known_secrets
from orchestration.logging import ProcessLog, configure_logging
from orchestration.settings import load_settings
from orchestration.tracing import configure_tracing, continued, flush, span

MOST_CANCELLED: Final = 1000
"""Cancelled runs to remember until they start; most that are cancelled have ended, and never do."""


@dataclass
class _Current:
    """The run that the main thread executes, shared with the control thread."""

    run_id: str | None = None
    started: bool = False
    """Whether dagster has recorded its start, which would overwrite that it is being canceled."""
    cancelled: bool = False


class WindowWorker:
    """Executes what the pool at the other end of `control` asks for, until that end closes."""

    def __init__(self, control: Connection, instance: DagsterInstance, location: CodeLocation) -> None:
        self._control = control
        self._instance = instance
        self._location = location
        self._repository: RepositoryDefinition = location.load()
        self._orders: SimpleQueue[dict[str, Any] | None] = SimpleQueue()
        self._current = _Current()
        self._cancelled_ahead: deque[str] = deque(maxlen=MOST_CANCELLED)
        """Runs that were cancelled before the main thread had come to them."""
        self._guard = threading.Lock()
        self._log = structlog.get_logger(__name__)

    def serve(self) -> None:
        """Report READY, then execute orders until the pool closes the pipe; main thread only."""
        threading.Thread(target=self._listen, name="control", daemon=True).start()
        with capture_interrupts():
            self._send(event=READY)
            self._warm_up()
            while (order := self._orders.get()) is not None:
                self._send(event=FINISHED, **self._execute(order))

    def _warm_up(self) -> None:
        """Make the first run as fast as the second; the run itself reports what is wrong."""
        try:
            self._location.warm_up()
        except MedkgError as error:
            self._log.warning("not warmed up", code=error.code, message=error.message)

    def _send(self, **message: Any) -> None:
        self._control.send_bytes(json.dumps(message).encode())

    # --- control thread -----------------------------------------------------------------------------

    def _listen(self) -> None:
        while True:
            try:
                message = json.loads(self._control.recv_bytes())
            except (EOFError, OSError):
                if self._current.run_id is not None:
                    os._exit(1)  # the pool closed or died in the middle of a run; it settles the run
                self._orders.put(None)
                return
            if message["do"] == RUN:
                self._orders.put(message)
            else:
                self._cancel(message["run_id"])

    def _cancel(self, run_id: str) -> None:
        """Interrupt the run if the main thread executes it; a later one is canceled when it starts."""
        with self._guard:
            if self._current.run_id != run_id:
                self._cancelled_ahead.append(run_id)
                return
            self._current.cancelled = True
            if self._current.started:
                self._interrupt(run_id)

    def _interrupt(self, run_id: str) -> None:
        """Mark the run as being canceled, then stop the main thread's step."""
        run = self._instance.get_run_by_id(run_id)
        if run is not None and not run.is_finished:
            if run.status is not DagsterRunStatus.CANCELING:
                self._instance.report_run_canceling(run)
            main = threading.main_thread().ident
            assert main is not None
            signal.pthread_kill(main, signal.SIGINT)

    # --- main thread --------------------------------------------------------------------------------

    def _execute(self, order: dict[str, Any]) -> dict[str, Any]:
        run_id = order["run_id"]
        cpu = time.process_time()
        with self._guard:
            self._current = _Current(run_id, cancelled=run_id in self._cancelled_ahead)
        pop_captured_interrupt()
        try:
            message = self._create_and_run(order)
        finally:
            with self._guard:
                interrupted = self._current.cancelled and self._current.started
                self._current = _Current()
            pop_captured_interrupt()
        return {
            "run_id": run_id,
            "status": self._ended(run_id).value,
            "message": message,
            "cpu_seconds": time.process_time() - cpu,
            "interrupted": interrupted,
        }

    def _ended(self, run_id: str) -> DagsterRunStatus:
        """The status of the ended run; one canceled during its last event is CANCELED."""
        run = self._instance.get_run_by_id(run_id)
        if run is None:
            return DagsterRunStatus.FAILURE
        if run.is_finished:
            return run.status
        self._instance.report_run_canceled(run, "Canceled while it ended.")
        return DagsterRunStatus.CANCELED

    def _create_and_run(self, order: dict[str, Any]) -> str | None:
        """Execute the run; returns what kept it from running, or None."""
        try:
            if order["create"] is not None:
                create_window_run(
                    self._instance, window_id=order["run_id"], location=self._location, **order["create"]
                )
            run = self._instance.get_run_by_id(order["run_id"])
            if run is None:
                raise UsageError(f"There is no run {order['run_id']} in this Dagster instance.")
        except Exception as error:  # noqa: BLE001 - whatever it is, it is this run's failure, not ours
            return f"{type(error).__name__}: {error}"
        if self._current.cancelled:
            self._instance.report_run_canceled(run, "Canceled before it started.")
            return None
        with (
            continued(run.tags.get(TRACE_TAG, "")),
            span("window", _described(run), kind="consumer") as window,
            bound_contextvars(run=run.run_id),
        ):
            failure = self._run(run)
            if failure is not None:
                window.fail("run_failed")
            return failure

    def _run(self, run: DagsterRun) -> str | None:
        failure = None
        failed_steps = []
        try:
            job = InMemoryJob(job_of(self._repository, run.job_name))
            for event in execute_run_iterator(job, run, self._instance):
                if event.event_type is DagsterEventType.RUN_START:
                    self._started(run.run_id)
                if event.is_step_failure:
                    failed_steps.append(step_failure(event))
                if event.is_run_failure:  # not the last one: resources are torn down after it
                    failure = with_step_failures(event.message, failed_steps)
        except Exception as error:  # noqa: BLE001 - the run must end, whatever dagster could not do
            self._instance.report_run_failed(
                run,
                f"The run could not be executed: {type(error).__name__}: {error}",
                JobFailureData(
                    error=serializable_error_info_from_exc_info(sys.exc_info()),
                    failure_reason=RunFailureReason.RUN_EXCEPTION,
                ),
            )
            failure = f"{type(error).__name__}: {error}"
        return failure

    def _started(self, run_id: str) -> None:
        with self._guard:
            self._current.started = True
            if self._current.cancelled:
                self._interrupt(run_id)


def main() -> None:
    """Serve the pool at the other end of the inherited socket."""
    control_fd, home, module, attribute, name = sys.argv[1:]
    os.set_inheritable(int(control_fd), False)
    settings = load_settings()
    configure_logging(settings.log_level, ProcessLog(), known_secrets(settings), "window-worker")
    configure_tracing("window-worker")
    log_runs_as_lines()
    with open_instance_at(Path(home)) as instance:
        try:
            WindowWorker(Connection(int(control_fd)), instance, CodeLocation(module, attribute, name)).serve()
        finally:
            flush()


def _described(run: DagsterRun) -> dict[str, str]:
    """Attributes of the window's span."""
    return {
        "medkg.window": window_of(run.tags) or "",
        "medkg.dagster_job": run.job_name,
        "medkg.run": run.run_id,
        "medkg.job": run.tags.get(JOB_TAG, ""),
    }
