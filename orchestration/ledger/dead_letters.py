"""Dead letters: inputs that failed for good, and the jobs that try them again."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from sqlalchemy import Connection, Select, and_, exists, func, select

from orchestration.contracts import DeadLetter, JobState, Submission
from orchestration.errors import UsageError
from orchestration.ledger.database import LedgerPart
from orchestration.ledger.enqueueing import Enqueueing, EnumeratedItem, FingerprintsOf
from orchestration.ledger.jobs import insert_job
from orchestration.ledger.rows import dead_letter_of
from orchestration.ledger.settled import NEEDS_ANOTHER_TOPOLOGY, SETTLED
from orchestration.ledger.tables import dead_letters, documents, item_dead_letters
from orchestration.ledger.transitions import Status
from orchestration.records import DocumentKey, SourceItem

__all__ = ["OF_DOCUMENT", "WAITS", "SqlDeadLetters"]

OF_DOCUMENT: Final = and_(
    documents.c.tenant_id == dead_letters.c.tenant_id,
    documents.c.source == dead_letters.c.source,
    documents.c.doc_id == dead_letters.c.doc_id,
    documents.c.pipeline_name == dead_letters.c.pipeline_name,
)
"""Joins dead letters with the rows of their documents."""

OF_DELETED: Final = exists().where(OF_DOCUMENT, documents.c.status == Status.DELETED)
"""Dead letters of documents that are deleted. Read from the document's row, which alone records that."""

OF_SETTLED: Final = and_(dead_letters.c.code == NEEDS_ANOTHER_TOPOLOGY, exists().where(OF_DOCUMENT, SETTLED))
"""Dead letters of documents that another topology committed, as their message advised."""

WAITS: Final = and_(dead_letters.c.replayed_in.is_(None), ~OF_DELETED, ~OF_SETTLED)

NEWEST: Final = 10_000
"""Dead letters that are counted by time, which has no index."""


class SqlDeadLetters(LedgerPart):
    """DeadLetterLedger over SQL."""

    def find(self, tenant_id: str, job_id: str | None = None, only_waiting: bool = True) -> list[DeadLetter]:
        """Dead letters, the newest first; see DeadLetterLedger.find."""
        query = _of(tenant_id)
        if job_id is not None:
            of_job = select(item_dead_letters.c.dead_letter_id).where(item_dead_letters.c.job_id == job_id)
            query = query.where(dead_letters.c.id.in_(of_job))
        if only_waiting:
            query = query.where(WAITS)
        with self._database.reading() as connection:
            rows = connection.execute(query.order_by(dead_letters.c.id.desc())).mappings()
            return [dead_letter_of(row) for row in rows]

    def waiting(self, tenant_id: str, ids: Sequence[int] | None = None) -> list[DeadLetter]:
        """Dead letters that wait for replay, the oldest first; see DeadLetterLedger.waiting."""
        with self._database.reading() as connection:
            return _waiting(connection, tenant_id, ids)

    def counts_since(self, tenant_id: str, moment: float) -> dict[tuple[str, str], int]:
        """Dead letters by stage and code; see DeadLetterLedger.counts_since."""
        newest = (
            select(dead_letters.c.stage, dead_letters.c.code, dead_letters.c.created_at)
            .where(dead_letters.c.tenant_id == tenant_id)
            .order_by(dead_letters.c.id.desc())
            .limit(NEWEST)
            .subquery()
        )
        query = select(newest.c.stage, newest.c.code, func.count()).where(newest.c.created_at >= moment)
        with self._database.reading() as connection:
            rows = connection.execute(query.group_by(newest.c.stage, newest.c.code)).all()
        return {(stage, code): count for stage, code, count in rows}

    def replay(self, ids: Sequence[int], submission: Submission, fingerprints: FingerprintsOf) -> int:
        """Open a job with the documents of these dead letters; see DeadLetterLedger.replay."""
        with self._database.writing() as connection:
            insert_job(connection, submission, JobState.OPEN, self._now())
            enqueueing = Enqueueing(connection, submission, fingerprints, self._now())
            letters = _waiting(connection, submission.tenant_id, ids)  # after its lock, which deletions take
            items: dict[DocumentKey, EnumeratedItem] = {}
            for letter in letters:
                key = letter.failure.ctx.key
                item = _item(letter)
                items[key] = EnumeratedItem(key, item, letter.source_plugin, again=True)
            enqueueing.add(items.values())
            return len(items)


def _item(letter: DeadLetter) -> SourceItem:
    """The document of a dead letter; of an optional stage in the version that is committed without it."""
    ctx = letter.failure.ctx
    return SourceItem(
        doc_id=ctx.doc_id,
        source=ctx.source,
        locator=letter.locator,
        version=None if letter.failure.fatal else ctx.metadata.get("version"),
        revision=ctx.revision,
    )


def _waiting(connection: Connection, tenant_id: str, ids: Sequence[int] | None) -> list[DeadLetter]:
    query = _of(tenant_id).where(WAITS)
    if ids is not None:
        query = query.where(dead_letters.c.id.in_(ids))
    rows = connection.execute(query.order_by(dead_letters.c.id)).mappings()
    letters = [dead_letter_of(row) for row in rows]
    unknown = sorted(set(ids or ()) - {letter.id for letter in letters})
    if unknown:
        raise UsageError(
            f"no dead letter {', '.join(map(str, unknown))} waits for replay: it was replayed, its document "
            "was deleted or committed by another topology, or there is no such number. `medkg dlq list` "
            "lists those that wait."
        )
    return letters


def _of(tenant_id: str) -> Select[Any]:
    """Rows for `dead_letter_of`."""
    marks = (OF_DELETED.label("deleted"), OF_SETTLED.label("settled"))
    return select(dead_letters, *marks).where(dead_letters.c.tenant_id == tenant_id)
