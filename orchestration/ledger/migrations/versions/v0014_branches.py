"""Fingerprints of the parsed document and of the graph beside that of the index."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column(
        "commits",
        sa.Column("parse_fingerprint", sa.String(64), comment="of its parsed document; null: not known"),
    )
    op.add_column(
        "commits",
        sa.Column(
            "graph_fingerprint",
            sa.String(64),
            comment="of its mentions and claims; null: due if any are made",
        ),
    )
    op.add_column("documents", sa.Column("graph_fingerprint", sa.String(64), comment="of the last attempt"))


def downgrade() -> None:
    op.drop_column("documents", "graph_fingerprint")
    for name in ("graph_fingerprint", "parse_fingerprint"):
        op.drop_column("commits", name)
