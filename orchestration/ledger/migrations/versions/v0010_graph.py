"""Mentions and claims of documents, and the intent of a commit under which they are visible."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

_NUMBER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.add_column(
        "commits",
        sa.Column(
            "graph_intent_id",
            sa.String(36),
            comment="intent of its mentions and claims; null: none were made",
        ),
    )
    for name in ("entity_count", "claim_count"):
        op.add_column("commits", sa.Column(name, sa.Integer(), nullable=False, server_default="0"))
    op.create_index("ix_commits_graph_intent_id", "commits", ["graph_intent_id"])
    _create_documents()
    _create_mentions()
    _create_claims()


def _create_documents() -> None:
    op.create_table(
        "graph_documents",
        sa.Column("number", _NUMBER, autoincrement=True),
        sa.Column("tenant_id", sa.String(63), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("doc_id", sa.Text(), nullable=False),
        sa.Column(
            "intent_id",
            sa.String(36),
            nullable=False,
            comment="visible if the document's commit names it",
        ),
        sa.Column("entity_count", sa.Integer(), nullable=False),
        sa.Column("claim_count", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("number", name="pk_graph_documents"),
        sa.UniqueConstraint(
            "tenant_id",
            "source",
            "doc_id",
            "intent_id",
            name="uq_graph_documents_tenant_id_source_doc_id_intent_id",
        ),
        comment="documents whose mentions and claims are held",
    )
    op.create_index("ix_graph_documents_intent_id", "graph_documents", ["intent_id"])


def _of_document(table: str) -> list[sa.schema.SchemaItem]:
    return [
        sa.Column("number", _NUMBER, autoincrement=True),
        sa.Column("document_number", _NUMBER, nullable=False),
        sa.PrimaryKeyConstraint("number", name=f"pk_{table}"),
        sa.ForeignKeyConstraint(
            ["document_number"],
            ["graph_documents.number"],
            name=f"fk_{table}_document_number",
        ),
    ]


def _create_mentions() -> None:
    op.create_table(
        "graph_mentions",
        *_of_document("graph_mentions"),
        sa.Column("entity_id", sa.Text(), nullable=False),
        sa.Column("concept", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("start_char", sa.Integer(), nullable=False),
        sa.Column("end_char", sa.Integer(), nullable=False),
        sa.Column("identifiers", sa.Text(), nullable=False, comment="JSON list of CURIEs"),
        sa.Column("confidence", sa.Float(), nullable=False),
        sa.Column("extraction", sa.Text(), nullable=False),
    )
    op.create_index("ix_graph_mentions_document_number", "graph_mentions", ["document_number"])
    op.create_index("ix_graph_mentions_concept", "graph_mentions", ["concept"])


def _create_claims() -> None:
    op.create_table(
        "graph_claims",
        *_of_document("graph_claims"),
        sa.Column("claim_id", sa.Text(), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False, comment="entity_id"),
        sa.Column("subject_concept", sa.Text(), nullable=False),
        sa.Column("predicate", sa.Text(), nullable=False),
        sa.Column("object", sa.Text(), nullable=False, comment="entity_id"),
        sa.Column("object_concept", sa.Text(), nullable=False),
        sa.Column("record", sa.Text(), nullable=False, comment="Claim as JSON"),
    )
    op.create_index("ix_graph_claims_document_number", "graph_claims", ["document_number"])
    op.create_index("ix_graph_claims_claim_id", "graph_claims", ["claim_id"])
    for end in ("subject", "object"):
        op.create_index(
            f"ix_graph_claims_{end}_concept_predicate", "graph_claims", [f"{end}_concept", "predicate"]
        )


def downgrade() -> None:
    for table in ("graph_claims", "graph_mentions", "graph_documents"):
        op.drop_table(table)
    op.drop_index("ix_commits_graph_intent_id", "commits")
    for name in ("claim_count", "entity_count", "graph_intent_id"):
        op.drop_column("commits", name)
