"""One SQLite file that several processes share: WAL, short transactions, errors that name the file."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from orchestration.errors import StoreCorruptError, StoreUnwritableError

__all__ = ["SqliteFile"]

BUSY_SECONDS: Final = 30.0


class SqliteFile:
    """Connections to one file, one a thread; the schema is made when it is first written or read."""

    def __init__(self, path: Path, schema: str) -> None:
        self.path = path
        self._schema = schema
        self._local = threading.local()
        self._open: list[sqlite3.Connection] = []
        self._guard = threading.Lock()

    @contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """A consistent view."""
        with self._errors_named():
            connection = self._connection()
            connection.execute("BEGIN")
            try:
                yield connection
            finally:
                connection.execute("ROLLBACK")

    @contextmanager
    def writing(self) -> Iterator[sqlite3.Connection]:
        """One transaction; durable when the block ends, undone if it raises."""
        with self._errors_named():
            connection = self._connection()
            connection.execute("BEGIN IMMEDIATE")
            try:
                yield connection
                connection.execute("COMMIT")
            finally:
                if connection.in_transaction:
                    connection.execute("ROLLBACK")

    def close(self) -> None:
        """Close the connections of all threads."""
        with self._guard:
            for connection in self._open:
                connection.close()
            self._open.clear()
        self._local = threading.local()

    def _connection(self) -> sqlite3.Connection:
        found: sqlite3.Connection | None = getattr(self._local, "connection", None)
        if found is None:
            found = self._local.connection = self._opened()
        return found

    def _opened(self) -> sqlite3.Connection:
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise StoreUnwritableError(
                f"{self.path.parent} cannot be made: {error.strerror}. Choose another --data-dir."
            ) from error
        connection = sqlite3.connect(
            self.path, timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False
        )
        connection.row_factory = sqlite3.Row
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=FULL")
        connection.executescript(self._schema)
        with self._guard:
            self._open.append(connection)
        return connection

    @contextmanager
    def _errors_named(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.OperationalError as error:
            raise StoreUnwritableError(
                f"{self.path} cannot be used: {error}. Check permissions and free space of its folder, or "
                "choose another --data-dir."
            ) from error
        except sqlite3.DatabaseError as error:
            raise StoreCorruptError(
                f"{self.path} is damaged: {error}. Move it away; `medkg verify --repair` then says what "
                "must be run again."
            ) from error
