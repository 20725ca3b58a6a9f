"""The ledger's tables. Times are seconds since the epoch; JSON is text, so that both databases take it.

A document's row says where it stands in one pipeline; a job's items say what became of everything it
listed, so every job has its own account; commits say what readers see. Migrations make these tables;
a test compares the two. Those of the graph are in `ledger.graph.tables`.
"""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Float,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
    false,
    text,
)

__all__ = [
    "NUMBER",
    "cleaned_intents",
    "commit_changes",
    "commits",
    "dead_letters",
    "documents",
    "intent_documents",
    "intents",
    "item_dead_letters",
    "job_items",
    "jobs",
    "ledger_identity",
    "metadata",
    "pdf_tasks",
    "places",
    "stage_reports",
    "syncs",
    "windows",
]

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)

NUMBER = BigInteger().with_variant(Integer, "sqlite")
"""SQLite gives numbers by itself to INTEGER keys only."""

_HELD = text("lease_until > 0")
"""Rows that a window holds or leases; few, so looking for expired ones is cheap."""

_AT_A_GATE = text("gate IS NOT NULL")
"""Rows that came to a gate; few, so looking at those that wait is cheap."""

_QUEUED = text("status = 'queued'")
"""Rows that wait for a window; the oldest one is found at once."""

jobs = Table(
    "jobs",
    metadata,
    Column("number", NUMBER, primary_key=True, autoincrement=True),
    Column("job_id", String(36), nullable=False, unique=True),
    Column("tenant_id", String(63), nullable=False),
    Column("state", String(16), nullable=False),
    Column("submission", Text, nullable=False, comment="Submission as JSON"),
    Column("created_at", Float, nullable=False),
    Column("removed", Integer, nullable=False, server_default="0", comment="documents, by a mirror"),
    Column("folded", Text, comment="JSON {outcome, reason or chunks: sum} of items that were removed"),
    Index(None, "state"),
)

documents = Table(
    "documents",
    metadata,
    Column("id", NUMBER, primary_key=True, autoincrement=True),
    Column("tenant_id", String(63), nullable=False),
    Column("source", Text, nullable=False),
    Column("doc_id", Text, nullable=False),
    Column("pipeline_name", Text, nullable=False),
    Column("pipeline_version", Text, nullable=False),
    Column("status", String(16), nullable=False),
    Column("current_stage", Text, comment="last stage that was finished, or that failed"),
    Column("retry_count_per_stage", Text, nullable=False, comment="JSON {stage: repeats}"),
    Column("missing_stages", Text, nullable=False, comment="JSON [optional stage that failed]"),
    Column("version", String(64), comment="content hash of the last attempt"),
    Column("fingerprint", String(64), comment="of the last attempt"),
    Column("graph_fingerprint", String(64), comment="of the last attempt"),
    Column("revision", Text, comment="of the last attempt, as its record states it"),
    Column("deleted_at_source", Text, comment="record in which the source announced that it deleted it"),
    Column("committed_version", String(64), comment="null while a replay asks for the same again"),
    Column("committed_fingerprint", String(64)),
    Column("source_plugin", Text, nullable=False),
    Column("locator", Text, nullable=False, comment="Locator as JSON"),
    Column("pdf_downloaded", Boolean, nullable=False),
    Column("pdf_ir_ready", Boolean, nullable=False),
    Column("gate", Text, comment="gate that it waits at, or that it passed since it was listed"),
    Column("gate_since", Float, comment="when it came to the gate"),
    Column("gate_passed_at", Float, comment="when that gate opened for it; set: second phase"),
    Column("gate_payload", Text, comment="artifact with what the first phase made of it"),
    Column("window_id", String(36), comment="last window that claimed it"),
    Column("lease_owner", Text, comment="process identity; null while only held for a window"),
    Column("lease_until", Float, nullable=False),
    Column("error_code", String(16)),
    Column("error_message", Text),
    Column("job_id", String(36), nullable=False, comment="job that touched it last"),
    Column("correlation_id", Text, nullable=False),
    Column("created_at", Float, nullable=False),
    Column("updated_at", Float, nullable=False),
    UniqueConstraint("tenant_id", "source", "doc_id", "pipeline_name"),
    Index(None, "tenant_id", "status"),
    Index(None, "pipeline_name", "status"),
    Index(None, "pipeline_name", "updated_at", sqlite_where=_QUEUED, postgresql_where=_QUEUED),
    Index(None, "tenant_id", "doc_id"),
    Index(None, "tenant_id", "version"),
    Index(None, "window_id"),
    Index(None, "pipeline_name", "gate", sqlite_where=_AT_A_GATE, postgresql_where=_AT_A_GATE),
    Index(None, "lease_until", "lease_owner", sqlite_where=_HELD, postgresql_where=_HELD),
)

job_items = Table(
    "job_items",
    metadata,
    Column("job_id", String(36), primary_key=True),
    Column("ordinal", Integer, primary_key=True, autoincrement=False, comment="position in the input"),
    Column("document_id", NUMBER, ForeignKey("documents.id"), comment="null: a repeat or a broken item"),
    Column("version", String(64), comment="content hash as this job listed it"),
    Column("outcome", String(16), nullable=False),
    Column("reason", String(16), comment="of a skip: superseded, deleted; null: unchanged or a repeat"),
    Column("handed_back", Integer, nullable=False),
    Column("chunks", Integer, nullable=False),
    UniqueConstraint("job_id", "document_id"),
    Index(None, "job_id", "outcome", "ordinal"),
    Index(None, "document_id", "outcome"),
)

windows = Table(
    "windows",
    metadata,
    Column("number", NUMBER, primary_key=True, autoincrement=True),
    Column("window_id", String(36), nullable=False, unique=True),
    Column("job_id", String(36), nullable=False),
    Column("released_because", Text, comment="why documents were handed back, the last time"),
    Column("created_at", Float, nullable=False),
    Column("holder", Text, comment="process that will launch its run, if it is known"),
    Column("resumed", Boolean, nullable=False, server_default=false(), comment="its documents passed a gate"),
    Index(None, "job_id"),
)

pdf_tasks = Table(
    "pdf_tasks",
    metadata,
    Column("document_id", NUMBER, ForeignKey("documents.id"), primary_key=True, autoincrement=False),
    Column("tenant_id", String(63), nullable=False),
    Column("stage", Text, nullable=False, comment="stage that asked for it; names its dead letters"),
    Column("converter", Text, nullable=False),
    Column("options", Text, nullable=False, comment="of the converter, as JSON with sorted keys"),
    Column("max_attempts", Integer, nullable=False),
    Column("pdf_key", Text, nullable=False, comment="object that holds the PDF"),
    Column("ir_key", Text, nullable=False, comment="object that holds, or will hold, the converted document"),
    Column("state", String(16), nullable=False),
    Column("task_id", Text, comment="id that the converter gave the task"),
    Column("attempts", Integer, nullable=False),
    Column("error_code", String(16)),
    Column("error_message", Text),
    Column("asked_at", Float, nullable=False),
    Column("changed_at", Float, nullable=False, comment="of the state"),
    Column("lease_owner", Text, comment="process identity"),
    Column("lease_until", Float, nullable=False),
    Index(None, "state", "converter", "options"),
    Index(None, "pdf_key"),
)

dead_letters = Table(
    "dead_letters",
    metadata,
    Column("id", NUMBER, primary_key=True, autoincrement=True),
    Column("tenant_id", String(63), nullable=False),
    Column("source", Text, nullable=False),
    Column("doc_id", Text, nullable=False),
    Column("pipeline_name", Text, nullable=False),
    Column("pipeline_version", Text, nullable=False),
    Column("job_id", String(36), nullable=False),
    Column("correlation_id", Text, nullable=False),
    Column("context", Text, nullable=False, comment="metadata of the stage context as JSON"),
    Column("stage", Text, nullable=False),
    Column("code", String(16), nullable=False),
    Column("message", Text, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("fatal", Boolean, nullable=False, comment="false: an optional stage"),
    Column("source_plugin", Text, nullable=False),
    Column("locator", Text, nullable=False, comment="Locator as JSON"),
    Column("created_at", Float, nullable=False),
    Column("replayed_in", String(36), comment="job that tried the document again"),
    Index(None, "tenant_id", "source", "doc_id"),
    Index(None, "tenant_id", "replayed_in"),
    sqlite_autoincrement=True,
)

item_dead_letters = Table(
    "item_dead_letters",
    metadata,
    Column("job_id", String(36), primary_key=True),
    Column("ordinal", Integer, primary_key=True, autoincrement=False),
    Column("dead_letter_id", NUMBER, ForeignKey("dead_letters.id"), primary_key=True),
    ForeignKeyConstraint(["job_id", "ordinal"], ["job_items.job_id", "job_items.ordinal"]),
)

stage_reports = Table(
    "stage_reports",
    metadata,
    Column("number", NUMBER, primary_key=True, autoincrement=True),
    Column("job_id", String(36), nullable=False),
    Column("report", Text, nullable=False, comment="StageReport as JSON"),
    Index(None, "job_id"),
)

syncs = Table(
    "syncs",
    metadata,
    Column("key", String(64), primary_key=True, comment="sha256 of what is listed"),
    Column("tenant_id", String(63), nullable=False),
    Column("listing", Text, nullable=False, comment="SyncKey as JSON"),
    Column("cursor", Text, comment="from where the listing under way goes on"),
    Column("begun_at", Float, comment="begin of the listing under way"),
    Column("listed", Integer, nullable=False, comment="records of it, or of the last one"),
    Column("since", Float, comment="begin of the last listing that came to its end"),
)

places = Table(
    "places",
    metadata,
    Column("tenant_id", String(63), primary_key=True),
    Column("source", Text, primary_key=True),
    Column("doc_id", Text, primary_key=True),
    Column("place_key", String(64), primary_key=True, comment="sha256 of the place"),
    Column("place", Text, nullable=False, comment="file, or listing of a service"),
    Column("job_id", String(36), nullable=False, comment="that listed it first, or the last mirror"),
    Index(None, "tenant_id", "place_key"),
    Index(None, "job_id"),
)

intents = Table(
    "intents",
    metadata,
    Column("number", NUMBER, primary_key=True, autoincrement=True),
    Column("intent_id", String(36), nullable=False, unique=True),
    Column("tenant_id", String(63), nullable=False),
    Column("owner", Text, nullable=False, comment="process identity of the writer"),
    Column("created_at", Float, nullable=False),
)

intent_documents = Table(
    "intent_documents",
    metadata,
    Column("intent_id", String(36), ForeignKey("intents.intent_id", ondelete="CASCADE"), primary_key=True),
    Column("source", Text, primary_key=True),
    Column("doc_id", Text, primary_key=True),
)

cleaned_intents = Table(
    "cleaned_intents",
    metadata,
    Column("intent_id", String(36), primary_key=True),
    Column("cleaned_at", Float, nullable=False),
    comment="intents under which nothing may become visible any more",
)

commits = Table(
    "commits",
    metadata,
    Column("tenant_id", String(63), primary_key=True),
    Column("source", Text, primary_key=True),
    Column("doc_id", Text, primary_key=True),
    Column("version", String(64), nullable=False),
    Column("fingerprint", String(64), nullable=False),
    Column("pipeline", Text, nullable=False),
    Column("intent_id", String(36), nullable=False),
    Column("chunk_count", Integer, nullable=False),
    Column("namespace", Text, nullable=False, server_default="", comment="model of its vectors"),
    Column("revision", Text, comment="of its record; an older one does not replace it"),
    Column("graph_intent_id", String(36), comment="intent of its mentions and claims; null: none were made"),
    Column("entity_count", Integer, nullable=False, server_default="0"),
    Column("claim_count", Integer, nullable=False, server_default="0"),
    Column("parse_fingerprint", String(64), comment="of its parsed document; null: not known"),
    Column("graph_fingerprint", String(64), comment="of its mentions and claims; null: due if any are made"),
    Index(None, "intent_id"),
    Index(None, "graph_intent_id"),
)

commit_changes = Table(
    "commit_changes",
    metadata,
    Column("sequence", NUMBER, primary_key=True, autoincrement=True),
    Column("tenant_id", String(63), nullable=False),
    Column("source", Text, nullable=False),
    Column("doc_id", Text, nullable=False),
    Column("intent_id", String(36), comment="null: withdrawn"),
    UniqueConstraint("tenant_id", "source", "doc_id"),
    Index(None, "tenant_id", "sequence"),
    sqlite_autoincrement=True,
)

ledger_identity = Table(
    "ledger_identity",
    metadata,
    Column("identity", String(32), primary_key=True),
    comment="one row; a restored ledger is another one, so copies leave it out",
)
