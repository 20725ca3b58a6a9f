"""A file that one process at a time locks; the kernel unlocks it when that process ends, kill -9 included."""

from __future__ import annotations

import fcntl
from pathlib import Path
from typing import IO

__all__ = ["try_lock"]


def try_lock(path: Path) -> IO[bytes] | None:
    """The file, held until it is closed; None when another process holds it. Its folder is made."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    lock = path.open("ab")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        lock.close()
        return None
    return lock
