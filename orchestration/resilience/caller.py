"""The resilience room's front door for synchronous code: one call, a whole stage under its policy.

Comes in: a step of a topology and a window's documents. Leaves: one outcome a document and how often each
was tried. An event loop in a thread of its own carries guards and worker processes from call to call, so
that breakers remember and processes stay warm.
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
    """What is needed of a topology's step."""

    @property
    def name(self) -> str: ...
    @property
    def pipeline(self) -> str: ...
    @property
    def policy(self) -> str: ...


class GuardedCaller:
    """Calls stages under their policies; used by one thread at a time, closed once."""

    def __init__(
        self, handle: Callable[[Any], StageHandle], guards: Guards, execution: IsolatedExecution
    ) -> None:
        """`handle` gives a step's stage; the other two are this caller's alone."""
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
        """Prepare for a step's first call; returns at once. Raises ConfigurationError as `call` does."""
        self._execution.warm_up(self._handle(step))

    def call(self, step: Step, items: Sequence[tuple[StageContext, Any]]) -> BatchResult:
        """Every document's outcome; an UnavailableError among them means: not done, hand it back.

        Raises ConfigurationError (unknown policy, a stage that cannot be made). When the caller is
        interrupted, the stage is cancelled: worker processes at it are killed.
        """
        guard = self._guards.guard(f"{step.pipeline}/{step.name}", step.policy)
        handle = self._handle(step)
        running = self._portal.start_task_soon(run_batch, handle, items, guard, self._execution)
        try:
            return running.result()
        finally:
            running.cancel()
