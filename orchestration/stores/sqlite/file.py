"""One SQLite file that several processes share: WAL, short transactions, errors that name the file.

Comes in: a path and its schema. Leaves: connections, one per thread, inside a transaction each. The schema
is created once, when the file is first opened; a file of a newer medkg is refused.
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import MappingProxyType

from orchestration.disk_space import unwritable_disk
from orchestration.errors import ConfigurationError, StoreCorruptError, StoreUnwritableError
from orchestration.formats.sqlite_wal import BUSY_SECONDS, DAMAGED, UNWRITABLE, rewrite, set_aside, use_wal
from orchestration.processes.interrupts import uninterrupted

__all__ = ["SqliteFile"]


class SqliteFile:
    """Connections to one file, one a thread; several processes may use it at once."""

    def __init__(
        self,
        path: Path,
        schema: tuple[str, ...],
        version: int,
        upgrade: Callable[[sqlite3.Connection, int], None] = lambda connection, schema_version: None,
        functions: Mapping[str, Callable[[str], str]] = MappingProxyType({}),
    ) -> None:
        """`upgrade` fills what an older version (its number) lacks, once the schema is this one's.

        `functions` of one text are known to SQL by their names; each gives the same for the same text.
        """
        self.path = path
        self._upgrade = upgrade
        self._schema = schema
        self._version = version
        self._functions = functions
        self._local = threading.local()
        self._open: list[tuple[threading.Thread, sqlite3.Connection]] = []
        self._guard = threading.Lock()
        self._in_use = 0
        """Transactions now."""

    @contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """A consistent view; waits for no writer."""
        with self._errors_named(), self._used():
            connection = self._connection()
            connection.execute("BEGIN")
            try:
                yield connection
            finally:
                connection.execute("ROLLBACK")

    @contextmanager
    def writing(self) -> Iterator[sqlite3.Connection]:
        """One transaction; durable when the block ends, undone if it raises."""
        with uninterrupted(), self._errors_named(), self._used():
            connection = self._connection()
            connection.execute("BEGIN IMMEDIATE")
            try:
                yield connection
                connection.execute("COMMIT")
            finally:
                if connection.in_transaction:
                    connection.execute("ROLLBACK")

    def damage(self) -> str | None:
        """What SQLite's own check finds wrong with the file; None if it is sound. Reads all of it."""
        try:
            with self.reading() as connection:
                problem = str(connection.execute("PRAGMA quick_check(1)").fetchone()[0])
        except StoreCorruptError as error:
            return error.message
        return None if problem == "ok" else f"{self.path} is damaged: {problem}"

    def rewrite(self) -> None:
        """Write the file again, so that nothing of what was deleted is left in it or in its log.

        Waits for transactions of others; raises StoreUnwritableError when one does not end.
        """
        with uninterrupted(), self._errors_named(), self._used():
            rewrite(self._connection())

    def set_aside(self) -> Path:
        """Move a damaged file, and what SQLite keeps beside it, out of the way; returns its new path."""
        self.close()
        return set_aside(self.path)

    def close(self) -> None:
        """Close the connections of all threads."""
        with self._guard:
            self._close()

    def close_if_idle(self) -> bool:
        """Close all connections unless a transaction goes on; returns whether. The next use opens one."""
        with self._guard:
            if not self._in_use:
                self._close()
            return not self._in_use

    def _close(self) -> None:
        for _, connection in self._open:
            connection.close()
        self._open.clear()
        self._local = threading.local()

    @contextmanager
    def _used(self) -> Iterator[None]:
        with self._guard:
            self._in_use += 1
        try:
            yield
        finally:
            with self._guard:
                self._in_use -= 1

    def _connection(self) -> sqlite3.Connection:
        connection: sqlite3.Connection | None = getattr(self._local, "connection", None)
        if connection is None:
            connection = self._local.connection = self._opened()
        return connection

    def _opened(self) -> sqlite3.Connection:
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise unwritable_disk(error) or StoreUnwritableError(
                f"{self.path.parent} cannot be made: {error.strerror}. Choose another --data-dir."
            ) from error
        connection = sqlite3.connect(
            self.path, timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False
        )
        try:
            connection.row_factory = sqlite3.Row
            connection.execute("PRAGMA synchronous=FULL")
            for name, function in self._functions.items():
                connection.create_function(name, 1, function, deterministic=True)
            self._make_schema(connection)
        except BaseException:
            connection.close()
            raise
        with self._guard:
            ended = [pair for pair in self._open if not pair[0].is_alive()]
            for pair in ended:
                pair[1].close()
                self._open.remove(pair)
            self._open.append((threading.current_thread(), connection))
        return connection

    def _make_schema(self, connection: sqlite3.Connection) -> None:
        """Nothing to do for all but the first who opens the file."""
        schema_version = _schema_version(connection)
        if schema_version > self._version:
            raise ConfigurationError(
                f"{self.path} was written by a newer medkg (schema {schema_version}, this one knows "
                f"{self._version}). Install that version, or choose another --data-dir."
            )
        if schema_version == self._version:
            return
        use_wal(connection)
        connection.execute("BEGIN IMMEDIATE")
        schema_version = _schema_version(connection)
        if schema_version != self._version:
            for statement in self._schema:
                connection.execute(statement)
            self._upgrade(connection, schema_version)
            connection.execute(f"PRAGMA user_version = {self._version}")
        connection.execute("COMMIT")

    @contextmanager
    def _errors_named(self) -> Iterator[None]:
        """SQLite's errors as ours; a defect of ours (syntax, constraint) stays what it is."""
        try:
            yield
        except sqlite3.DatabaseError as error:
            primary = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR) & 0xFF
            if primary in DAMAGED:
                raise StoreCorruptError(
                    f"{self.path} is damaged: {error}. `medkg verify --repair` sets it aside and says what "
                    "must be run again."
                ) from error
            if primary in UNWRITABLE:
                raise unwritable_disk(error, self.path) or StoreUnwritableError(
                    f"{self.path} cannot be used: {error}. Check permissions and free space of its folder, "
                    "end what holds it, or choose another --data-dir."
                ) from error
            raise


def _schema_version(connection: sqlite3.Connection) -> int:
    return int(connection.execute("PRAGMA user_version").fetchone()[0])
