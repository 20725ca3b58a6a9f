"""Facts of a batch of enumerated items: counts, queued documents, dead letters, and letters tried again.

Comes in: what was decided and written for a batch. Leaves: facts of its job in the outbox.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Connection

from orchestration.contracts import DocumentCounts, Submission
from orchestration.contracts.facts import (
    DeadLetterReplayed,
    DocumentDisplaced,
    DocumentFailed,
    DocumentQueued,
    GateReached,
    JobListed,
    StageFailure,
)
from orchestration.ledger.enqueue_batch import Batch
from orchestration.ledger.outbox.recording import Named, record_listed, record_of_job
from orchestration.ledger.rows import correlation_id, key_of
from orchestration.ledger.transitions import Status
from orchestration.records import DocumentKey

__all__ = ["record_listing"]


def record_listing(
    connection: Connection,
    submission: Submission,
    work: Batch,
    displaced: Sequence[DocumentKey],
    replayed: Sequence[DocumentKey],
    now: float,
) -> None:
    """Write the facts of a batch whose rows are written.

    `displaced`: documents whose items of earlier batches it replaced; `replayed`: those whose dead letters it
    tries again.
    """
    outcomes = Counter(item["outcome"] for item in work.items)
    reasons = Counter(item["reason"] for item in work.items if item["reason"])
    counts = DocumentCounts(total=outcomes.total(), **outcomes, **reasons)
    record_of_job(connection, submission, JobListed(counts=counts), now)

    def add(body: Any, of: Named) -> None:
        if of:
            record_listed(connection, submission, body, of, now)

    def own(keys: Sequence[DocumentKey]) -> Named:
        return [(key, correlation_id(submission.job_id, key)) for key in keys]

    add(DocumentDisplaced(), own(displaced))
    add(DeadLetterReplayed(), own(replayed))
    add(DocumentQueued(), own([key for key, row in work.writes.items() if row["status"] == Status.QUEUED]))
    attached = _attached(work)
    add(DocumentQueued(attached=True), [(key, row["correlation_id"]) for key, row in attached.items()])
    for gate in sorted({row["gate"] for row in attached.values() if row["status"] == Status.WAITING}):
        at_gate = [(key, row["correlation_id"]) for key, row in attached.items() if row["gate"] == gate]
        add(GateReached(gate=gate), at_gate)
    letters = [letter for _, letter in work.letters]
    failures = tuple(_failure(index, letter) for index, letter in enumerate(letters))
    add(DocumentFailed(failures=failures), own([key_of(letter) for letter in letters]))


def _attached(work: Batch) -> dict[DocumentKey, Any]:
    """Rows of documents that another job works on, whose outcome counts in this one too."""
    counted = (item["document_id"] for item in work.items if item["outcome"] in ("pending", "waiting"))
    return {key: work.known[key] for key in counted if key is not None and key not in work.writes}


def _failure(index: int, letter: Mapping[str, Any]) -> StageFailure:
    return StageFailure(
        index=index, **{name: letter[name] for name in ("stage", "code", "message", "attempts")}
    )
