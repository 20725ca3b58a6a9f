"""The outbox: facts, the documents of windows, and the places of readers."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None

NUMBER = sa.BigInteger().with_variant(sa.Integer, "sqlite")


def upgrade() -> None:
    op.create_table(
        "outbox",
        sa.Column("sequence", NUMBER, autoincrement=True, nullable=False),
        sa.Column("position", NUMBER, comment="place in the order of commits; null: not read so far"),
        sa.Column("kind", sa.String(32), nullable=False),
        sa.Column("tenant_id", sa.String(63), nullable=False),
        sa.Column("job_id", sa.String(36), nullable=False),
        sa.Column("window_id", sa.String(36), nullable=False),
        sa.Column("pipeline_name", sa.Text, nullable=False),
        sa.Column("pipeline_version", sa.Text, nullable=False),
        sa.Column("happened_at", sa.Float, nullable=False),
        sa.Column("traceparent", sa.Text, nullable=False),
        sa.Column("documents", sa.Text, nullable=False, comment="JSON, see the module"),
        sa.Column("body", sa.Text, nullable=False, comment="FactBody as JSON"),
        sa.PrimaryKeyConstraint("sequence", name="pk_outbox"),
        sa.UniqueConstraint("position", name="uq_outbox_position"),
        sqlite_autoincrement=True,
    )
    new = sa.text("position IS NULL")
    op.create_index("ix_outbox_new", "outbox", ["sequence"], sqlite_where=new, postgresql_where=new)
    op.create_index("ix_outbox_window_id", "outbox", ["window_id"])
    op.create_table(
        "outbox_rosters",
        sa.Column("window_id", sa.String(36), nullable=False),
        sa.Column("tenant_id", sa.String(63), nullable=False),
        sa.Column("created_at", sa.Float, nullable=False),
        sa.Column(
            "documents",
            sa.Text,
            nullable=False,
            comment="JSON {id: [source, doc_id, correlation id or null]}",
        ),
        sa.PrimaryKeyConstraint("window_id", name="pk_outbox_rosters"),
    )
    op.create_table(
        "outbox_readers",
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("position", NUMBER, nullable=False, comment="of the last fact that it has done with"),
        sa.Column(
            "state", sa.Text, nullable=False, comment="what it keeps, changed together with its position"
        ),
        sa.Column("owner", sa.Text, comment="process identity"),
        sa.Column("lease_until", sa.Float, nullable=False),
        sa.Column("dropped", NUMBER, nullable=False, comment="facts removed before it had them"),
        sa.Column("problem", sa.Text, comment="why it does not come on"),
        sa.PrimaryKeyConstraint("name", name="pk_outbox_readers"),
    )


def downgrade() -> None:
    for name in ("outbox_readers", "outbox_rosters", "outbox"):
        op.drop_table(name)
