"""The database of the ledger: opened, migrated to the newest schema, and used in short transactions.

Comes in: a SQLAlchemy URL. Leaves: connections inside a transaction. SQLite runs in WAL mode and takes its
write lock at the start of a writing transaction, so several processes share it without deadlocks. A cause
in the operating system (disk full, read-only, locked, damaged) is a StoreUnwritableError or
StoreCorruptError that names the database; other errors of the driver are defects and stay as they are.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, Final, cast

from sqlalchemy import (
    URL,
    Connection,
    Engine,
    Table,
    create_engine,
    event,
    func,
    inspect,
    make_url,
    select,
    text,
)
from sqlalchemy.exc import (
    ArgumentError,
    DBAPIError,
    InterfaceError,
    NoSuchModuleError,
    OperationalError,
)
from sqlalchemy.exc import InternalError as DatabaseInternalError
from sqlalchemy.schema import CreateSchema

from orchestration.disk_space import unwritable_disk
from orchestration.errors import (
    ConfigurationError,
    DagsterResourceUnavailableError,
    StoreCorruptError,
    StoreUnwritableError,
)
from orchestration.formats.sqlite_wal import BUSY_SECONDS, DAMAGED, UNWRITABLE, rewrite, use_wal
from orchestration.processes.interrupts import uninterrupted

__all__ = ["HEAD", "Database", "LedgerPart", "lock"]

HEAD: Final = "0016"
"""Newest migration; a database that has it is opened without importing alembic."""

CONNECT_SECONDS: Final = 10
"""How long PostgreSQL may take to accept a connection, unless the URL says otherwise."""

KEEPALIVE: Final = {
    "keepalives_idle": 30,
    "keepalives_interval": 10,
    "keepalives_count": 3,
    "tcp_user_timeout": 60_000,
}
"""A server whose machine is gone sends nothing, not even for a commit that it made: it counts as unavailable
after a minute. Without these, the kernel waits hours.
https://www.postgresql.org/docs/current/libpq-connect.html (read 2026-11-30)."""

CACHE_KIB: Final = 32 * 1024
"""Pages that a connection to SQLite keeps; with the default of 2 MB it reads large indexes for every row."""

REFUSED: Final = frozenset({"3F000", "42501"})
"""SQLSTATEs of PostgreSQL: no such schema, insufficient privilege."""


class Database:
    """One ledger database; safe for threads and for several processes."""

    def __init__(self, url: str) -> None:
        parsed = _parsed(url)
        self.is_sqlite = parsed.get_backend_name() == "sqlite"
        self.name = parsed.database if self.is_sqlite else _without_secrets(parsed)
        with self._errors_named():
            self._engine = _sqlite_engine(parsed) if self.is_sqlite else _postgresql_engine(parsed)
            self._migrate()

    def close(self) -> None:
        """Close all connections."""
        self._engine.dispose()

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """A transaction that only reads; on SQLite one consistent view."""
        with self._errors_named(), self._engine.connect() as connection, connection.begin():
            yield connection

    @contextmanager
    def snapshot(self) -> Iterator[Connection]:
        """A transaction that only reads, all of it one consistent view, however long it takes."""
        options = {} if self.is_sqlite else {"isolation_level": "REPEATABLE READ"}
        with (
            self._errors_named(),
            self._engine.connect().execution_options(**options) as connection,
            connection.begin(),
        ):
            yield connection

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """One transaction; durable when the block ends, undone if it raises."""
        with (
            uninterrupted(),
            self._errors_named(),
            self._engine.connect().execution_options(medkg_writes=True) as connection,
            connection.begin(),
        ):
            yield connection

    def rewrite(self, *tables: Table) -> None:
        """Rewrite the database (PostgreSQL: these tables), so that no file of it has a removed row."""
        with uninterrupted(), self._errors_named():
            if self.is_sqlite:
                self._engine.dispose()  # a connection of the pool may keep the log open
                try:
                    with closing(self._engine.raw_connection()) as pooled:
                        rewrite(cast("sqlite3.Connection", pooled.driver_connection))
                except sqlite3.DatabaseError as error:
                    raise self._named(DBAPIError("VACUUM", None, error)) from error
                return
            with self._engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
                for table in tables:
                    connection.execute(text(f"VACUUM FULL {table.name}"))

    def schema_beside(self, name: str) -> str:
        """Create, unless it exists, a schema for other tables of PostgreSQL: `<the ledger's>_<name>`.

        Returns its name. Raises ConfigurationError when the URL's user may not make it.
        """
        with self.writing() as connection:
            schema = f"{connection.scalar(select(func.current_schema()))}_{name}"
            lock(connection, schema)
            if not inspect(connection).has_schema(schema):
                connection.execute(CreateSchema(schema))
            return schema

    def _migrate(self) -> None:
        revision = self._revision()
        if revision == HEAD:
            return
        if revision is not None and revision > HEAD:
            raise ConfigurationError(
                f"the ledger {self.name} was written by a newer medkg (schema {revision}, this one knows "
                f"{HEAD}). Install that version, or choose another --data-dir."
            )
        from alembic import command
        from alembic.config import Config

        config = Config()
        config.set_main_option(
            "script_location", str(Path(__file__).parent / "migrations").replace("%", "%%")
        )
        with self._engine.connect().execution_options(medkg_writes=True) as connection, connection.begin():
            lock(connection, "migration")
            config.attributes["connection"] = connection
            command.upgrade(config, "head")

    def _revision(self) -> str | None:
        with self._engine.connect() as connection:
            if not inspect(connection).has_table("alembic_version"):
                return None
            revision = connection.execute(text("SELECT version_num FROM alembic_version")).scalar()
            return None if revision is None else str(revision)

    @contextmanager
    def _errors_named(self) -> Iterator[None]:
        try:
            yield
        except DBAPIError as error:
            raise self._named(error) from error

    def _named(self, error: DBAPIError) -> Exception:
        """Return the error of medkg for an error of the driver; the error itself if it is a defect."""
        cause = str(error.orig)
        if not self.is_sqlite:
            if isinstance(error, OperationalError | InterfaceError | DatabaseInternalError):
                return DagsterResourceUnavailableError(
                    f"the ledger database {self.name} cannot be used: {cause}. Start it, or correct its URL."
                )
            if getattr(error.orig, "sqlstate", None) in REFUSED:
                return ConfigurationError(
                    f"the ledger database {self.name} refuses to be used: {cause.splitlines()[0]}. Make the "
                    "schema that its URL names, and let the URL's user create there "
                    "(docs/guides/postgresql.md)."
                )
            return error
        primary = getattr(error.orig, "sqlite_errorcode", sqlite3.SQLITE_ERROR) & 0xFF
        if primary in DAMAGED:
            return StoreCorruptError(
                f"the ledger {self.name} is damaged ({cause}). `medkg verify --repair` sets it aside and "
                "makes it again from the stores; or put a copy of it back."
            )
        if primary in UNWRITABLE:
            full = unwritable_disk(error, self.name or "")
            return full or StoreUnwritableError(
                f"the ledger {self.name} cannot be written: {cause}. Check the free space and the "
                "permissions of its folder, end what holds it, or choose another --data-dir."
            )
        return error


class LedgerPart:
    """One part of the ledger; every call is one transaction of the shared database."""

    def __init__(self, database: Database, lease_seconds: float, now: Callable[[], float]) -> None:
        self._database = database
        self._lease_seconds = lease_seconds
        self._now = now


def lock(connection: Connection, name: str) -> None:
    """Let transactions that take the same name follow one another; SQLite has one writer anyway."""
    if connection.dialect.name == "postgresql":
        connection.execute(text("SELECT pg_advisory_xact_lock(hashtext(:name))"), {"name": f"medkg:{name}"})


def _parsed(url: str) -> URL:
    try:
        parsed = make_url(url)
    except ArgumentError as error:
        raise ConfigurationError(
            "the ledger URL (MEDKG_LEDGER_URL) cannot be read; use sqlite:///PATH or "
            "postgresql+psycopg://USER@HOST/DATABASE."
        ) from error
    if parsed.get_backend_name() not in ("sqlite", "postgresql"):
        raise ConfigurationError(
            f"the ledger URL (MEDKG_LEDGER_URL) names {parsed.get_backend_name()!r}; use sqlite:///PATH or "
            "postgresql+psycopg://USER@HOST/DATABASE."
        )
    return parsed


def _without_secrets(url: URL) -> str:
    """Return the URL for messages, without its query: libpq reads passwords from there too."""
    return url.set(query={}).render_as_string(hide_password=True)


def _postgresql_engine(url: URL) -> Engine:
    try:
        # without it a database in SQL_ASCII, as an initdb without a locale makes it, gives bytes
        options: dict[str, Any] = {"client_encoding": "utf8"}
        if "connect_timeout" not in url.query:  # libpq would wait minutes for a host that drops packets
            options["connect_timeout"] = CONNECT_SECONDS
        options |= {name: value for name, value in KEEPALIVE.items() if name not in url.query}
        return create_engine(url, pool_pre_ping=True, connect_args=options)
    except (ImportError, NoSuchModuleError) as error:
        raise ConfigurationError(
            f"the ledger URL asks for the driver {url.drivername!r}, which is not installed. Install psycopg "
            "(pip install 'medkg[postgres]') and use postgresql+psycopg://USER@HOST/DATABASE."
        ) from error


def _sqlite_engine(url: URL) -> Engine:
    path = Path(url.database or "")
    try:
        if not path.parent.is_dir():
            path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise unwritable_disk(error) or StoreUnwritableError(
            f"the data folder {path.parent} cannot be made: {error.strerror}. Choose another --data-dir."
        ) from error
    engine = create_engine(url, connect_args={"timeout": BUSY_SECONDS})
    event.listen(engine, "connect", _prepare_sqlite)
    event.listen(engine, "begin", _begin_sqlite)
    return engine


def _prepare_sqlite(connection: Any, _: object) -> None:
    """WAL, so readers never wait; FULL, since a commit row is a promise that outlives a power cut."""
    connection.isolation_level = None  # _begin_sqlite starts transactions, not the driver
    use_wal(connection)
    for pragma in ("synchronous=FULL", "foreign_keys=ON", f"cache_size=-{CACHE_KIB}"):
        connection.execute(f"PRAGMA {pragma}")


def _begin_sqlite(connection: Connection) -> None:
    writes = connection.get_execution_options().get("medkg_writes")
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")
