"""Indexes by which documents are counted by state, and the oldest queued one is found."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_index("ix_documents_pipeline_name_status", "documents", ["pipeline_name", "status"])
    queued = sa.text("status = 'queued'")
    op.create_index(
        "ix_documents_pipeline_name_updated_at",
        "documents",
        ["pipeline_name", "updated_at"],
        sqlite_where=queued,
        postgresql_where=queued,
    )


def downgrade() -> None:
    op.drop_index("ix_documents_pipeline_name_updated_at", "documents")
    op.drop_index("ix_documents_pipeline_name_status", "documents")
