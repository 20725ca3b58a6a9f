"""Syncs: the state of the enumeration of a source, from which the next one continues."""

from __future__ import annotations

from typing import Protocol

from pydantic import ConfigDict, Field

from orchestration.contracts.jobs import Submission
from orchestration.records import Record, SourceItem


class SyncKey(Record):
    """Identity of a sync: another request, topology version or model has its own sync.

    Ledgers find a sync by the hash of its JSON, so serialised names and their order stay.
    """

    model_config = ConfigDict(validate_by_name=True, serialize_by_alias=True)

    tenant_id: str = Field(description="Tenant.")
    pipeline_name: str = Field(description="Topology.")
    fingerprint: str = Field(
        description="Fingerprints of that topology's branches, for the format of the source."
    )
    plugin: str = Field(validation_alias="source", serialization_alias="source", description="Source plugin.")
    origin: str = Field(description="Address of the service.")
    query: str | None = Field(description="As the user gave it.")
    limit: int | None = Field(description="As the user gave it.")


class Sync(Record):
    """State of a sync. Times are seconds since the epoch, by the clock of this machine."""

    cursor: str | None = Field(
        default=None, description="Position at which the running enumeration continues."
    )
    begun_at: float | None = Field(
        default=None, description="Start of the running enumeration; None: none is running."
    )
    listed: int = Field(
        default=0, ge=0, description="Records of the running enumeration, or of the last one."
    )
    since: float | None = Field(
        default=None, description="Start of the last complete enumeration: later changes are enumerated next."
    )


class SyncLedger(Protocol):
    """Syncs: how far the enumeration of a source came.

    Guarantees. Every call is one transaction, durable when it returns; saving is idempotent. A cursor is
    saved after the items before it are queued, so an interrupted enumeration repeats a page and misses none.
    """

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
