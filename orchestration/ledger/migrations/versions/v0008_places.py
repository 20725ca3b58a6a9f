"""Places of documents, so that moved files keep their document, and a mirror removes what is gone.

Documents of files have the place that their locator names; those of services get theirs when they are listed.
"""

from __future__ import annotations

import hashlib
import json

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

AT_ONCE = 1000


def upgrade() -> None:
    op.add_column(
        "jobs",
        sa.Column(
            "removed", sa.Integer(), nullable=False, server_default="0", comment="documents, by a mirror"
        ),
    )
    op.create_index("ix_documents_tenant_id_version", "documents", ["tenant_id", "version"])
    places = op.create_table(
        "places",
        sa.Column("tenant_id", sa.String(63), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("doc_id", sa.Text(), nullable=False),
        sa.Column("place_key", sa.String(64), nullable=False, comment="sha256 of the place"),
        sa.Column("place", sa.Text(), nullable=False, comment="file, or listing of a service"),
        sa.Column(
            "job_id", sa.String(36), nullable=False, comment="that listed it first, or the last mirror"
        ),
        sa.PrimaryKeyConstraint("tenant_id", "source", "doc_id", "place_key", name="pk_places"),
    )
    op.create_index("ix_places_tenant_id_place_key", "places", ["tenant_id", "place_key"])
    op.create_index("ix_places_job_id", "places", ["job_id"])
    _note_files(places)


def downgrade() -> None:
    op.drop_table("places")
    op.drop_index("ix_documents_tenant_id_version", "documents")
    op.drop_column("jobs", "removed")


def _note_files(places: sa.Table) -> None:
    documents = sa.table(
        "documents",
        *map(sa.column, ("tenant_id", "source", "doc_id", "source_plugin", "status", "locator", "job_id")),
    )
    query = sa.select(documents).where(documents.c.source_plugin == "files", documents.c.status != "deleted")
    rows: dict[tuple[str, ...], dict[str, str]] = {}
    for row in op.get_bind().execute(query).mappings():
        place = json.loads(row["locator"]).get("uri")
        if place is None:
            continue
        key = hashlib.sha256(place.encode()).hexdigest()
        identity = {name: row[name] for name in ("tenant_id", "source", "doc_id")}
        rows[*identity.values(), key] = {
            **identity,
            "place_key": key,
            "place": place,
            "job_id": row["job_id"],
        }
    values = list(rows.values())
    for start in range(0, len(values), AT_ONCE):
        op.bulk_insert(places, values[start : start + AT_ONCE])
