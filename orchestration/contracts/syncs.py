"""What is remembered of the listing of a source, so that the next one goes on from it."""

from __future__ import annotations

from typing import Protocol

from pydantic import Field

from orchestration.contracts.jobs import Submission
from orchestration.records import Record, SourceItem


class SyncKey(Record):
    """Whose listing it is: any other request, topology version or model lists everything for itself."""

    tenant_id: str = Field(description="Tenant.")
    pipeline_name: str = Field(description="Topology.")
    fingerprint: str = Field(description="Of that topology with its models, for the source's format.")
    source: str = Field(description="Source plugin.")
    origin: str = Field(description="Address of the service.")
    query: str | None = Field(description="As the user gave it.")
    limit: int | None = Field(description="As the user gave it.")


class Sync(Record):
    """Where a listing stands. Moments are seconds since the epoch, by this machine's clock."""

    cursor: str | None = Field(default=None, description="From where the listing under way goes on.")
    begun_at: float | None = Field(default=None, description="Begin of the listing under way; None: none is.")
    listed: int = Field(default=0, ge=0, description="Records of the listing under way, or of the last one.")
    since: float | None = Field(
        default=None, description="Begin of the last listing that came to its end: later changes are due."
    )


class SyncLedger(Protocol):
    """Syncs: how far the enumeration of a source came."""

    def get(self, key: SyncKey) -> Sync:
        """Return the state of that sync; a new one if the ledger has none."""
        ...

    def save(self, key: SyncKey, sync: Sync) -> None:
        """Replace the state of that sync. Durable when it returns."""
        ...

    def find(self, tenant_id: str) -> list[tuple[SyncKey, Sync]]:
        """Every sync of a tenant, the last started first."""
        ...

    def unfinished(self, submission: Submission) -> list[SourceItem]:
        """Documents that earlier jobs of the same request enumerated and that are not finished, oldest first.

        Without those that wait at a gate, and without those that failed.
        """
        ...
