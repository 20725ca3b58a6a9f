"""Enqueueing: enumerated items become job items, and documents that need work are queued.

Comes in: items of a source, or dead letters to be replayed. Leaves: one job item per item, queued
documents, and dead letters for broken items and for repeats with other content.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, RowMapping, case, func, insert, select, update

from orchestration.contracts import DocumentCounts, Place, Submission
from orchestration.ledger.accounts import change_documents, end_documents, insert_dead_letters, move_items
from orchestration.ledger.commits import note_revisions
from orchestration.ledger.database import lock
from orchestration.ledger.enqueue_batch import (
    DELETED,
    SUPERSEDED,
    UNFINISHED,
    Batch,
    EnumeratedItem,
    FingerprintsOf,
    First,
    restored,
)
from orchestration.ledger.identity import Identities
from orchestration.ledger.listing_facts import record_listing
from orchestration.ledger.outbox.recording import deleted, skipped
from orchestration.ledger.places import forget_places, note_places
from orchestration.ledger.rows import batches, has_key, key_of, storable, upsert
from orchestration.ledger.tables import commits, dead_letters, documents, job_items
from orchestration.ledger.transitions import Status
from orchestration.records import DocumentKey

__all__ = ["Enqueueing", "EnumeratedItem", "FingerprintsOf", "lock_queue"]


def lock_queue(connection: Connection, tenant_id: str) -> None:
    """Let the transactions that queue or delete documents of a tenant follow one another."""
    lock(connection, f"enqueue {tenant_id}")


class Enqueueing:
    """Adds items to a job within one transaction."""

    def __init__(
        self, connection: Connection, submission: Submission, fingerprints: FingerprintsOf, now: float
    ) -> None:
        lock_queue(connection, submission.tenant_id)
        self._connection = connection
        self._submission = submission
        self._fingerprints = fingerprints
        self._now = now
        last = select(func.max(job_items.c.ordinal)).where(job_items.c.job_id == submission.job_id)
        newest = connection.execute(last).scalar()
        self._ordinal: int = 0 if newest is None else newest + 1
        self._outcomes: Counter[str] = Counter()
        self._reasons: Counter[str] = Counter()
        self._alone: Counter[str] = Counter()

    def add(self, items: Iterable[EnumeratedItem]) -> DocumentCounts:
        """Add items in order; returns their counts by outcome."""
        for batch in batches(items):
            self._add(batch)
        counts = {**self._outcomes, **self._reasons, **self._alone}
        return DocumentCounts(total=self._outcomes.total(), **counts)

    def _add(self, enumerated: Sequence[EnumeratedItem]) -> None:
        identities = Identities(self._connection, self._submission, enumerated)
        batch = [identities.of(listed) for listed in enumerated]
        keys = list({listed.key: None for listed in batch})
        known = self._known(keys)
        work = Batch(self._submission, self._now, known, self._visible(keys), self._first_of_job(known))
        for listed in batch:
            work.add(self._ordinal, listed, self._fingerprints)
            self._ordinal += 1
        self._write(work)
        forget_places(self._connection, identities.left)
        note_places(self._connection, self._submission, _places(batch))
        self._outcomes.update(item["outcome"] for item in work.items)
        self._alone.update(f"due_for_{branch}" for branch in work.alone.values())
        self._reasons.update(item["reason"] for item in work.items if item["reason"])

    def _write(self, work: Batch) -> None:
        connection = self._connection
        displaced = list(dict.fromkeys(key for key in work.superseded if key in work.known))
        self._supersede([work.known[key]["id"] for key in displaced])
        upsert(
            connection,
            documents,
            list(work.writes.values()),
            ("tenant_id", "source", "doc_id", "pipeline_name"),
            insert_only=("created_at",),
        )
        self._ask_again([key for key in work.writes if key in work.again])
        left_gate = [row["id"] for key, row in work.known.items() if key in work.writes and _waits(row)]
        move_items(connection, left_gate, "waiting", "pending")
        ids = {key: row["id"] for key, row in work.known.items()}
        new = [key for key in work.writes if key not in ids]
        ids |= {key: row["id"] for key, row in self._known(new).items()}
        if work.items:
            connection.execute(
                insert(job_items),
                [{**item, "document_id": ids.get(item["document_id"])} for item in work.items],
            )
        insert_dead_letters(connection, work.letters)
        replayed = self._supersede_dead_letters(
            [*work.tried, *(key_of(letter) for _, letter in work.letters)]
        )
        record_listing(connection, self._submission, work, displaced, replayed, self._now)
        unchanged = [
            (row, restored(row, work.visible.get(key)))
            for key, row in work.unchanged.items()
            if row["status"] != Status.COMMITTED
        ]
        end_documents(connection, unchanged, Status.COMMITTED, "skipped", self._now, skipped("unchanged"))
        change_documents(connection, work.moved())
        note_revisions(connection, work.revisions)
        self._mark_deleted(work)

    def _supersede(self, document_ids: Sequence[int]) -> None:
        """Let items of earlier batches of this job stand no longer for their documents; failures stay."""
        failed = job_items.c.outcome == "failed"
        for batch in batches(document_ids):
            self._connection.execute(
                update(job_items)
                .where(job_items.c.job_id == self._submission.job_id, job_items.c.document_id.in_(batch))
                .values(
                    document_id=None,
                    outcome=case((failed, job_items.c.outcome), else_="skipped"),
                    reason=case((failed, None), else_=SUPERSEDED),
                    chunks=0,
                )
            )

    def _mark_deleted(self, work: Batch) -> None:
        """Mark documents that their source deleted. Work on them ends; what is committed stays visible."""
        committed, gone, ended = [], [], []
        for key, item in work.deletions.items():
            row = work.known[key]
            mark: dict[str, Any] = {"deleted_at_source": storable(item.locator.uri)}
            is_visible = row["committed_version"] is not None and key in work.visible
            if row["status"] not in UNFINISHED:
                ended.append({"row_id": row["id"], **mark})
            elif is_visible:
                committed.append((row, restored(row, work.visible[key]) | mark))
            else:
                gone.append((row, mark | {"revision": item.revision}))
        end_documents(self._connection, committed, Status.COMMITTED, "skipped", self._now, skipped("deleted"))
        end_documents(self._connection, gone, Status.DELETED, "skipped", self._now, deleted)
        change_documents(self._connection, ended)

    def _ask_again(self, keys: Sequence[DocumentKey]) -> None:
        """Clear the committed columns, so that the documents are not skipped; they stay visible."""
        for batch in batches(keys):
            self._connection.execute(
                update(documents)
                .where(has_key(documents, batch), self._of_pipeline)
                .values(committed_version=None, committed_fingerprint=None)
            )

    def _supersede_dead_letters(self, keys: Sequence[DocumentKey]) -> list[DocumentKey]:
        """Mark earlier dead letters of documents that this job tries again as replayed; those documents."""
        replayed: dict[DocumentKey, None] = {}
        of_document = [dead_letters.c[name] for name in ("tenant_id", "source", "doc_id")]
        for batch in batches(keys):
            rows = self._connection.execute(
                update(dead_letters)
                .where(
                    has_key(dead_letters, batch),
                    dead_letters.c.pipeline_name == self._submission.pipeline_name,
                    dead_letters.c.replayed_in.is_(None),
                    dead_letters.c.job_id != self._submission.job_id,
                )
                .values(replayed_in=self._submission.job_id)
                .returning(*of_document)
            ).mappings()
            replayed |= dict.fromkeys(map(key_of, rows))
        return list(replayed)

    @property
    def _of_pipeline(self) -> Any:
        return documents.c.pipeline_name == self._submission.pipeline_name

    def _known(self, keys: Sequence[DocumentKey]) -> dict[DocumentKey, RowMapping]:
        if not keys:
            return {}
        query = select(documents).where(has_key(documents, keys), self._of_pipeline)
        rows = self._connection.execute(query.order_by(documents.c.id).with_for_update()).mappings()
        return {key_of(row): row for row in rows}

    def _visible(self, keys: Sequence[DocumentKey]) -> dict[DocumentKey, RowMapping]:
        rows = self._connection.execute(select(commits).where(has_key(commits, keys))).mappings()
        return {key_of(row): row for row in rows}

    def _first_of_job(self, known: Mapping[DocumentKey, RowMapping]) -> dict[DocumentKey, First]:
        """Items of these documents that this job already has."""
        rows = {row["id"]: (key, row) for key, row in known.items()}
        query = select(job_items.c.document_id, job_items.c.version, job_items.c.reason).where(
            job_items.c.job_id == self._submission.job_id, job_items.c.document_id.in_(list(rows))
        )
        first: dict[DocumentKey, First] = {}
        for number, version, reason in self._connection.execute(query):
            key, row = rows[number]
            first[key] = First(version, row["locator"], row["revision"], deleted=reason == DELETED)
        return first


def _places(batch: Sequence[EnumeratedItem]) -> Iterator[Place]:
    for listed in batch:
        if listed.item.place is not None and listed.item.error_code is None:
            yield Place(listed.key, listed.item.place)


def _waits(row: RowMapping) -> bool:
    return bool(row["status"] == Status.WAITING)
