"""The ledger as one object: submissions, windows, commits and reading, over one database."""

from __future__ import annotations

import time
from collections.abc import Callable

from sqlalchemy import func, select, update

from orchestration.contracts import LedgerDocument
from orchestration.ledger.commits import Commits, withdraw_commits
from orchestration.ledger.database import Database
from orchestration.ledger.rows import document_of, has_key
from orchestration.ledger.submissions import Submissions
from orchestration.ledger.tables import documents, job_items
from orchestration.ledger.transitions import Status
from orchestration.ledger.windows import Windows
from orchestration.records import DocumentKey

__all__ = ["Ledger", "open_ledger"]

NOT_DELETED = documents.c.status != Status.DELETED


class Ledger(Submissions, Windows, Commits):
    """JobLedger over SQL; safe for threads and for several processes."""

    def __init__(
        self, database: Database, lease_seconds: float, now: Callable[[], float] = time.time
    ) -> None:
        Windows.__init__(self, database, now, lease_seconds)

    def close(self) -> None:
        """Close the database."""
        self._database.close()

    def find_documents(
        self,
        tenant_id: str,
        doc_id: str | None = None,
        source: str | None = None,
        status: str | None = None,
        limit: int | None = None,
    ) -> list[LedgerDocument]:
        """Newest change first; deleted documents only when asked for by status."""
        query = select(documents).where(documents.c.tenant_id == tenant_id)
        query = query.where(NOT_DELETED if status is None else documents.c.status == status)
        if doc_id is not None:
            query = query.where(documents.c.doc_id == doc_id)
        if source is not None:
            query = query.where(documents.c.source == source)
        query = query.order_by(documents.c.updated_at.desc(), documents.c.id).limit(limit)
        with self._database.reading() as connection:
            return [document_of(row) for row in connection.execute(query).mappings()]

    def delete_document(self, key: DocumentKey) -> int:
        """Mark a document deleted in every pipeline and withdraw its commit, in one transaction; rows.

        A run that is at it loses its lease, so it cannot bring the document back.
        """
        with self._database.writing() as connection:
            withdraw_commits(connection, [key])
            marked = connection.execute(
                update(documents)
                .where(has_key(documents, [key]), NOT_DELETED)
                .values(
                    status=Status.DELETED,
                    window_id=None,
                    lease_owner=None,
                    lease_until=0.0,
                    updated_at=self._now(),
                )
            )
            connection.execute(
                update(job_items)
                .where(
                    job_items.c.outcome == "pending",
                    job_items.c.document_id.in_(select(documents.c.id).where(has_key(documents, [key]))),
                )
                .values(outcome="skipped")
            )
            return int(marked.rowcount)

    def requeue(self, key: DocumentKey) -> int:
        """Make a committed document due again, because a store lost it; its source's next run redoes it."""
        with self._database.writing() as connection:
            withdraw_commits(connection, [key])
            requeued = connection.execute(
                update(documents)
                .where(has_key(documents, [key]), documents.c.status == Status.COMMITTED)
                .values(status=Status.QUEUED, committed_version=None, committed_fingerprint=None)
            )
            return int(requeued.rowcount)

    def status_counts(self, tenant_id: str) -> dict[str, int]:
        """Documents by status."""
        query = (
            select(documents.c.status, func.count())
            .where(documents.c.tenant_id == tenant_id, NOT_DELETED)
            .group_by(documents.c.status)
        )
        with self._database.reading() as connection:
            return {row.status: row[1] for row in connection.execute(query)}


def open_ledger(url: str, lease_seconds: float = 60.0, now: Callable[[], float] = time.time) -> Ledger:
    """Open (and create or migrate) the ledger at a SQLAlchemy URL.

    Raises StoreUnwritableError, StoreCorruptError or DagsterResourceUnavailableError.
    """
    return Ledger(Database(url), lease_seconds, now)
