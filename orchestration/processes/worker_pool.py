"""Pools of worker processes that can be killed at a time-out and end with the process that owns them.

Input: how many, and how much memory each may have. Output: a started pebble pool. Nothing is forked from a
process with threads: workers are spawned, and import what their tasks name.
"""

from __future__ import annotations

import os
import resource
import signal
from collections.abc import Callable
from multiprocessing import get_context

from pebble import ProcessPool

from orchestration.processes.child_process import die_with_parent

__all__ = ["started_pool"]


def started_pool(
    workers: int, memory_bytes: int | None = None, enter: Callable[[], None] | None = None
) -> ProcessPool:
    """A pool whose processes run; call it from a thread that lives as long as the pool.

    The kernel ends a worker when the *thread* that started it ends (pebble replaces killed workers from a
    thread that lives as long as the pool). `memory_bytes` bounds each worker's address space.
    Each worker first calls `enter`, a function of a module.
    """
    pool = ProcessPool(
        max_workers=workers,
        initializer=_enter_worker,
        initargs=(os.getpid(), memory_bytes, enter),
        context=get_context("spawn"),
    )
    assert pool.active  # asking starts the processes, in this thread
    return pool


def _enter_worker(parent_pid: int, memory_bytes: int | None, enter: Callable[[], None] | None) -> None:
    """Die with the parent, and at once on SIGTERM: a handler in Python would wait for C code to return."""
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    if memory_bytes is not None:
        resource.setrlimit(resource.RLIMIT_AS, (memory_bytes, memory_bytes))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    die_with_parent(parent_pid)
    if enter is not None:
        enter()
