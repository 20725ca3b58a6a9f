"""Tables of the outbox. A row of `outbox` is a fact about a batch of documents.

`documents` is JSON: `{"rows": [[first, count], ...]}`, ids of documents rows whose names are in the roster of
the window, or `{"named": [[source, doc_id, correlation id or null], ...]}`; null: it is that of the job and
document. What is erased is null in both.
"""

from __future__ import annotations

from sqlalchemy import Column, Float, Index, String, Table, Text, text

from orchestration.ledger.tables import NUMBER, metadata

__all__ = ["outbox", "outbox_readers", "outbox_rosters"]

_NEW = text("position IS NULL")
"""Facts that no reader has seen; few, so looking for them is cheap."""

outbox = Table(
    "outbox",
    metadata,
    Column("sequence", NUMBER, primary_key=True, autoincrement=True),
    Column("position", NUMBER, unique=True, comment="place in the order of commits; null: not read so far"),
    Column("kind", String(32), nullable=False),
    Column("tenant_id", String(63), nullable=False),
    Column("job_id", String(36), nullable=False),
    Column("window_id", String(36), nullable=False),
    Column("pipeline_name", Text, nullable=False),
    Column("pipeline_version", Text, nullable=False),
    Column("happened_at", Float, nullable=False),
    Column("traceparent", Text, nullable=False),
    Column("documents", Text, nullable=False, comment="JSON, see the module"),
    Column("body", Text, nullable=False, comment="FactBody as JSON"),
    Index("ix_outbox_new", "sequence", sqlite_where=_NEW, postgresql_where=_NEW),
    Index(None, "window_id"),
    sqlite_autoincrement=True,
)

outbox_rosters = Table(
    "outbox_rosters",
    metadata,
    Column("window_id", String(36), primary_key=True),
    Column("tenant_id", String(63), nullable=False),
    Column("created_at", Float, nullable=False),
    Column("documents", Text, nullable=False, comment="JSON {id: [source, doc_id, correlation id or null]}"),
)

outbox_readers = Table(
    "outbox_readers",
    metadata,
    Column("name", Text, primary_key=True),
    Column("position", NUMBER, nullable=False, comment="of the last fact that it has done with"),
    Column("state", Text, nullable=False, comment="what it keeps, changed together with its position"),
    Column("owner", Text, comment="process identity"),
    Column("lease_until", Float, nullable=False),
    Column("dropped", NUMBER, nullable=False, comment="facts removed before it had them"),
    Column("problem", Text, comment="why it does not come on"),
)
