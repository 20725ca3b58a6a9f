"""Retention: what the ledger forgets by age, so that its size follows its documents and not its years."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Protocol

from pydantic import Field

from orchestration.records import Record


class Retention(Record):
    """How long the ledger keeps what no user needs; times are seconds since the epoch."""

    details_since: float = Field(
        description="Ended jobs that were opened earlier keep sums in the place of single documents."
    )
    history_since: float = Field(description="Ended jobs that were opened earlier are forgotten.")
    newest_jobs: int = Field(ge=0, description="Newest jobs of each tenant that are kept whatever their age.")


class RetentionLedger(Protocol):
    """Forgets by age.

    Guarantees. Accounts stay what they were as long as their job is kept. Kept whatever their age: jobs with
    unfinished documents, dead letters that wait for replay, documents and commits. Each step is one
    short transaction, durable when it ends; interrupted, the rest is done the next time. Idempotent.
    """

    def prune(
        self, retention: Retention, is_stopped: Callable[[], bool] = lambda: False
    ) -> Mapping[str, int]:
        """Forget what is older; returns the number of removed rows by table. Ends early if stopped."""
        ...
