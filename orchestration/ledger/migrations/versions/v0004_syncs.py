"""Where the listing of each source stands, so that it goes on, and the next one asks for changes only."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "syncs",
        sa.Column("key", sa.String(64), nullable=False, comment="sha256 of what is listed"),
        sa.Column("tenant_id", sa.String(63), nullable=False),
        sa.Column("listing", sa.Text(), nullable=False, comment="SyncKey as JSON"),
        sa.Column("cursor", sa.Text(), comment="from where the listing under way goes on"),
        sa.Column("begun_at", sa.Float(), comment="begin of the listing under way"),
        sa.Column("listed", sa.Integer(), nullable=False, comment="records of it, or of the last one"),
        sa.Column("since", sa.Float(), comment="begin of the last listing that came to its end"),
        sa.PrimaryKeyConstraint("key", name="pk_syncs"),
    )


def downgrade() -> None:
    op.drop_table("syncs")
