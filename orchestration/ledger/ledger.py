"""The ledger as one object: its topics over one database."""

from __future__ import annotations

import time
from collections.abc import Callable

from orchestration.ledger.commits import Commits
from orchestration.ledger.copying import Copying
from orchestration.ledger.database import Database
from orchestration.ledger.enqueueing import Enqueueing
from orchestration.ledger.erasing import Erasing
from orchestration.ledger.gates import Gates
from orchestration.ledger.jobs import Jobs
from orchestration.ledger.outcomes import Outcomes
from orchestration.ledger.pdf_tasks import PdfTasks
from orchestration.ledger.reading import DocumentsAndDeadLetters
from orchestration.ledger.syncs import Syncs
from orchestration.ledger.windows import Windows

__all__ = ["Ledger", "open_ledger"]


class Ledger(
    Jobs,
    Enqueueing,
    Windows,
    Outcomes,
    Gates,
    PdfTasks,
    Commits,
    DocumentsAndDeadLetters,
    Syncs,
    Erasing,
    Copying,
):
    """JobLedger over SQL; safe for threads and for several processes. Durable when a call returns."""

    def close(self) -> None:
        """Close the database."""
        self._database.close()


def open_ledger(url: str, lease_seconds: float = 60.0, now: Callable[[], float] = time.time) -> Ledger:
    """Open, and create or migrate, the ledger at a SQLAlchemy URL (sqlite or postgresql+psycopg).

    Raises StoreUnwritableError, StoreCorruptError, DagsterResourceUnavailableError (no such server) or
    ConfigurationError (not a usable URL, or written by a newer medkg).
    """
    return Ledger(Database(url), lease_seconds, now)
