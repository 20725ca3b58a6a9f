"""Revisions of records, so that an older one never replaces a newer one; deletions that sources announce."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column(
        "documents", sa.Column("revision", sa.Text(), comment="of the last attempt, as its record states it")
    )
    op.add_column(
        "documents",
        sa.Column(
            "deleted_at_source",
            sa.Text(),
            comment="record in which the source announced that it deleted it",
        ),
    )
    op.add_column(
        "job_items",
        sa.Column(
            "reason", sa.String(16), comment="of a skip: superseded, deleted; null: unchanged or a repeat"
        ),
    )
    op.add_column(
        "commits",
        sa.Column("revision", sa.Text(), comment="of its record; an older one does not replace it"),
    )


def downgrade() -> None:
    op.drop_column("commits", "revision")
    op.drop_column("job_items", "reason")
    op.drop_column("documents", "deleted_at_source")
    op.drop_column("documents", "revision")
