"""Where a stage runs, so that its time-out is enforced: a thread, the plane, or killable worker processes.

Comes in: a stage and documents. Leaves: one outcome per document. A document that hangs, in C code too, is
killed with its worker process and fails alone with DagsterStageTimeoutError; one that crashes its worker
fails alone with StageCrashedError. Worker processes stay warm and end with the process that owns them.
"""

from __future__ import annotations

import asyncio
import pickle
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final, Self

import anyio
import anyio.to_thread
from pebble import ProcessExpired, ProcessPool

from orchestration.contracts import BatchStage, Isolation, Outcome, lift
from orchestration.disk_space import unwritable_disk
from orchestration.errors import ConfigurationError, MedkgError, StageCrashedError, StageFailedError
from orchestration.known_secrets import known_secrets
from orchestration.logging import configure_logging
from orchestration.processes.worker_pool import started_pool
from orchestration.records import StageContext
from orchestration.resilience.decisions import ids_bound
from orchestration.resilience.guard import timed_out
from orchestration.settings import load_settings
from orchestration.tracing import continued, traceparent

__all__ = ["IsolatedExecution", "StageHandle"]

Item = tuple[StageContext, Any]

IN_FLIGHT: Final = 2
"""Documents assigned to each worker process: one in work and one waiting, so that it is never idle."""

GRACE_SECONDS: Final = 30.0
"""Without an answer for so long beyond the time-outs of the documents ahead of it, the pool is broken."""


@dataclass(frozen=True, slots=True)
class StageHandle:
    """A stage, and where it runs."""

    name: str
    isolation: Isolation
    stage: BatchStage[Any, Any] | None = None
    """The stage itself, for INLINE and PLANE."""
    factory: Callable[[], Any] | None = None
    """Makes the stage once in each worker process, for PROCESS. Must pickle: a function of a module, or a
    functools.partial of one."""

    def __post_init__(self) -> None:
        in_a_process = self.isolation is Isolation.PROCESS
        if (self.factory is None) if in_a_process else (self.stage is None):
            raise ConfigurationError(
                f"stage {self.name} runs with isolation {self.isolation.value}, so it needs a "
                f"{'factory that makes it in a worker process' if in_a_process else 'stage object'}."
            )


class IsolatedExecution:
    """Runs stages by their isolation; one pool of worker processes serves all stages that need it.

    Belongs to one event loop. Close it (or leave its `with`) to end the worker processes.
    """

    def __init__(self, workers: int) -> None:
        """`workers`: processes for stages with isolation PROCESS; they start with the first such stage."""
        self._processes = _WorkerProcesses(workers)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def warm_up(self, handle: StageHandle) -> None:
        """Make the stage in the worker processes now, so that the first document does not wait for imports.

        Returns at once. A stage that cannot be made is reported with the first document.
        """
        if handle.isolation is Isolation.PROCESS:
            self._processes.start().schedule(_stage, (pickle.dumps(handle.factory),))

    def close(self) -> None:
        """End the worker processes, also while they work."""
        self._processes.close()

    async def run(
        self, handle: StageHandle, items: Sequence[Item], timeout_seconds: float
    ) -> Sequence[Outcome[Any]]:
        """One outcome per document, in order; raises what `execute_batch` raises when nothing was tried.

        INLINE: the caller's time-out abandons the thread. PLANE: the plane enforces the time-out. PROCESS:
        `timeout_seconds` applies to each document, from its start in a worker.
        """
        if handle.isolation is Isolation.PROCESS:
            return await self._processes.run(handle, items, timeout_seconds)
        assert handle.stage is not None
        return await anyio.to_thread.run_sync(handle.stage.execute_batch, items, abandon_on_cancel=True)


class _WorkerProcesses:
    """A pebble pool, replaced when it breaks."""

    def __init__(self, workers: int) -> None:
        self._workers = workers
        self._pool: ProcessPool | None = None
        # One thread, which lasts as long as the pool, starts all processes: see `started_pool`.
        self._starter = ThreadPoolExecutor(1, "worker-processes")
        self._in_flight: anyio.CapacityLimiter | None = None

    def start(self) -> ProcessPool:
        """The pool, with its processes started."""
        if self._pool is None or not self._pool.active:
            self._drop(self._pool)
            self._pool = self._starter.submit(started_pool, self._workers, None, _open_log).result()
        return self._pool

    def close(self) -> None:
        self._drop(self._pool)
        self._pool = None
        self._starter.shutdown()

    async def run(
        self, handle: StageHandle, items: Sequence[Item], timeout_seconds: float
    ) -> Sequence[Outcome[Any]]:
        factory = pickle.dumps(handle.factory)
        outcomes: list[Outcome[Any]] = [None] * len(items)
        if self._in_flight is None:
            self._in_flight = anyio.CapacityLimiter(self._workers * IN_FLIGHT)
        in_flight = self._in_flight

        async def run_one(position: int) -> None:
            async with in_flight:
                outcomes[position] = await self._document(
                    handle.name, factory, items[position], timeout_seconds
                )

        async with anyio.create_task_group() as group:
            for position in range(len(items)):
                group.start_soon(run_one, position)
        return outcomes

    async def _document(self, stage: str, factory: bytes, item: Item, seconds: float) -> Outcome[Any]:
        """Run one document in a worker; a cancellation kills that worker."""
        doc_id = item[0].doc_id
        pool = self._pool
        try:
            pool = self.start()
            task = pool.schedule(
                _execute, (stage, factory, pickle.dumps(item), traceparent()), timeout=seconds
            )
            with anyio.fail_after(seconds * (IN_FLIGHT + 1) + GRACE_SECONDS) as patience:
                answer: bytes = await asyncio.wrap_future(task)
        except ProcessExpired as error:
            return StageCrashedError(
                f"{doc_id}: the worker process of stage {stage} died with exit code {error.exitcode}. The "
                "record crashes its parser, or memory ran out."
            )
        except TimeoutError:
            if not patience.cancelled_caught:
                return timed_out(f"{doc_id}: stage {stage}", seconds)
            self._discard(pool)
            return StageCrashedError(f"{doc_id}: the worker processes of stage {stage} no longer answer.")
        except (BrokenProcessPool, RuntimeError) as error:
            self._discard(pool)
            return StageCrashedError(f"{doc_id}: the worker processes of stage {stage} broke: {error}.")
        outcome: Outcome[Any] = pickle.loads(answer)
        return outcome

    def _discard(self, pool: ProcessPool | None) -> None:
        """Stop using a broken pool; the next document starts another."""
        if pool is self._pool:
            self._pool = None
            self._drop(pool)

    def _drop(self, pool: ProcessPool | None) -> None:
        if pool is not None:
            pool.stop()  # type: ignore[no-untyped-call]
            pool.join()


# --- in the worker process -------------------------------------------------------------------------


def _open_log() -> None:
    """Have a worker process log as the process that started it."""
    settings = load_settings()
    configure_logging(settings.log_level, secrets=known_secrets(settings), process="parser")


def _execute(stage: str, factory: bytes, item: bytes, traceparent: str) -> bytes:
    """Run one document through the stage; bytes in and out, so that only this function can fail to pickle."""
    outcome: Outcome[Any]
    try:
        document = pickle.loads(item)
        with continued(traceparent), ids_bound(stage, [document[0]]):
            (outcome,) = _stage(factory).execute_batch([document])
        return pickle.dumps(outcome)
    except MedkgError as error:
        outcome = error
    except BaseException as error:  # noqa: BLE001 - not even SystemExit of a plugin may end the worker
        outcome = unwritable_disk(error) or StageFailedError(
            f"stage {stage} raised {type(error).__name__} in its worker process: {error}. "
            "Fix the stage, then `medkg dlq replay`."
        )
    return pickle.dumps(outcome)


@lru_cache(maxsize=32)
def _stage(factory: bytes) -> BatchStage[Any, Any]:
    """The stage of this worker process, made once and used for every document."""
    return lift(pickle.loads(factory)())
