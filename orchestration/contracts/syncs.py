"""What is remembered of the listing of a source, so that the next one goes on from it."""

from __future__ import annotations

from pydantic import Field

from orchestration.records import Record


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
