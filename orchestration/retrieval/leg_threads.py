"""Threads that legs run in: a few per leg, so that a leg that hangs blocks no other leg.

Comes in: a call. Leaves: its future. The threads are daemons, because a process must be able to end while a
leg hangs in a library; the interpreter waits for threads of concurrent.futures.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable
from concurrent.futures import Future
from contextvars import copy_context
from functools import partial
from typing import Any, Final

__all__ = ["LegThreads"]

THREADS: Final = 4
"""Concurrent searches of one leg; further ones wait."""

Job = tuple[Future[Any], Callable[[], Any]]


class LegThreads:
    """Runs calls of one leg in threads that are started on demand."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._waiting: queue.SimpleQueue[Job | None] = queue.SimpleQueue()
        self._guard = threading.Lock()
        self._threads = 0
        self._unfinished = 0

    def submit(self, call: Callable[[], Any]) -> Future[Any]:
        """Queue the call, with the context of the caller; returns its future at once."""
        call = partial(copy_context().run, call)
        future: Future[Any] = Future()
        with self._guard:
            self._waiting.put((future, call))
            self._unfinished += 1
            if self._threads < min(self._unfinished, THREADS):
                self._threads += 1
                name = f"leg-{self._name}-{self._threads}"
                threading.Thread(target=self._serve, name=name, daemon=True).start()
        return future

    def close(self) -> None:
        """End each thread after its current call and those queued before; does not wait. Idempotent."""
        for _ in range(THREADS):
            self._waiting.put(None)

    def _serve(self) -> None:
        while True:
            job = self._waiting.get()
            if job is None:
                return
            _run(*job)
            with self._guard:
                self._unfinished -= 1


def _run(future: Future[Any], call: Callable[[], Any]) -> None:
    """Settle a future unless it was cancelled meanwhile."""
    if not future.set_running_or_notify_cancel():
        return
    try:
        result = call()
    except BaseException as error:  # noqa: BLE001 - raised by the future
        future.set_exception(error)
    else:
        future.set_result(result)
