"""A window names the process that will launch its run, so that its hold ends with that process."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column(
        "windows",
        sa.Column(
            "holder",
            sa.Text(),
            nullable=True,
            comment="process that will launch its run, if it is known",
        ),
    )


def downgrade() -> None:
    op.drop_column("windows", "holder")
