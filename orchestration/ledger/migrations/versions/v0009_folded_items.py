"""Jobs keep sums of their items, so that the items of ended jobs need not be kept for ever."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column(
        "jobs",
        sa.Column(
            "folded", sa.Text(), comment="JSON {outcome, reason or chunks: sum} of items that were removed"
        ),
    )


def downgrade() -> None:
    op.drop_column("jobs", "folded")
