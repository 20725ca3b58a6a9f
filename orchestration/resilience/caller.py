"""Calls whole stages under their policies from synchronous code.

Comes in: a step of a topology and a window's documents. Leaves: one outcome and one number of attempts per
document. Guards and worker processes live in an event loop in a separate thread from call to call, so that
breakers keep their state and processes stay warm.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from typing import Any, Protocol, Self

from anyio.from_thread import start_blocking_portal

from orchestration.records import StageContext
from orchestration.resilience.batch import BatchResult, run_batch
from orchestration.resilience.guard import Guards
from orchestration.resilience.isolation import IsolatedExecution, StageHandle

__all__ = ["GuardedCaller", "Step"]


class Step(Protocol):
    """The fields of a topology's step that a call needs."""

    @property
    def name(self) -> str: ...
    @property
    def pipeline(self) -> str: ...
    @property
    def policy(self) -> str: ...
    @property
    def optional(self) -> bool: ...


class GuardedCaller:
    """Calls stages under their policies; used by one thread at a time, closed once."""

    def __init__(
        self, handle: Callable[[Any], StageHandle], guards: Guards, execution: IsolatedExecution
    ) -> None:
        """`handle` returns the stage of a step; no other caller may use `guards` and `execution`."""
        self._handle = handle
        self._guards = guards
        self._execution = execution
        self._stack = ExitStack()
        self._stack.enter_context(execution)
        self._portal = self._stack.enter_context(start_blocking_portal(name="stage-calls"))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End the event loop and the worker processes."""
        self._stack.close()

    def warm_up(self, step: Step) -> None:
        """Prepare the first call of a step; returns at once. Raises ConfigurationError like `call`."""
        self._execution.warm_up(self._handle(step))

    def call(self, step: Step, items: Sequence[tuple[StageContext, Any]]) -> BatchResult:
        """The outcome of each document; an UnavailableError means: not done, hand it back.

        Raises ConfigurationError (unknown policy, a stage that cannot be made). When the caller is
        interrupted, the stage is cancelled and the worker processes that run it are killed.
        """
        name = f"{step.pipeline}/{step.name}"
        guard = self._guards.guard(name, step.policy, optional=step.optional)
        handle = self._handle(step)
        running = self._portal.start_task_soon(run_batch, handle, items, guard, self._execution)
        try:
            return running.result()
        finally:
            running.cancel()
