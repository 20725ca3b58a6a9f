"""Enqueueing: enumerated items become job items, and documents that need work are queued.

Comes in: items of a source, or dead letters to be replayed. Leaves: one job item per item, queued
documents, and dead letters for broken items and for repeats with other content.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import Connection, RowMapping, func, insert, select, update

from orchestration.contracts import DocumentCounts, Failure, Submission
from orchestration.errors import DuplicateDocumentError
from orchestration.ledger.accounts import end_documents, insert_dead_letters, move_items
from orchestration.ledger.database import lock
from orchestration.ledger.rows import (
    batches,
    correlation_id,
    dead_letter_row,
    has_key,
    key_of,
    storable,
    upsert,
)
from orchestration.ledger.skipping import is_unchanged
from orchestration.ledger.tables import commits, dead_letters, documents, job_items
from orchestration.ledger.transitions import Status, check_move
from orchestration.records import DocumentKey, SourceItem, StageContext

__all__ = ["Enqueueing", "EnumeratedItem", "Fingerprint", "lock_queue"]

ENUMERATION: Final = "enumerate"
"""Stage of failures found before a run: unreadable records, repeats with other content."""

Fingerprint = Callable[[SourceItem], str]


@dataclass(frozen=True, slots=True)
class EnumeratedItem:
    """One item with the plugin that can fetch it."""

    key: DocumentKey
    item: SourceItem
    source_plugin: str
    again: bool = False
    """Process it even if it is unchanged since its commit: a replay."""


@dataclass(frozen=True, slots=True)
class _First:
    """The first item of an id in a job, with which repeats are compared."""

    version: str | None
    locator: str


def lock_queue(connection: Connection, tenant_id: str) -> None:
    """Let the transactions that queue or delete documents of a tenant follow one another."""
    lock(connection, f"enqueue {tenant_id}")


class Enqueueing:
    """Adds items to a job within one transaction."""

    def __init__(
        self, connection: Connection, submission: Submission, fingerprint: Fingerprint, now: float
    ) -> None:
        lock_queue(connection, submission.tenant_id)
        self._connection = connection
        self._submission = submission
        self._fingerprint = fingerprint
        self._now = now
        last = select(func.max(job_items.c.ordinal)).where(job_items.c.job_id == submission.job_id)
        newest = connection.execute(last).scalar()
        self._ordinal: int = 0 if newest is None else newest + 1
        self._outcomes: Counter[str] = Counter()

    def add(self, items: Iterable[EnumeratedItem]) -> DocumentCounts:
        """Add items in order; returns their counts by outcome."""
        for batch in batches(items):
            self._add(batch)
        return DocumentCounts(total=self._outcomes.total(), **self._outcomes)

    def _add(self, batch: Sequence[EnumeratedItem]) -> None:
        keys = list({listed.key: None for listed in batch})
        known = self._known(keys)
        work = _Batch(self._submission, self._now, known, self._visible(keys), self._first_of_job(known))
        for listed in batch:
            work.add(self._ordinal, listed, self._fingerprint)
            self._ordinal += 1
        self._write(work)
        self._outcomes.update(item["outcome"] for item in work.items)

    def _write(self, work: _Batch) -> None:
        connection = self._connection
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
        self._supersede_dead_letters([*work.tried, *(key_of(letter) for _, letter in work.letters)])
        unchanged = [(row, _restored(row)) for row in work.unchanged if row["status"] != Status.COMMITTED]
        end_documents(connection, unchanged, Status.COMMITTED, "skipped", self._now)

    def _ask_again(self, keys: Sequence[DocumentKey]) -> None:
        """Clear the committed columns, so that the documents are not skipped; they stay visible."""
        for batch in batches(keys):
            self._connection.execute(
                update(documents)
                .where(has_key(documents, batch), self._of_pipeline)
                .values(committed_version=None, committed_fingerprint=None)
            )

    def _supersede_dead_letters(self, keys: Sequence[DocumentKey]) -> None:
        """Mark earlier dead letters of documents that this job tries again as replayed."""
        for batch in batches(keys):
            self._connection.execute(
                update(dead_letters)
                .where(
                    has_key(dead_letters, batch),
                    dead_letters.c.pipeline_name == self._submission.pipeline_name,
                    dead_letters.c.replayed_in.is_(None),
                    dead_letters.c.job_id != self._submission.job_id,
                )
                .values(replayed_in=self._submission.job_id)
            )

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

    def _first_of_job(self, known: Mapping[DocumentKey, RowMapping]) -> dict[DocumentKey, _First]:
        """Items of these documents that this job already has."""
        rows = {row["id"]: (key, row) for key, row in known.items()}
        query = select(job_items.c.document_id, job_items.c.version).where(
            job_items.c.job_id == self._submission.job_id, job_items.c.document_id.in_(list(rows))
        )
        first: dict[DocumentKey, _First] = {}
        for number, version in self._connection.execute(query):
            key, row = rows[number]
            first[key] = _First(version, row["locator"])
        return first


class _Batch:
    """Decides what to write for a batch of items; does not access the database."""

    def __init__(
        self,
        submission: Submission,
        now: float,
        known: Mapping[DocumentKey, RowMapping],
        visible: Mapping[DocumentKey, RowMapping],
        first: dict[DocumentKey, _First],
    ) -> None:
        self._submission = submission
        self._now = now
        self.known = known
        self._visible = visible
        self._first = first
        self.writes: dict[DocumentKey, dict[str, Any]] = {}
        self.items: list[dict[str, Any]] = []
        self.letters: list[tuple[list[tuple[str, int]], dict[str, Any]]] = []
        self.unchanged: list[RowMapping] = []
        self.tried: list[DocumentKey] = []
        self.again: set[DocumentKey] = set()

    def add(self, ordinal: int, listed: EnumeratedItem, fingerprint: Fingerprint) -> None:
        key, item = listed.key, listed.item
        if item.error_code is not None:
            self._broken(ordinal, listed, item.error_code, item.error_message or "")
        elif key in self._first:
            self._repeat(ordinal, listed, self._first[key])
        else:
            self._first[key] = _First(item.version, item.locator.model_dump_json())
            self._new(ordinal, listed, fingerprint(item))

    def _broken(self, ordinal: int, listed: EnumeratedItem, code: str, message: str) -> None:
        """Add a dead letter, and a failed row unless the document has a row with more information."""
        self._item(ordinal, "failed")
        self._letter(ordinal, listed, code, message)
        row = self.known.get(listed.key)
        says_nothing = row is None or row["status"] in (Status.FAILED, Status.DELETED)
        if listed.key not in self._first and says_nothing:
            self.writes[listed.key] = self._row(listed, Status.FAILED, None)

    def _repeat(self, ordinal: int, listed: EnumeratedItem, first: _First) -> None:
        """Add the second item of an id in one job: skipped if its content is the same, else a dead letter."""
        item = listed.item
        if item.version is None or first.version is None:
            same = item.locator.model_dump_json() == first.locator
        else:
            same = item.version == first.version
        self._item(ordinal, "skipped" if same else "failed")
        if not same:
            message = (
                f"{item.doc_id}: {item.locator.uri} holds another record of this id, not known to be the "
                "same as the first one, which was taken. Remove or correct one of the two, then run again."
            )
            self._letter(ordinal, listed, DuplicateDocumentError.code, message)

    def _new(self, ordinal: int, listed: EnumeratedItem, fingerprint: str) -> None:
        key, item = listed.key, listed.item
        row = self.known.get(key)
        if row is not None and not listed.again and self._is_unchanged(item, fingerprint, row):
            self._item(ordinal, "skipped", key, item.version)
            self.unchanged.append(row)
            return
        attached = self._attached_outcome(item, fingerprint, row) if row is not None else None
        self._item(ordinal, attached or "pending", key, item.version)
        if listed.again:
            self.again.add(key)
        if attached is None:
            self.writes[key] = self._row(listed, Status.QUEUED, fingerprint)
            self.tried.append(key)

    def _is_unchanged(self, item: SourceItem, fingerprint: str, row: RowMapping) -> bool:
        visible = self._visible.get(key_of(row))
        return is_unchanged(item.version, fingerprint, self._submission.pipeline_name, row, visible)

    def _attached_outcome(self, item: SourceItem, fingerprint: str, row: RowMapping) -> str | None:
        """Return `pending` or `waiting` when another job works on the same content, whose outcome counts here
        too; None when the document is to be queued for this job."""
        same_version = item.version is None or row["version"] in (None, item.version)
        if not same_version or row["fingerprint"] != fingerprint:
            return None
        if row["status"] == Status.WAITING:
            return "waiting"
        reserved = row["status"] == Status.QUEUED and row["lease_until"] > self._now
        return "pending" if reserved or row["status"] == Status.RUNNING else None

    def _item(
        self, ordinal: int, outcome: str, key: DocumentKey | None = None, version: str | None = None
    ) -> None:
        self.items.append(
            {
                "job_id": self._submission.job_id,
                "ordinal": ordinal,
                "document_id": key,  # its row may not exist yet
                "version": version,
                "outcome": outcome,
                "handed_back": 0,
                "chunks": 0,
            }
        )

    def _letter(self, ordinal: int, listed: EnumeratedItem, code: str, message: str) -> None:
        submission = self._submission
        ctx = StageContext(
            tenant_id=submission.tenant_id,
            job_id=submission.job_id,
            doc_id=listed.key.doc_id,
            correlation_id=correlation_id(submission.job_id, listed.key),
            metadata={"source": listed.key.source},
            pipeline_name=submission.pipeline_name,
            pipeline_version=submission.pipeline_version,
        )
        failure = Failure(ctx=ctx, stage=ENUMERATION, code=code, message=message, attempts=1)
        locator = listed.item.locator.model_dump_json()
        letter = dead_letter_row(failure, listed.source_plugin, locator, self._now)
        self.letters.append(([(submission.job_id, ordinal)], letter))

    def _row(self, listed: EnumeratedItem, status: Status, fingerprint: str | None) -> dict[str, Any]:
        """The documents row of an item that is queued or broken."""
        key, item = listed.key, listed.item
        before = self.known.get(key)
        if before is not None:
            check_move(key.doc_id, before["status"], status)
        return {
            **key.model_dump(),
            "pipeline_name": self._submission.pipeline_name,
            "pipeline_version": self._submission.pipeline_version,
            "status": status,
            "current_stage": ENUMERATION if status is Status.FAILED else None,
            "retry_count_per_stage": "{}",
            "missing_stages": "[]" if before is None else before["missing_stages"],
            "version": item.version,
            "fingerprint": fingerprint,
            "source_plugin": listed.source_plugin,
            "locator": item.locator.model_dump_json(),
            "pdf_downloaded": False,
            "pdf_ir_ready": False,
            "gate": None,
            "gate_since": None,
            "gate_passed_at": None,
            "gate_payload": None,
            "window_id": None,
            "lease_owner": None,
            "lease_until": 0.0,
            "error_code": item.error_code,
            "error_message": storable(item.error_message) if item.error_message else None,
            "job_id": self._submission.job_id,
            "correlation_id": correlation_id(self._submission.job_id, key),
            "created_at": self._now,
            "updated_at": self._now,
        }


def _waits(row: RowMapping) -> bool:
    return bool(row["status"] == Status.WAITING)


def _restored(row: RowMapping) -> dict[str, Any]:
    """Columns of a document whose content is the committed one again."""
    return {
        "window_id": None,
        "version": row["committed_version"],
        "fingerprint": row["committed_fingerprint"],
        "error_code": None,
        "error_message": None,
    }
