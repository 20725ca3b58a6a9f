"""Blocks of work that Ctrl-C does not interrupt.

Input: a block of the main thread. Output: the completed block; an interrupt that arrived meanwhile is
delivered after it. Without this an interrupt in the middle of a transaction can leave its lock behind, since
Python raises it between any two instructions, those of `with` and `finally` included.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ["uninterrupted"]


@contextmanager
def uninterrupted() -> Iterator[None]:
    """Hold SIGINT back until the block ends; does nothing in other threads, which get no interrupts.

    A handler that was not set from Python cannot be put back, so it is left alone.
    """
    if threading.current_thread() is not threading.main_thread() or signal.getsignal(signal.SIGINT) is None:
        yield
        return
    came = False

    def note(*_: object) -> None:
        nonlocal came
        came = True

    handler = signal.signal(signal.SIGINT, note)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, handler)
        if came:
            signal.raise_signal(signal.SIGINT)
