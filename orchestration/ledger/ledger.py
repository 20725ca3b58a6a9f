"""The ledger over SQL: one part per topic, all over one database."""

from __future__ import annotations

import time
from collections.abc import Callable

from orchestration.ledger.commits import SqlCommits
from orchestration.ledger.copying import SqlCopies
from orchestration.ledger.database import Database
from orchestration.ledger.dead_letters import SqlDeadLetters
from orchestration.ledger.documents import SqlDocuments
from orchestration.ledger.gates import SqlGates
from orchestration.ledger.graph import SqlAliases, SqlGraph, SqlGraphSnapshots
from orchestration.ledger.graph_feed import SqlGraphFeed
from orchestration.ledger.jobs import SqlJobs
from orchestration.ledger.monitoring import SqlMonitoring
from orchestration.ledger.outbox import SqlOutbox
from orchestration.ledger.outcomes import SqlOutcomes
from orchestration.ledger.pdf_tasks import SqlPdfTasks
from orchestration.ledger.places import SqlPlaces
from orchestration.ledger.retention import SqlRetention
from orchestration.ledger.syncs import SqlSyncs
from orchestration.ledger.windows import SqlWindows

__all__ = ["SqlLedger", "open_ledger"]


class SqlLedger:
    """Ledger over SQL; safe for threads and for several processes. Durable when a call returns."""

    def __init__(self, database: Database, lease_seconds: float, now: Callable[[], float]) -> None:
        self._database = database
        self.name = database.name
        """Where it is, without passwords."""
        self.jobs = SqlJobs(database, lease_seconds, now)
        self.windows = SqlWindows(database, lease_seconds, now)
        self.outcomes = SqlOutcomes(database, lease_seconds, now)
        self.documents = SqlDocuments(database, lease_seconds, now)
        self.dead_letters = SqlDeadLetters(database, lease_seconds, now)
        self.gates = SqlGates(database, lease_seconds, now)
        self.pdf_tasks = SqlPdfTasks(database, lease_seconds, now)
        self.syncs = SqlSyncs(database, lease_seconds, now)
        self.retention = SqlRetention(database, lease_seconds, now)
        self.places = SqlPlaces(database, lease_seconds, now)
        self.commits = SqlCommits(database, lease_seconds, now)
        self.monitoring = SqlMonitoring(database, lease_seconds, now)
        self.copies = SqlCopies(database, lease_seconds, now)
        self.graph = SqlGraph(database, lease_seconds, now)
        self.graph_feed = SqlGraphFeed(database, lease_seconds, now)
        self.aliases = SqlAliases(database, lease_seconds, now)
        self.outbox = SqlOutbox(database, lease_seconds, now)
        self.graph_snapshots = SqlGraphSnapshots(database, lease_seconds, now)

    def close(self) -> None:
        """Close the database."""
        self._database.close()


def open_ledger(url: str, lease_seconds: float = 60.0, now: Callable[[], float] = time.time) -> SqlLedger:
    """Open, and create or migrate, the ledger at a SQLAlchemy URL (sqlite or postgresql+psycopg).

    Raises StoreUnwritableError, StoreCorruptError, DagsterResourceUnavailableError (no such server) or
    ConfigurationError (not a usable URL, or written by a newer medkg).
    """
    return SqlLedger(Database(url), lease_seconds, now)
