"""The ledger's file when it cannot be opened: what is wrong with it, and how it is moved out of the way.

Comes in: the ledger's URL. Leaves: the defect, or the file's new place. Databases of a server look after
themselves, and so does their operator.
"""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

from sqlalchemy import make_url

from orchestration.formats.sqlite_wal import BUSY_SECONDS, DAMAGED, set_aside

__all__ = ["ledger_damage", "set_ledger_aside"]


def ledger_damage(url: str) -> str | None:
    """What SQLite's own check finds wrong with the ledger's file; None if it is sound, or there is none.

    Reads all of it.
    """
    path = _path(url)
    if path is None or not path.exists():
        return None
    try:
        with closing(sqlite3.connect(path, timeout=BUSY_SECONDS)) as connection:
            problem = str(connection.execute("PRAGMA quick_check(1)").fetchone()[0])
    except sqlite3.DatabaseError as error:
        if getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR) & 0xFF not in DAMAGED:
            return None  # opening it names the cause
        problem = str(error)
    return None if problem == "ok" else f"the ledger {path} is damaged: {problem}"


def set_ledger_aside(url: str) -> str:
    """Move the ledger's file out of the way; returns its new path. No process may have it open."""
    path = _path(url)
    return "" if path is None else str(set_aside(path))


def _path(url: str) -> Path | None:
    parsed = make_url(url)
    if parsed.get_backend_name() != "sqlite" or not parsed.database:
        return None
    return Path(parsed.database)
