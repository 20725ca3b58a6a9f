"""The connection to a Neo4j server: transactions, and errors that name the server and the next step.

Input: a URL and Cypher of statements.py with parameters. Output: rows, or errors of medkg. Nothing is
repeated here; the caller's policy does that.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, Final, TypeVar
from urllib.parse import unquote, urlsplit

from orchestration.contracts.projection import Row
from orchestration.errors import (
    ConfigurationError,
    DagsterResourceUnavailableError,
    MedkgError,
    RequestRejectedError,
    ServiceError,
    StoreCorruptError,
    StoreUnwritableError,
)

if TYPE_CHECKING:
    from neo4j import AsyncDriver, AsyncTransaction

__all__ = ["Connection", "Transaction"]

SCHEMES: Final = ("bolt", "bolt+s", "bolt+ssc", "neo4j", "neo4j+s", "neo4j+ssc")
CONNECT_SECONDS: Final = 10.0
FETCH_SIZE: Final = 1000
"""Rows that the server sends before it waits to be asked for more."""

MESSAGE_CHARACTERS: Final = 500

MISCONFIGURED: Final = frozenset({"Neo.ClientError.Database.DatabaseNotFound"})

UNWRITABLE: Final = frozenset(
    {
        "Neo.ClientError.General.WriteOnReadOnlyAccessMode",
        "Neo.ClientError.General.ForbiddenOnReadOnlyDatabase",
        "Neo.TransientError.General.ForbiddenOnReadOnlyDatabase",
        "Neo.ClientError.Security.Forbidden",
        "Neo.DatabaseError.Transaction.TransactionLogError",
    }
)
"""Codes of a server that takes no writes: its disk is full, it is read-only, or the user may not write."""

NO_SPACE: Final = "No space left"

UNAVAILABLE: Final = frozenset({"Neo.TransientError.General.DatabaseUnavailable"})

REPEATABLE: Final = frozenset(
    {
        "Neo.ClientError.Transaction.TransactionTimedOut",
        "Neo.ClientError.Transaction.TransactionTimedOutClientConfiguration",
        "Neo.ClientError.Transaction.LockClientStopped",
        "Neo.ClientError.Transaction.Terminated",
    }
)

T = TypeVar("T")


class Transaction:
    """A transaction of the server."""

    def __init__(self, transaction: AsyncTransaction) -> None:
        self._transaction = transaction

    async def rows(self, statement: str, **parameters: Any) -> list[Row]:
        """Run a statement; its rows."""
        result = await self._transaction.run(statement, parameters)
        return [*await result.data()]

    async def run(self, statement: str, **parameters: Any) -> None:
        """Run a statement that returns nothing; raises its error."""
        result = await self._transaction.run(statement, parameters)
        await result.consume()


class Connection:
    """One database of one server, for one event loop."""

    def __init__(self, url: str, database: str | None = None) -> None:
        """`url`: bolt://[USER:PASSWORD@]HOST:PORT, or neo4j:// of a cluster, both with +s for TLS."""
        parts = urlsplit(url)
        if parts.scheme not in SCHEMES or not parts.hostname or parts.path.strip("/"):
            raise ConfigurationError(
                "the Neo4j URL (MEDKG_NEO4J_URL) is not bolt://[USER:PASSWORD@]HOST:PORT. Its scheme is one "
                f"of {', '.join(SCHEMES)}; MEDKG_NEO4J_DATABASE names the database."
            )
        host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
        self._address = f"{parts.scheme}://{host}:{parts.port or 7687}"
        user, password = unquote(parts.username or ""), unquote(parts.password or "")
        self._auth = (user, password) if user else None
        self._database = database
        self.name = f"Neo4j at {self._address}" + (f", database {database}" if database else "")
        self._driver: AsyncDriver | None = None

    async def close(self) -> None:
        """Close the connections."""
        if self._driver is not None:
            driver, self._driver = self._driver, None
            await driver.close()

    async def transaction(self, work: Callable[[Transaction], Awaitable[T]]) -> T:
        """Run `work` in one transaction; durable when it returns, undone if it raises or is cancelled."""
        async with self._errors_named(), self._open().session(**self._session()) as session:
            transaction = await session.begin_transaction()
            async with transaction:
                result = await work(Transaction(transaction))
                await transaction.commit()
            return result

    async def run(self, statement: str, **parameters: Any) -> list[Row]:
        """Run a statement in its own transaction; its rows. For schema commands too."""
        async with self._errors_named(), self._open().session(**self._session()) as session:
            result = await session.run(statement, parameters)
            rows: list[Row] = [*await result.data()]
            return rows

    async def stream(self, statement: str, **parameters: Any) -> AsyncIterator[Row]:
        """Run a statement that reads; its rows as they come, a bounded number of them in memory."""
        async with self._errors_named(), self._open().session(**self._session()) as session:
            result = await session.run(statement, parameters)
            async for record in result:
                yield record.data()

    def _session(self) -> dict[str, Any]:
        return {"database": self._database, "fetch_size": FETCH_SIZE}

    def _open(self) -> AsyncDriver:
        if self._driver is None:
            try:
                from neo4j import AsyncGraphDatabase
            except ImportError as error:
                raise ConfigurationError(
                    "MEDKG_NEO4J_URL is set, and the driver of Neo4j is not installed: pip install "
                    "'medkg[neo4j]'."
                ) from error
            self._driver = AsyncGraphDatabase.driver(
                self._address,
                auth=self._auth,
                connection_timeout=CONNECT_SECONDS,
                connection_acquisition_timeout=CONNECT_SECONDS,
                max_transaction_retry_time=0,
                user_agent="medkg",
                telemetry_disabled=True,
                notifications_min_severity="OFF",
            )
        return self._driver

    @asynccontextmanager
    async def _errors_named(self) -> AsyncIterator[None]:
        from neo4j.exceptions import DriverError, Neo4jError

        try:
            yield
        except (DriverError, Neo4jError, OSError) as error:
            named = self._named(error)
            if named is None:
                raise
            raise named from error

    def _named(self, error: Exception) -> MedkgError | None:
        """The error of medkg; None for a defect of ours in using the driver."""
        from neo4j import exceptions

        code = str(getattr(error, "code", None) or "")
        message = " ".join(str(getattr(error, "message", None) or error).split())[:MESSAGE_CHARACTERS].rstrip(
            "."
        )
        said = f"{self.name}: {code} {message}"
        if isinstance(error, exceptions.AuthError):
            return ConfigurationError(
                f"{self.name} refuses the user of MEDKG_NEO4J_URL: {message}. Correct user and password."
            )
        if code in MISCONFIGURED or isinstance(error, exceptions.ConfigurationError):
            return ConfigurationError(f"{said}. Correct MEDKG_NEO4J_URL and MEDKG_NEO4J_DATABASE.")
        if code in UNAVAILABLE or isinstance(error, OSError | _unavailable_errors()):
            return DagsterResourceUnavailableError(
                f"{self.name} does not answer ({type(error).__name__}: {message}). Start it, or correct "
                "MEDKG_NEO4J_URL."
            )
        return self._answered(error, code, message, said)

    def _answered(self, error: Exception, code: str, message: str, said: str) -> MedkgError | None:
        """The error for a refusal by the server."""
        from neo4j import exceptions

        if code in UNWRITABLE or NO_SPACE in message:
            return StoreUnwritableError(
                f"{said}. Free disk space of the server, or let the user write; nothing is lost."
            )
        if isinstance(error, exceptions.ConstraintError):
            return StoreCorruptError(
                f"{said}. The server holds nodes of the tenant that no projection left there; `medkg graph "
                "project --rebuild` makes it again."
            )
        if code in REPEATABLE or isinstance(error, exceptions.TransientError | exceptions.DatabaseError):
            return ServiceError(f"{said}. It is repeated; the server's log says more.")
        if isinstance(error, exceptions.Neo4jError):
            return RequestRejectedError(f"{said}. Please report it with this message.")
        return None


def _unavailable_errors() -> type[Exception] | Any:
    """Errors of the driver without an answer of the server."""
    from neo4j import exceptions

    return (
        exceptions.ServiceUnavailable
        | exceptions.SessionExpired
        | exceptions.ConnectionAcquisitionTimeoutError
    )
