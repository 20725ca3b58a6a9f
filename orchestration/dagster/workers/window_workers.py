"""The host's pool of warm window workers: a queue of runs, N processes, and the outcome of each run.

Input: runs to execute, by id, or windows whose run is to be created first. Output: every submitted run
ends as SUCCESS, FAILURE or CANCELED in the Dagster instance and is passed to `on_finished`, whatever happens
to its worker. A worker that ended, or whose code or topologies changed, is replaced before the next run.

Each place in the pool has a thread that starts its workers and gives them runs.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Collection, Mapping
from dataclasses import asdict, dataclass
from typing import Any, Final, Self

import structlog
from dagster import DagsterInstance, DagsterRunStatus

from orchestration.contracts.host import ChildHealth, ChildState, RunState
from orchestration.dagster.workers.worker_process import (
    CANCEL,
    RUN,
    SourceWatch,
    WorkerCommand,
    WorkerPlace,
    WorkerProcess,
)
from orchestration.errors import DagsterResourceUnavailableError
from orchestration.processes.child_process import is_running, log_tail
from orchestration.processes.fork_server import ForkServers

RETIRE_SECONDS: Final = 5.0
"""How long an idle worker may take to end before it is killed."""

NOT_STARTED: Final = (DagsterRunStatus.NOT_STARTED, DagsterRunStatus.STARTING)


@dataclass(frozen=True)
class NewRun:
    """A window's run that the worker creates before it executes it, from definitions as they are then."""

    job_name: str
    tags: Mapping[str, str]
    run_config: Mapping[str, Any]


@dataclass(frozen=True)
class FinishedRun:
    """The outcome of a run."""

    run_id: str
    status: str
    """SUCCESS, FAILURE or CANCELED."""
    message: str | None
    """Why it failed or was canceled."""
    cpu_seconds: float | None
    """Of its worker; None if the worker was killed or not needed."""


@dataclass
class _Order:
    """A run that was submitted, and the worker that executes it."""

    run_id: str
    create: NewRun | None
    cancelled: bool = False
    worker: WorkerProcess | None = None


class WindowWorkers:
    """`size` warm workers over one queue; threads of the host may call it. Close it when done."""

    def __init__(
        self,
        instance: DagsterInstance,
        command: WorkerCommand,
        size: int,
        on_finished: Callable[[FinishedRun], None],
        sources: SourceWatch,
        fork_servers: ForkServers | None = None,
        cancel_seconds: float = 20.0,
    ) -> None:
        """`sources`: what workers are restarted after; `fork_servers`: default: one for these workers."""
        self._instance = instance
        self._on_finished = on_finished
        self._cancel_seconds = cancel_seconds
        self._log = structlog.get_logger(__name__)
        self._news = threading.Condition()
        self._queue: deque[_Order] = deque()
        self._running: dict[str, _Order] = {}
        self._starts: dict[int, str | None] = {}
        """By place: why its first worker did not start, None if it did."""
        self._closing = False
        self._sources = sources
        self._own_servers = ForkServers(command.started_fork_server) if fork_servers is None else None
        servers = fork_servers or self._own_servers
        assert servers is not None
        self._places = [WorkerPlace(command, sources, number, servers) for number in range(size)]
        self._threads = [
            threading.Thread(
                target=self._keep, args=(place,), name=f"window-worker-{place.number}", daemon=True
            )
            for place in self._places
        ]

    # --- for the host -------------------------------------------------------------------------------

    def start(self) -> Self:
        """Start the workers; does not wait for them."""
        for thread in self._threads:
            thread.start()
        return self

    def wait_until_ready(self, timeout: float) -> None:
        """Wait for all workers' start; raises DagsterResourceUnavailableError if one fails or is late."""
        with self._news:
            self._news.wait_for(lambda: len(self._starts) == len(self._threads), timeout)
            problems = [problem for problem in self._starts.values() if problem is not None]
            if problems:
                raise DagsterResourceUnavailableError(f"A window worker did not start: {problems[0]}.")
            if len(self._starts) < len(self._threads):
                raise DagsterResourceUnavailableError(
                    f"Only {len(self._starts)} of {len(self._threads)} window workers started in "
                    f"{timeout:g} s. The machine may be overloaded; see their logs."
                )

    def submit(self, run_id: str, create: NewRun | None = None) -> None:
        """Queue a run; returns at once. A run that is queued or running already is not queued again."""
        with self._news:
            if self._state(run_id) is RunState.ABSENT:
                self._queue.append(_Order(run_id, create))
                self._news.notify_all()

    def cancel(self, run_id: str) -> bool:
        """End a run as CANCELED; False when it is not here. Returns at once.

        A worker that does not end the run within `cancel_seconds` is killed.
        """
        with self._news:
            waiting = next((order for order in self._queue if order.run_id == run_id), None)
            if waiting is None:
                return self._interrupt(run_id)
            self._queue.remove(waiting)
        waiting.cancelled = True
        self._finish(self._settle(waiting, "it waited for a worker"))
        return True

    def state(self, run_id: str) -> RunState:
        """Where a run is in the pool."""
        with self._news:
            return self._state(run_id)

    def running(self) -> tuple[str, ...]:
        """Runs that a worker executes."""
        with self._news:
            return tuple(self._running)

    def queued(self) -> tuple[str, ...]:
        """Runs that wait for a worker, next one first."""
        with self._news:
            return tuple(order.run_id for order in self._queue)

    def tick(self) -> None:
        """Have workers that ended while they waited for a run replaced; does not wait for that."""
        with self._news:
            self._news.notify_all()

    def renew(self) -> tuple[str, ...]:
        """Have each worker replaced before its next run, by one that sees the environment as it is now.

        Returns the runs that previous workers still execute.
        """
        with self._news:
            self._sources.change()
            return tuple(self._running)

    def wait_until_ended(self, run_ids: Collection[str]) -> None:
        """Return when none of these runs is at a worker."""
        with self._news:
            self._news.wait_for(lambda: self._running.keys().isdisjoint(run_ids))

    def describe(self) -> list[dict[str, Any]]:
        """Each place: its worker's pid, and the run that it executes."""
        with self._news:
            at = {order.worker.pid: run_id for run_id, order in self._running.items() if order.worker}
        pids = [place.pid for place in self._places]
        return [{"pid": pid, "run": at.get(pid) if pid is not None else None} for pid in pids]

    def health(self) -> list[ChildHealth]:
        """The health of each place's worker."""
        with self._news:
            started = set(self._starts)
        return [_health(place, place.number in started) for place in self._places]

    def close(self) -> None:
        """Cancel what runs and waits, end the workers; returns when none is left."""
        with self._news:
            self._closing = True
            waiting = list(self._queue)
            self._queue.clear()
            for run_id in self._running:
                self._interrupt(run_id)
            self._news.notify_all()
        for order in waiting:
            order.cancelled = True
            self._finish(self._settle(order, "the host was stopped"))
        for thread in self._threads:
            if thread.ident is not None:  # a host may fail before it starts them
                thread.join()
        if self._own_servers is not None:
            self._own_servers.close()

    # --- a place's thread ---------------------------------------------------------------------------

    def _keep(self, place: WorkerPlace) -> None:
        """Keep a worker at one place and give it runs until the pool closes."""
        self._warm(place)
        with self._news:
            self._starts[place.number] = None if place.pid is not None else place.problem
            self._news.notify_all()
        while not self._closing:
            order = self._take(place)
            if order is not None:
                self._finish(self._execute(place, order))
            self._warm(place)
        place.retire(RETIRE_SECONDS)

    def _warm(self, place: WorkerPlace) -> None:
        """Start the first worker, or replace a dead one, now, not when the next run waits for it."""
        try:
            if not self._closing:
                place.worker()
        except OSError as error:  # e.g. disk full; the next run starts one
            place.problem = f"it cannot be started: {error}"
            self._log.exception("window_worker_not_replaced", place=place.number)

    def _take(self, place: WorkerPlace) -> _Order | None:
        """The next run; None when the pool closes, or the place's worker has ended meanwhile."""
        with self._news:
            self._news.wait_for(lambda: self._queue or self._closing or place.has_lost_worker())
            if self._closing or not self._queue:
                return None
            order = self._queue.popleft()
            self._running[order.run_id] = order
            return order

    def _execute(self, place: WorkerPlace, order: _Order) -> FinishedRun:
        """Have a run executed; a worker that ends before the run has started is replaced once."""
        try:
            finished = self._attempt(place, order)
            if finished is None and self._has_started(order.run_id):
                finished = self._settle(order, place.problem)
            if finished is None:
                finished = self._attempt(place, order) or self._settle(order, place.problem)
        except Exception as error:  # noqa: BLE001 - e.g. disk full; this place must continue
            self._log.exception("window_run_lost", run_id=order.run_id)
            finished = FinishedRun(order.run_id, "FAILURE", f"{type(error).__name__}: {error}", None)
        return finished

    def _attempt(self, place: WorkerPlace, order: _Order) -> FinishedRun | None:
        """Execute it on the place's worker; None when that died, or none could be started."""
        worker = place.worker()
        if worker is None:
            return None
        with self._news:
            if order.cancelled:
                worker = None
            order.worker = worker
        if worker is None:
            return self._settle(order, "it had not started")
        worker.send(
            do=RUN, run_id=order.run_id, create=asdict(order.create) if order.create is not None else None
        )
        answer = worker.receive()
        with self._news:
            order.worker = None
        if answer is None:
            place.bury()
            return None
        if answer["interrupted"]:  # anywhere in its code: it may hold a lock, or a call half done
            place.retire(timeout=0.0)
        return FinishedRun(order.run_id, answer["status"], answer["message"], answer["cpu_seconds"])

    # --- runs ---------------------------------------------------------------------------------------

    def _state(self, run_id: str) -> RunState:
        if run_id in self._running:
            return RunState.RUNNING
        if any(order.run_id == run_id for order in self._queue):
            return RunState.QUEUED
        return RunState.ABSENT

    def _interrupt(self, run_id: str) -> bool:
        """Ask the worker to end the run, and kill it if it does not; needs the lock."""
        order = self._running.get(run_id)
        if order is None:
            return False
        order.cancelled = True
        if order.worker is not None:
            order.worker.send(do=CANCEL, run_id=run_id)
            killer = threading.Timer(self._cancel_seconds, self._kill_if_still_at, [order, order.worker])
            killer.daemon = True
            killer.start()
        return True

    def _kill_if_still_at(self, order: _Order, worker: WorkerProcess) -> None:
        with self._news:
            if order.worker is worker:
                worker.kill()

    def _has_started(self, run_id: str) -> bool:
        run = self._instance.get_run_by_id(run_id)
        return run is not None and run.status not in NOT_STARTED

    def _settle(self, order: _Order, why: str) -> FinishedRun:
        """End a run that no worker ends: in the instance, unless it has ended there, and for the host."""
        run = self._instance.get_run_by_id(order.run_id)
        status = DagsterRunStatus.CANCELED if order.cancelled else DagsterRunStatus.FAILURE
        if run is not None and run.is_finished:
            status = run.status
        elif run is not None:
            if order.cancelled or run.status is DagsterRunStatus.CANCELING:
                status = DagsterRunStatus.CANCELED
                self._instance.report_run_canceled(run, f"The run was canceled: {why}.")
            else:
                self._instance.report_run_failed(run, f"The run did not finish: {why}.")
            self._instance.event_log_storage.free_concurrency_slots_for_run(order.run_id)
        return FinishedRun(order.run_id, status.value, why, None)

    def _finish(self, finished: FinishedRun) -> None:
        with self._news:
            self._running.pop(finished.run_id, None)
            self._news.notify_all()
        try:
            self._on_finished(finished)
        except Exception:  # noqa: BLE001 - an error of the host's callback must not end this thread
            self._log.exception("window_run_callback_failed", run_id=finished.run_id)


def _health(place: WorkerPlace, has_started: bool) -> ChildHealth:
    name, pid = f"window-worker-{place.number}", place.pid
    if pid is not None and is_running(pid):
        return ChildHealth(name=name, pid=pid, state=ChildState.RUNNING)
    if pid is not None:
        problem = f"its process {pid} ended; another is started"
        return ChildHealth(name=name, pid=None, state=ChildState.RESTARTING, problem=problem)
    if not (has_started and place.problem):
        return ChildHealth(name=name, pid=None, state=ChildState.STARTING)
    last = f", which ends with: {log_tail(place.log_path, 1)}" if place.log_path is not None else ""
    return ChildHealth(name=name, pid=None, state=ChildState.FAILED, problem=f"{place.problem}{last}")
