"""How a document ends: its row, the account of every job that counts it, and its dead letters.

Comes in: rows that the transaction of the caller has locked. Leaves: statuses moved along the table of
transitions, job items resolved, dead letters kept. A job's items are resolved here and nowhere else, which
is why accounts add up.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final, Literal

from sqlalchemy import Connection, RowMapping, bindparam, insert, or_, select, update

from orchestration.ledger.outbox.recording import BodyOf, record_documents
from orchestration.ledger.rows import batches
from orchestration.ledger.tables import dead_letters, documents, item_dead_letters, job_items
from orchestration.ledger.transitions import Status, check_move

__all__ = [
    "UNRESOLVED",
    "Outcome",
    "change_documents",
    "end_documents",
    "keep_dead_letters",
    "move_items",
    "resolve_items",
]

Outcome = Literal["committed", "failed", "skipped"]

UNRESOLVED: Final = or_(job_items.c.outcome == "pending", job_items.c.outcome == "waiting")
"""Items whose document has not ended."""


def change_documents(connection: Connection, changes: Sequence[Mapping[str, Any]]) -> None:
    """Set columns of documents by `row_id`; every change sets the same columns."""
    if changes:
        connection.execute(
            update(documents).where(documents.c.id == bindparam("row_id")),
            [dict(change) for change in changes],
        )


def end_documents(
    connection: Connection,
    endings: Sequence[tuple[RowMapping, Mapping[str, Any]]],
    status: Status,
    outcome: Outcome,
    now: float,
    fact: BodyOf,
    chunks: Mapping[int, int] | None = None,
    reason: str | None = None,
) -> None:
    """Move documents (row, further columns to set) to their last status; resolve their items in all jobs.

    `fact` is what the outbox says of it. `chunks` is the number of committed chunks by document id, `reason`
    that of skipped items.
    """
    for row, _ in endings:
        check_move(row["doc_id"], row["status"], status)
    ended = {"status": status, "lease_owner": None, "lease_until": 0.0, "updated_at": now}
    change_documents(connection, [{"row_id": row["id"], **ended, **columns} for row, columns in endings])
    resolve_items(connection, [row["id"] for row, _ in endings], outcome, chunks, reason)
    record_documents(connection, [row for row, _ in endings], fact, now)


def resolve_items(
    connection: Connection,
    document_ids: Sequence[int],
    outcome: Outcome,
    chunks: Mapping[int, int] | None = None,
    reason: str | None = None,
) -> None:
    """Set the outcome of these documents in every job that has not resolved them."""
    if not document_ids:
        return
    counted = chunks or {}
    connection.execute(
        update(job_items)
        .where(job_items.c.document_id == bindparam("of_document"), UNRESOLVED)
        .values(outcome=outcome, reason=reason, chunks=bindparam("its_chunks")),
        [{"of_document": number, "its_chunks": counted.get(number, 0)} for number in document_ids],
    )


def move_items(connection: Connection, document_ids: Sequence[int], before: str, after: str) -> None:
    """Move the items of these documents between `pending` and `waiting`, in every job that counts them."""
    for batch in batches(document_ids):
        connection.execute(
            update(job_items)
            .where(job_items.c.document_id.in_(batch), job_items.c.outcome == before)
            .values(outcome=after)
        )


def keep_dead_letters(connection: Connection, letters: Sequence[tuple[int, Mapping[str, Any]]]) -> None:
    """Keep (document id, dead_letters row)s, each for every job that counts the document.

    To be called before the document ends, which resolves those items.
    """
    waiting: dict[int, list[tuple[str, int]]] = {}
    for batch in batches(letters):
        query = select(job_items.c.document_id, job_items.c.job_id, job_items.c.ordinal).where(
            job_items.c.document_id.in_({number for number, _ in batch}), UNRESOLVED
        )
        for number, job_id, ordinal in connection.execute(query):
            waiting.setdefault(number, []).append((job_id, ordinal))
    insert_dead_letters(connection, [(waiting.get(number, []), letter) for number, letter in letters])


def insert_dead_letters(
    connection: Connection, letters: Sequence[tuple[Sequence[tuple[str, int]], Mapping[str, Any]]]
) -> None:
    """Insert ((job_id, ordinal)s that count it, dead_letters row)s."""
    if not letters:
        return
    numbers = connection.execute(
        insert(dead_letters).returning(dead_letters.c.id, sort_by_parameter_order=True),
        [dict(letter) for _, letter in letters],
    ).scalars()
    counted = [
        {"job_id": job_id, "ordinal": ordinal, "dead_letter_id": number}
        for number, (items, _) in zip(numbers, letters, strict=True)
        for job_id, ordinal in items
    ]
    if counted:
        connection.execute(insert(item_dead_letters), counted)
