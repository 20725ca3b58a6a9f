"""Documents: where each stands, and removing them."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from typing import Final

from sqlalchemy import Connection, exists, func, select, update

from orchestration.contracts import Commit, LedgerDocument
from orchestration.contracts.facts import DocumentQueued
from orchestration.ledger.accounts import end_documents
from orchestration.ledger.commits import withdraw_commits
from orchestration.ledger.database import LedgerPart
from orchestration.ledger.enqueueing import lock_queue
from orchestration.ledger.erasing import ERASED_FROM, erase_documents
from orchestration.ledger.outbox.recording import deleted, record_documents
from orchestration.ledger.places import beneath, forget_documents
from orchestration.ledger.rows import batches, document_of, has_key
from orchestration.ledger.settled import SETTLED
from orchestration.ledger.tables import documents, places
from orchestration.ledger.transitions import Status
from orchestration.records import DocumentKey

__all__ = ["SqlDocuments"]

NOT_DELETED: Final = documents.c.status != Status.DELETED


class SqlDocuments(LedgerPart):
    """DocumentLedger over SQL."""

    def find(
        self,
        tenant_id: str,
        doc_id: str | None = None,
        source: str | None = None,
        status: str | None = None,
        limit: int | None = None,
        pipeline: str | None = None,
        origin: str | None = None,
    ) -> list[LedgerDocument]:
        """Newest change first; deleted documents only when asked for by status; see DocumentLedger.find."""
        query = select(documents).where(documents.c.tenant_id == tenant_id, ~SETTLED)
        query = query.where(NOT_DELETED if status is None else documents.c.status == status)
        if doc_id is not None:
            query = query.where(documents.c.doc_id == doc_id)
        if source is not None:
            query = query.where(documents.c.source == source)
        if pipeline is not None:
            query = query.where(documents.c.pipeline_name == pipeline)
        if origin is not None:
            same = [places.c[name] == documents.c[name] for name in ("tenant_id", "source", "doc_id")]
            query = query.where(exists().where(*same, beneath([origin])))
        query = query.order_by(documents.c.updated_at.desc(), documents.c.id).limit(limit)
        with self._database.reading() as connection:
            return [document_of(row) for row in connection.execute(query).mappings()]

    def status_counts(self, tenant_id: str) -> dict[str, int]:
        """Documents by status; deleted and settled ones are left out."""
        query = (
            select(documents.c.status, func.count().label("documents"))
            .where(documents.c.tenant_id == tenant_id, NOT_DELETED, ~SETTLED)
            .group_by(documents.c.status)
        )
        with self._database.reading() as connection:
            return {row.status: row.documents for row in connection.execute(query)}

    def outstanding(self, tenant_id: str) -> dict[str, int]:
        """Committed documents without an optional stage, by stage; see DocumentLedger.outstanding."""
        query = (
            select(documents.c.missing_stages, func.count().label("documents"))
            .where(
                documents.c.tenant_id == tenant_id,
                documents.c.status == Status.COMMITTED,
                documents.c.missing_stages != "[]",
            )
            .group_by(documents.c.missing_stages)
        )
        counts: Counter[str] = Counter()
        with self._database.reading() as connection:
            for row in connection.execute(query):
                counts.update(dict.fromkeys(json.loads(row.missing_stages), row.documents))
        return dict(sorted(counts.items()))

    def delete(self, keys: Sequence[DocumentKey]) -> list[Commit]:
        """Mark documents deleted and withdraw their commits; see DocumentLedger.delete."""
        forgotten = {"committed_version": None, "committed_fingerprint": None}
        withdrawn: list[Commit] = []
        with self._database.writing() as connection:
            for tenant_id in sorted({key.tenant_id for key in keys}):
                lock_queue(connection, tenant_id)  # a replay must not queue what is deleted meanwhile
            for batch in batches(keys):
                query = select(documents).where(has_key(documents, batch), NOT_DELETED)
                rows = connection.execute(query.order_by(documents.c.id).with_for_update()).mappings().all()
                withdrawn += withdraw_commits(connection, batch)
                forget_documents(connection, batch)
                endings = [(row, forgotten) for row in rows]
                end_documents(connection, endings, Status.DELETED, "skipped", self._now(), deleted)
        return withdrawn

    def requeue(self, keys: Sequence[DocumentKey]) -> list[Commit]:
        """Queue committed documents again and withdraw their commits; see DocumentLedger.requeue."""
        withdrawn: list[Commit] = []
        with self._database.writing() as connection:
            for batch in batches(keys):
                self._queue(connection, batch)
                withdrawn += withdraw_commits(connection, batch)
        return withdrawn

    def queue_again(self, keys: Sequence[DocumentKey]) -> None:
        """Queue committed documents again, visible as they are; see DocumentLedger.queue_again."""
        with self._database.writing() as connection:
            for batch in batches(keys):
                self._queue(connection, batch)

    def _queue(self, connection: Connection, keys: Sequence[DocumentKey]) -> None:
        query = select(documents).where(has_key(documents, keys), documents.c.status == Status.COMMITTED)
        rows = connection.execute(query.order_by(documents.c.id).with_for_update()).mappings().all()
        record_documents(connection, rows, lambda _: DocumentQueued(), self._now(), job_id="")
        connection.execute(
            update(documents)
            .where(has_key(documents, keys), documents.c.status == Status.COMMITTED)
            .values(
                status=Status.QUEUED,
                window_id=None,
                committed_version=None,
                committed_fingerprint=None,
                updated_at=self._now(),
            )
        )

    def erase(self, keys: Sequence[DocumentKey]) -> None:
        """Remove every record of these documents; see DocumentLedger.erase."""
        with self._database.writing() as connection:
            erase_documents(connection, keys, self._now())

    def expunge(self) -> None:
        """Remove deleted rows from the files of the database; see DocumentLedger.expunge.

        The write-ahead log, replicas and backups of PostgreSQL are left to the operator of the server.
        """
        self._database.rewrite(*ERASED_FROM)
