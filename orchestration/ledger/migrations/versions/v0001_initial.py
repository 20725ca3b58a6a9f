"""The first schema."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "cleaned_intents",
        sa.Column("intent_id", sa.String(length=36), nullable=False),
        sa.Column("cleaned_at", sa.Float(), nullable=False),
        sa.PrimaryKeyConstraint("intent_id", name="pk_cleaned_intents"),
        comment="intents under which nothing may become visible any more",
    )
    op.create_table(
        "commit_changes",
        sa.Column("sequence", _number(), autoincrement=True, nullable=False),
        sa.Column("tenant_id", sa.String(length=63), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("doc_id", sa.Text(), nullable=False),
        sa.Column("intent_id", sa.String(length=36), nullable=True, comment="null: withdrawn"),
        sa.PrimaryKeyConstraint("sequence", name="pk_commit_changes"),
        sa.UniqueConstraint(
            "tenant_id", "source", "doc_id", name="uq_commit_changes_tenant_id_source_doc_id"
        ),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_commit_changes_tenant_id_sequence", "commit_changes", ["tenant_id", "sequence"])
    op.create_table(
        "commits",
        sa.Column("tenant_id", sa.String(length=63), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("doc_id", sa.Text(), nullable=False),
        sa.Column("version", sa.String(length=64), nullable=False),
        sa.Column("fingerprint", sa.String(length=64), nullable=False),
        sa.Column("pipeline", sa.Text(), nullable=False),
        sa.Column("intent_id", sa.String(length=36), nullable=False),
        sa.Column("chunk_count", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("tenant_id", "source", "doc_id", name="pk_commits"),
    )
    op.create_index("ix_commits_intent_id", "commits", ["intent_id"])
    op.create_table(
        "dead_letters",
        sa.Column("id", _number(), autoincrement=True, nullable=False),
        sa.Column("tenant_id", sa.String(length=63), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("doc_id", sa.Text(), nullable=False),
        sa.Column("pipeline_name", sa.Text(), nullable=False),
        sa.Column("pipeline_version", sa.Text(), nullable=False),
        sa.Column("job_id", sa.String(length=36), nullable=False),
        sa.Column("correlation_id", sa.Text(), nullable=False),
        sa.Column("context", sa.Text(), nullable=False, comment="metadata of the stage context as JSON"),
        sa.Column("stage", sa.Text(), nullable=False),
        sa.Column("code", sa.String(length=16), nullable=False),
        sa.Column("message", sa.Text(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("fatal", sa.Boolean(), nullable=False, comment="false: an optional stage"),
        sa.Column("source_plugin", sa.Text(), nullable=False),
        sa.Column("locator", sa.Text(), nullable=False, comment="Locator as JSON"),
        sa.Column("created_at", sa.Float(), nullable=False),
        sa.Column(
            "replayed_in", sa.String(length=36), nullable=True, comment="job that tried the document again"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_dead_letters"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_dead_letters_tenant_id_replayed_in", "dead_letters", ["tenant_id", "replayed_in"])
    op.create_index(
        "ix_dead_letters_tenant_id_source_doc_id", "dead_letters", ["tenant_id", "source", "doc_id"]
    )
    op.create_table(
        "documents",
        sa.Column("id", _number(), autoincrement=True, nullable=False),
        sa.Column("tenant_id", sa.String(length=63), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("doc_id", sa.Text(), nullable=False),
        sa.Column("pipeline_name", sa.Text(), nullable=False),
        sa.Column("pipeline_version", sa.Text(), nullable=False),
        sa.Column("status", sa.String(length=16), nullable=False),
        sa.Column(
            "current_stage", sa.Text(), nullable=True, comment="last stage that was finished, or that failed"
        ),
        sa.Column("retry_count_per_stage", sa.Text(), nullable=False, comment="JSON {stage: repeats}"),
        sa.Column("missing_stages", sa.Text(), nullable=False, comment="JSON [optional stage that failed]"),
        sa.Column("version", sa.String(length=64), nullable=True, comment="content hash of the last attempt"),
        sa.Column("fingerprint", sa.String(length=64), nullable=True, comment="of the last attempt"),
        sa.Column(
            "committed_version",
            sa.String(length=64),
            nullable=True,
            comment="null while a replay asks for the same again",
        ),
        sa.Column("committed_fingerprint", sa.String(length=64), nullable=True),
        sa.Column("source_plugin", sa.Text(), nullable=False),
        sa.Column("locator", sa.Text(), nullable=False, comment="Locator as JSON"),
        sa.Column("pdf_downloaded", sa.Boolean(), nullable=False),
        sa.Column("pdf_ir_ready", sa.Boolean(), nullable=False),
        sa.Column("window_id", sa.String(length=36), nullable=True, comment="last window that claimed it"),
        sa.Column(
            "lease_owner",
            sa.Text(),
            nullable=True,
            comment="process identity; null while only held for a window",
        ),
        sa.Column("lease_until", sa.Float(), nullable=False),
        sa.Column("error_code", sa.String(length=16), nullable=True),
        sa.Column("error_message", sa.Text(), nullable=True),
        sa.Column("job_id", sa.String(length=36), nullable=False, comment="job that touched it last"),
        sa.Column("correlation_id", sa.Text(), nullable=False),
        sa.Column("created_at", sa.Float(), nullable=False),
        sa.Column("updated_at", sa.Float(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_documents"),
        sa.UniqueConstraint(
            "tenant_id",
            "source",
            "doc_id",
            "pipeline_name",
            name="uq_documents_tenant_id_source_doc_id_pipeline_name",
        ),
    )
    op.create_index(
        "ix_documents_lease_until_lease_owner",
        "documents",
        ["lease_until", "lease_owner"],
        sqlite_where=sa.text("lease_until > 0"),
        postgresql_where=sa.text("lease_until > 0"),
    )
    op.create_index("ix_documents_tenant_id_doc_id", "documents", ["tenant_id", "doc_id"])
    op.create_index("ix_documents_tenant_id_status", "documents", ["tenant_id", "status"])
    op.create_index("ix_documents_window_id", "documents", ["window_id"])
    op.create_table(
        "intents",
        sa.Column("number", _number(), autoincrement=True, nullable=False),
        sa.Column("intent_id", sa.String(length=36), nullable=False),
        sa.Column("tenant_id", sa.String(length=63), nullable=False),
        sa.Column("owner", sa.Text(), nullable=False, comment="process identity of the writer"),
        sa.Column("created_at", sa.Float(), nullable=False),
        sa.PrimaryKeyConstraint("number", name="pk_intents"),
        sa.UniqueConstraint("intent_id", name="uq_intents_intent_id"),
    )
    op.create_table(
        "jobs",
        sa.Column("number", _number(), autoincrement=True, nullable=False),
        sa.Column("job_id", sa.String(length=36), nullable=False),
        sa.Column("tenant_id", sa.String(length=63), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("submission", sa.Text(), nullable=False, comment="Submission as JSON"),
        sa.Column("created_at", sa.Float(), nullable=False),
        sa.PrimaryKeyConstraint("number", name="pk_jobs"),
        sa.UniqueConstraint("job_id", name="uq_jobs_job_id"),
    )
    op.create_index("ix_jobs_state", "jobs", ["state"])
    op.create_table(
        "stage_reports",
        sa.Column("number", _number(), autoincrement=True, nullable=False),
        sa.Column("job_id", sa.String(length=36), nullable=False),
        sa.Column("report", sa.Text(), nullable=False, comment="StageReport as JSON"),
        sa.PrimaryKeyConstraint("number", name="pk_stage_reports"),
    )
    op.create_index("ix_stage_reports_job_id", "stage_reports", ["job_id"])
    op.create_table(
        "windows",
        sa.Column("number", _number(), autoincrement=True, nullable=False),
        sa.Column("window_id", sa.String(length=36), nullable=False),
        sa.Column("job_id", sa.String(length=36), nullable=False),
        sa.Column(
            "released_because",
            sa.Text(),
            nullable=True,
            comment="why documents were handed back, the last time",
        ),
        sa.Column("created_at", sa.Float(), nullable=False),
        sa.PrimaryKeyConstraint("number", name="pk_windows"),
        sa.UniqueConstraint("window_id", name="uq_windows_window_id"),
    )
    op.create_index("ix_windows_job_id", "windows", ["job_id"])
    op.create_table(
        "intent_documents",
        sa.Column("intent_id", sa.String(length=36), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("doc_id", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["intent_id"], ["intents.intent_id"], name="fk_intent_documents_intent_id", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("intent_id", "source", "doc_id", name="pk_intent_documents"),
    )
    op.create_table(
        "job_items",
        sa.Column("job_id", sa.String(length=36), nullable=False),
        sa.Column(
            "ordinal", sa.Integer(), autoincrement=False, nullable=False, comment="position in the input"
        ),
        sa.Column("document_id", _number(), nullable=True, comment="null: a repeat or a broken item"),
        sa.Column(
            "version", sa.String(length=64), nullable=True, comment="content hash as this job listed it"
        ),
        sa.Column("outcome", sa.String(length=16), nullable=False),
        sa.Column("handed_back", sa.Integer(), nullable=False),
        sa.Column("chunks", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["document_id"], ["documents.id"], name="fk_job_items_document_id"),
        sa.PrimaryKeyConstraint("job_id", "ordinal", name="pk_job_items"),
        sa.UniqueConstraint("job_id", "document_id", name="uq_job_items_job_id_document_id"),
    )
    op.create_index("ix_job_items_document_id_outcome", "job_items", ["document_id", "outcome"])
    op.create_index("ix_job_items_job_id_outcome_ordinal", "job_items", ["job_id", "outcome", "ordinal"])
    op.create_table(
        "item_dead_letters",
        sa.Column("job_id", sa.String(length=36), nullable=False),
        sa.Column("ordinal", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("dead_letter_id", _number(), nullable=False),
        sa.ForeignKeyConstraint(
            ["dead_letter_id"], ["dead_letters.id"], name="fk_item_dead_letters_dead_letter_id"
        ),
        sa.ForeignKeyConstraint(
            ["job_id", "ordinal"],
            ["job_items.job_id", "job_items.ordinal"],
            name="fk_item_dead_letters_job_id_ordinal",
        ),
        sa.PrimaryKeyConstraint("job_id", "ordinal", "dead_letter_id", name="pk_item_dead_letters"),
    )


def downgrade() -> None:
    for table in (
        "item_dead_letters",
        "job_items",
        "intent_documents",
        "windows",
        "stage_reports",
        "jobs",
        "intents",
        "documents",
        "dead_letters",
        "commits",
        "commit_changes",
        "cleaned_intents",
    ):
        op.drop_table(table)


def _number() -> sa.types.TypeEngine[int]:
    """SQLite gives numbers by itself to INTEGER keys only."""
    return sa.BigInteger().with_variant(sa.Integer(), "sqlite")
