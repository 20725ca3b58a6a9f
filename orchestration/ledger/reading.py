"""What commands ask about documents: where each stands, what failed, and what to forget."""

from __future__ import annotations

from typing import Final

from sqlalchemy import func, select, update

from orchestration.contracts import DeadLetter, LedgerDocument
from orchestration.ledger.accounts import end_documents
from orchestration.ledger.commits import withdraw_commits
from orchestration.ledger.database import LedgerPart
from orchestration.ledger.rows import dead_letter_of, document_of, has_key
from orchestration.ledger.tables import dead_letters, documents, item_dead_letters
from orchestration.ledger.transitions import Status
from orchestration.records import DocumentKey

__all__ = ["DocumentsAndDeadLetters"]

NOT_DELETED: Final = documents.c.status != Status.DELETED


class DocumentsAndDeadLetters(LedgerPart):
    """Documents and dead letters of the ledger."""

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

    def status_counts(self, tenant_id: str) -> dict[str, int]:
        """Documents by status, deleted ones left out."""
        query = (
            select(documents.c.status, func.count().label("documents"))
            .where(documents.c.tenant_id == tenant_id, NOT_DELETED)
            .group_by(documents.c.status)
        )
        with self._database.reading() as connection:
            return {row.status: row.documents for row in connection.execute(query)}

    def dead_letters(
        self, tenant_id: str, job_id: str | None = None, unreplayed: bool = True
    ) -> list[DeadLetter]:
        """Newest first; with `job_id` those that this job counts."""
        query = select(dead_letters).where(dead_letters.c.tenant_id == tenant_id)
        if job_id is not None:
            of_job = select(item_dead_letters.c.dead_letter_id).where(item_dead_letters.c.job_id == job_id)
            query = query.where(dead_letters.c.id.in_(of_job))
        if unreplayed:
            query = query.where(dead_letters.c.replayed_in.is_(None))
        with self._database.reading() as connection:
            rows = connection.execute(query.order_by(dead_letters.c.id.desc())).mappings()
            return [dead_letter_of(row) for row in rows]

    def delete_document(self, key: DocumentKey) -> int:
        """Mark a document deleted in every pipeline and withdraw its commit, in one transaction; rows.

        A run that is at it loses its lease, so it cannot bring the document back.
        """
        with self._database.writing() as connection:
            query = select(documents).where(has_key(documents, [key]), NOT_DELETED)
            rows = connection.execute(query.order_by(documents.c.id).with_for_update()).mappings().all()
            withdraw_commits(connection, [key])
            forgotten = {"committed_version": None, "committed_fingerprint": None}
            endings = [(row, forgotten) for row in rows]
            end_documents(connection, endings, Status.DELETED, "skipped", self._now())
            return len(rows)

    def requeue(self, key: DocumentKey) -> int:
        """Withdraw a document and make it due again, because a store lost it; its rows.

        It is worked on when a job lists it again.
        """
        with self._database.writing() as connection:
            requeued = connection.execute(
                update(documents)
                .where(has_key(documents, [key]), documents.c.status == Status.COMMITTED)
                .values(
                    status=Status.QUEUED,
                    window_id=None,
                    committed_version=None,
                    committed_fingerprint=None,
                    updated_at=self._now(),
                )
            )
            withdraw_commits(connection, [key])
            return int(requeued.rowcount)
