"""The id of a ledger, by which a projection of its graph recognises it."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "ledger_identity",
        sa.Column("identity", sa.String(32), nullable=False),
        sa.PrimaryKeyConstraint("identity", name="pk_ledger_identity"),
        comment="one row; a restored ledger is another one, so copies leave it out",
    )


def downgrade() -> None:
    op.drop_table("ledger_identity")
