"""The allowed changes of the status of a document. Any other is a defect of medkg, and an error."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Final

from orchestration.errors import IllegalTransitionError

__all__ = ["MOVES", "Status", "check_move"]


class Status(StrEnum):
    """Where a document stands in one pipeline."""

    QUEUED = "queued"
    RUNNING = "running"
    WAITING = "waiting"
    COMMITTED = "committed"
    FAILED = "failed"
    DELETED = "deleted"


MOVES: Final[Mapping[Status, frozenset[Status]]] = {
    # listed again; leased; listed again as what is committed already; removed
    Status.QUEUED: frozenset({Status.QUEUED, Status.RUNNING, Status.COMMITTED, Status.DELETED}),
    # handed back or listed with other content; leased again; at a gate; committed; dead-lettered; removed
    Status.RUNNING: frozenset(
        {
            Status.QUEUED,
            Status.RUNNING,
            Status.WAITING,
            Status.COMMITTED,
            Status.FAILED,
            Status.DELETED,
        }
    ),
    # gate opened; listed again as what is committed already; gate never met; removed
    Status.WAITING: frozenset({Status.QUEUED, Status.COMMITTED, Status.FAILED, Status.DELETED}),
    # listed with other content or fingerprint, or replayed; listed but broken; removed
    Status.COMMITTED: frozenset({Status.QUEUED, Status.FAILED, Status.DELETED}),
    # listed again or replayed; broken again; listed again as what is committed already; removed
    Status.FAILED: frozenset({Status.QUEUED, Status.FAILED, Status.COMMITTED, Status.DELETED}),
    # listed again, whole or broken
    Status.DELETED: frozenset({Status.QUEUED, Status.FAILED}),
}


def check_move(doc_id: str, before: str, after: Status) -> None:
    """Raise IllegalTransitionError unless the table allows the move."""
    if after not in MOVES[Status(before)]:
        allowed = ", ".join(sorted(MOVES[Status(before)]))
        raise IllegalTransitionError(
            f"{doc_id} is {before} and cannot become {after}; from {before} it can become {allowed}. "
            "This is a defect of medkg; please report it with the ledger file."
        )
