"""The ledger as a scrape reads it: counts and ages that indexes answer in milliseconds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final, Protocol

from pydantic import Field

from orchestration.contracts.jobs import StageReport
from orchestration.records import Record

__all__ = ["DOCUMENT_STATES", "GateAge", "LedgerReading", "MonitoringLedger"]


DOCUMENT_STATES: Final = ("queued", "running", "waiting", "committed", "failed", "deleted")
"""Where a document can stand, in the order of its way."""


class GateAge(Record):
    """Documents that wait at one gate."""

    pipeline_name: str = Field(description="Topology.")
    gate: str = Field(description="Gate.")
    documents: int = Field(ge=1, description="Documents that wait.")
    since: float = Field(description="When the first of them came to it, seconds since the epoch.")


class LedgerReading(Record):
    """The ledger at one moment, over all tenants."""

    documents: Mapping[tuple[str, str], int] = Field(description="Documents by pipeline and status.")
    queued_since: Mapping[str, float] = Field(
        description="By pipeline, since when its longest-queued document is queued, seconds since the epoch."
    )
    jobs: Mapping[str, int] = Field(description="Unfinished jobs by state.")
    windows: int = Field(ge=0, description="Windows with leased or reserved documents.")
    leases: int = Field(ge=0, description="Documents that are leased or reserved.")
    expired: int = Field(ge=0, description="Of these, documents whose lease has ended.")
    dead_letters: Mapping[tuple[str, str], int] = Field(
        description="Dead letters that were not replayed, by stage and code."
    )
    gates: tuple[GateAge, ...] = Field(description="Gates at which documents wait.")
    pdf_tasks: Mapping[str, int] = Field(description="Conversions of PDFs by state.")


class MonitoringLedger(Protocol):
    """Counts for monitoring. Guarantees: reads alone; one consistent view."""

    def read(self) -> LedgerReading:
        """Read all of it, each part from an index."""
        ...

    def recent_stages(self, since: float, limit: int) -> Sequence[StageReport]:
        """Reports of stages that ended at `since` (seconds since the epoch) or later, the newest first.

        At most the last `limit` reports are looked at.
        """
        ...
