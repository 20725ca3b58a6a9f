"""Threads of a process share few heaps."""

from __future__ import annotations

import subprocess
import sys

import pytest

THREADS = """
import ctypes, threading
from orchestration.processes.memory import limit_arenas
if {limited}:
    assert limit_arenas()
barrier = threading.Barrier(32)
def work():
    barrier.wait()
    held = [bytes(2000) for _ in range(1000)]
    barrier.wait()
threads = [threading.Thread(target=work) for _ in range(32)]
[thread.start() for thread in threads]
[thread.join() for thread in threads]
libc = ctypes.CDLL(None)
libc.fopen.restype = ctypes.c_void_p
libc.malloc_info.argtypes = ctypes.c_int, ctypes.c_void_p
libc.fflush.argtypes = (ctypes.c_void_p,)
stdout = ctypes.c_void_p.in_dll(libc, "stdout")
libc.malloc_info(0, stdout)
libc.fflush(stdout)
"""


def arenas(*, limited: bool) -> int:
    done = subprocess.run(
        [sys.executable, "-c", THREADS.format(limited=limited)], capture_output=True, text=True, check=True
    )
    return done.stdout.count("<heap nr=")


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="the heaps are glibc's")
def test_threads_share_two_heaps() -> None:
    assert arenas(limited=True) <= 2 < arenas(limited=False)
