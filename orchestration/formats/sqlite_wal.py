"""SQLite's write-ahead log: turned on by the first process that opens a file, and its errors as messages.

Ledger and stores both need it. Comes in: a new connection. Leaves: the same one in WAL mode. The change of
mode locks the whole file: when several processes open a new one at once, SQLite reports a locked
database rather than wait as for other locks.
Source: https://www.sqlite.org/wal.html
"""

from __future__ import annotations

import sqlite3
import time
from pathlib import Path
from typing import Final

from tenacity import Retrying, retry_if_exception, stop_after_delay, wait_random

__all__ = ["BUSY_SECONDS", "DAMAGED", "UNWRITABLE", "rewrite", "set_aside", "use_wal"]

BUSY_SECONDS: Final = 30.0
"""How long a connection waits for another process' transaction."""

DAMAGED: Final = frozenset({sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB})
"""Primary result codes of a file that cannot be trusted."""

UNWRITABLE: Final = frozenset(
    {
        sqlite3.SQLITE_BUSY,
        sqlite3.SQLITE_CANTOPEN,
        sqlite3.SQLITE_FULL,
        sqlite3.SQLITE_IOERR,
        sqlite3.SQLITE_LOCKED,
        sqlite3.SQLITE_PERM,
        sqlite3.SQLITE_READONLY,
        sqlite3.SQLITE_PROTOCOL,
    }
)
"""Primary result codes of a file that cannot be used now."""


def use_wal(connection: sqlite3.Connection) -> None:
    """Put the connection's file in WAL mode, which stays with the file; raises sqlite3.OperationalError."""
    waiting = Retrying(
        retry=retry_if_exception(_is_busy),
        wait=wait_random(0.01, 0.05),
        stop=stop_after_delay(BUSY_SECONDS),
        reraise=True,
    )
    waiting(connection.execute, "PRAGMA journal_mode=WAL")


def rewrite(connection: sqlite3.Connection) -> None:
    """Rewrite the connection's file and empty its log: deleted rows are in neither afterwards.

    Raises sqlite3.OperationalError (SQLITE_BUSY) when a reader uses the log for BUSY_SECONDS.
    Source: https://www.sqlite.org/lang_vacuum.html, https://www.sqlite.org/pragma.html#pragma_wal_checkpoint
    """
    connection.execute("VACUUM")
    busy, *_ = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
    if busy:
        error = sqlite3.OperationalError("another process reads the log")
        error.sqlite_errorcode = sqlite3.SQLITE_BUSY
        raise error


def set_aside(path: Path) -> Path:
    """Move a file that cannot be read, and what SQLite keeps beside it, out of the way; returns its new path.

    No process may have it open.
    """
    aside = path.with_name(f"{path.name}.damaged-{time.time_ns()}")
    for suffix in ("", "-wal", "-shm"):
        beside = path.with_name(path.name + suffix)
        if beside.exists():
            beside.rename(aside.with_name(aside.name + suffix))
    return aside


def _is_busy(error: BaseException) -> bool:
    return getattr(error, "sqlite_errorcode", None) == sqlite3.SQLITE_BUSY
