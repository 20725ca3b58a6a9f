"""A commit names the model of its vectors, so that two models' can stand beside each other.

Older commits name none: `medkg verify` reports their vectors as missing, and --repair embeds them again.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column(
        "commits",
        sa.Column("namespace", sa.Text(), nullable=False, server_default="", comment="model of its vectors"),
    )


def downgrade() -> None:
    op.drop_column("commits", "namespace")
