"""Retention: rows that no user needs any more are removed by age.

Comes in: moments before which details and history go. Leaves: a ledger whose size follows the number of its
documents. Items of ended jobs become sums in the job's row first; later the job goes. Each transaction
removes a bounded number of rows, since writers wait for one another.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from sqlalchemy import ColumnElement, Table, and_, delete, exists, func, select, update

from orchestration.contracts import JobState, Retention
from orchestration.ledger.database import LedgerPart
from orchestration.ledger.dead_letters import OF_DOCUMENT, WAITS
from orchestration.ledger.rows import BATCH
from orchestration.ledger.tables import (
    cleaned_intents,
    dead_letters,
    documents,
    intents,
    item_dead_letters,
    job_items,
    jobs,
    pdf_tasks,
    stage_reports,
    windows,
)
from orchestration.ledger.transitions import Status

__all__ = ["SqlRetention"]

ENDED: Final = (JobState.DONE, JobState.CANCELLED, JobState.STALLED)

FOLDED: Final = ("committed", "skipped")
"""Outcomes whose items become sums; failed ones stay with their dead letters until the job goes."""

UNRESOLVED: Final = ("pending", "waiting")

_HAS_LETTER: Final = exists().where(
    item_dead_letters.c.job_id == job_items.c.job_id,
    item_dead_letters.c.ordinal == job_items.c.ordinal,
)


class SqlRetention(LedgerPart):
    """RetentionLedger over SQL."""

    def prune(
        self, retention: Retention, is_stopped: Callable[[], bool] = lambda: False
    ) -> Mapping[str, int]:
        """Forget by age; see RetentionLedger.prune."""
        removed: Counter[str] = Counter()
        for job_id in self._ended(retention.details_since):
            while not is_stopped() and (folded := self._fold(job_id)):
                removed["job_items"] += folded
        for job_id in self._ended(retention.history_since, retention.newest_jobs):
            if not is_stopped():
                removed.update(self._forget(job_id))
        for table, key, condition in _ends(retention.history_since):
            while not is_stopped() and (count := self._forget_some(table, key, condition)):
                removed[table.name] += count
        return removed

    def _ended(self, before: float, newest: int = 0) -> list[str]:
        """Ended jobs that were opened earlier, but for so many newest ones of each tenant."""
        place = func.row_number().over(partition_by=jobs.c.tenant_id, order_by=jobs.c.number.desc())
        ranked = select(jobs.c.job_id, jobs.c.state, jobs.c.created_at, place.label("place")).subquery()
        query = select(ranked.c.job_id).where(
            ranked.c.created_at < before, ranked.c.state.in_(ENDED), ranked.c.place > newest
        )
        with self._database.reading() as connection:
            return list(connection.execute(query).scalars())

    def _fold(self, job_id: str) -> int:
        """Replace some items of committed and skipped documents by sums; returns their number."""
        columns = [job_items.c[name] for name in ("ordinal", "outcome", "reason", "chunks")]
        items = select(*columns).where(
            job_items.c.job_id == job_id, job_items.c.outcome.in_(FOLDED), ~_HAS_LETTER
        )
        with self._database.reading() as connection:
            if connection.execute(items.limit(1)).first() is None:
                return 0
        with self._database.writing() as connection:
            # The lock comes first: another process that prunes must not count the same items again.
            sums_of_job = select(jobs.c.folded).where(jobs.c.job_id == job_id).with_for_update()
            stored = connection.execute(sums_of_job).scalar()
            rows = connection.execute(items.limit(BATCH)).all()
            sums: Counter[str] = Counter(json.loads(stored) if stored else {})
            for row in rows:
                sums.update([row.outcome, *([row.reason] if row.reason else [])])
                sums["chunks"] += row.chunks
            values = {"folded": json.dumps(sums)}
            connection.execute(update(jobs).where(jobs.c.job_id == job_id).values(values))
            folded = job_items.c.ordinal.in_([row.ordinal for row in rows])
            connection.execute(delete(job_items).where(job_items.c.job_id == job_id, folded))
            return len(rows)

    def _forget(self, job_id: str) -> Counter[str]:
        """Remove a job with what is recorded of it, unless a document of it is unfinished."""
        unfinished = select(job_items.c.ordinal).where(
            job_items.c.job_id == job_id, job_items.c.outcome.in_(UNRESOLVED)
        )
        removed: Counter[str] = Counter()
        with self._database.writing() as connection:
            if connection.execute(unfinished.limit(1)).first() is not None:
                return removed
            for table in (item_dead_letters, job_items, stage_reports, windows, jobs):
                removed[table.name] = connection.execute(
                    delete(table).where(table.c.job_id == job_id)
                ).rowcount
        return removed

    def _forget_some(self, table: Table, key: Any, condition: ColumnElement[bool]) -> int:
        """Remove some rows that the condition holds for; returns their number."""
        with self._database.reading() as connection:
            if connection.execute(select(key).where(condition).limit(1)).first() is None:
                return 0
        with self._database.writing() as connection:
            keys = list(connection.execute(select(key).where(condition).limit(BATCH)).scalars())
            # The condition again: a run may have queued a deleted document since.
            return connection.execute(delete(table).where(key.in_(keys), condition)).rowcount


def _ends(before: float) -> Sequence[tuple[Table, Any, ColumnElement[bool]]]:
    """What stays of ended work, with its keys: replayed letters, deleted documents, cleaned intents."""
    deleted = _deleted_documents(before)
    return (
        (dead_letters, dead_letters.c.id, _ended_letters(before)),
        (
            pdf_tasks,
            pdf_tasks.c.document_id,
            pdf_tasks.c.document_id.in_(select(documents.c.id).where(deleted)),
        ),
        (documents, documents.c.id, deleted),
        (cleaned_intents, cleaned_intents.c.intent_id, _closed_intents(before)),
    )


def _ended_letters(before: float) -> ColumnElement[bool]:
    """Dead letters that wait for replay no longer and that no job counts."""
    counted = exists().where(item_dead_letters.c.dead_letter_id == dead_letters.c.id)
    return and_(dead_letters.c.created_at < before, ~WAITS, ~counted)


def _deleted_documents(before: float) -> ColumnElement[bool]:
    """Rows of documents that users deleted; those that their source deleted keep older records out."""
    return and_(
        documents.c.status == Status.DELETED,
        documents.c.updated_at < before,
        documents.c.deleted_at_source.is_(None),
        ~exists().where(job_items.c.document_id == documents.c.id),
        ~exists().where(OF_DOCUMENT),
    )


def _closed_intents(before: float) -> ColumnElement[bool]:
    is_open = exists().where(intents.c.intent_id == cleaned_intents.c.intent_id)
    return and_(cleaned_intents.c.cleaned_at < before, ~is_open)
