"""Gates: documents that wait for something outside, windows of those that go on, and conversions of PDFs."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

AT_A_GATE = sa.text("gate IS NOT NULL")


def upgrade() -> None:
    for column in (
        sa.Column("gate", sa.Text(), comment="gate that it waits at, or that it passed since it was listed"),
        sa.Column("gate_since", sa.Float(), comment="when it came to the gate"),
        sa.Column("gate_payload", sa.Text(), comment="artifact with what the first phase made of it"),
    ):
        op.add_column("documents", column)
    op.create_index(
        "ix_documents_pipeline_name_gate",
        "documents",
        ["pipeline_name", "gate"],
        sqlite_where=AT_A_GATE,
        postgresql_where=AT_A_GATE,
    )
    resumed: sa.Column[bool] = sa.Column(
        "resumed",
        sa.Boolean(),
        nullable=False,
        server_default=sa.false(),
        comment="its documents passed a gate",
    )
    op.add_column("windows", resumed)
    op.create_table(
        "pdf_tasks",
        sa.Column("document_id", sa.BigInteger().with_variant(sa.Integer, "sqlite"), autoincrement=False),
        sa.Column("tenant_id", sa.String(63), nullable=False),
        sa.Column(
            "stage", sa.Text(), nullable=False, comment="stage that asked for it; names its dead letters"
        ),
        sa.Column("converter", sa.Text(), nullable=False),
        sa.Column("options", sa.Text(), nullable=False, comment="of the converter, as JSON with sorted keys"),
        sa.Column("max_attempts", sa.Integer(), nullable=False),
        sa.Column("pdf_key", sa.Text(), nullable=False, comment="object that holds the PDF"),
        sa.Column(
            "ir_key",
            sa.Text(),
            nullable=False,
            comment="object that holds, or will hold, the converted document",
        ),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("task_id", sa.Text(), comment="id that the converter gave the task"),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("error_code", sa.String(16)),
        sa.Column("error_message", sa.Text()),
        sa.Column("asked_at", sa.Float(), nullable=False),
        sa.Column("changed_at", sa.Float(), nullable=False, comment="of the state"),
        sa.Column("lease_owner", sa.Text(), comment="process identity"),
        sa.Column("lease_until", sa.Float(), nullable=False),
        sa.ForeignKeyConstraint(["document_id"], ["documents.id"], name="fk_pdf_tasks_document_id"),
        sa.PrimaryKeyConstraint("document_id", name="pk_pdf_tasks"),
    )
    op.create_index("ix_pdf_tasks_state_converter_options", "pdf_tasks", ["state", "converter", "options"])
    op.create_index("ix_pdf_tasks_pdf_key", "pdf_tasks", ["pdf_key"])


def downgrade() -> None:
    op.drop_table("pdf_tasks")
    op.drop_column("windows", "resumed")
    op.drop_index("ix_documents_pipeline_name_gate", "documents")
    for column in ("gate_payload", "gate_since", "gate"):
        op.drop_column("documents", column)
