"""Facts of documents, counts of concepts and names, and aliases, for what reads the graph."""

from __future__ import annotations

import json
import unicodedata
from collections import Counter, defaultdict
from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0010"
branch_labels = None
depends_on = None

_NUMBER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_EFFECT = sa.text("negated OR direction IS NOT NULL")
_LOW = sa.text("confidence < 0.5")
_RETRACTED = sa.text("retracted")


def upgrade() -> None:
    _change_documents()
    _change_claims()
    op.drop_index("ix_graph_mentions_concept", "graph_mentions")
    op.create_index(
        "ix_graph_mentions_concept_document_number", "graph_mentions", ["concept", "document_number"]
    )
    for table, comment in (
        ("graph_identifiers", "identifiers of documents, by which notices name them"),
        ("graph_notices", "retractions that other documents state"),
    ):
        _create_identifiers(table, comment)
    op.create_index("ix_graph_identifiers_identifier", "graph_identifiers", ["identifier"])
    _create_counts()
    _create_aliases()
    _fill_claims()
    _count()


def _change_documents() -> None:
    op.add_column(
        "graph_documents",
        sa.Column(
            "visible",
            sa.Boolean(),
            nullable=False,
            server_default=sa.false(),
            comment="the commit names the intent",
        ),
    )
    op.add_column(
        "graph_documents",
        sa.Column("title", sa.Text(), comment="null: unknown, as of rows from before migration 0012"),
    )
    op.add_column("graph_documents", sa.Column("year", sa.Integer()))
    op.add_column(
        "graph_documents",
        sa.Column("study_type", sa.Text(), comment="e.g. interventional, Randomized Controlled Trial"),
    )
    op.add_column(
        "graph_documents",
        sa.Column(
            "retracted",
            sa.Boolean(),
            nullable=False,
            server_default=sa.false(),
            comment="as its record states",
        ),
    )
    op.create_index(
        "ix_graph_documents_retracted",
        "graph_documents",
        ["tenant_id"],
        sqlite_where=_RETRACTED,
        postgresql_where=_RETRACTED,
    )


def _change_claims() -> None:
    op.add_column(
        "graph_claims", sa.Column("negated", sa.Boolean(), nullable=False, server_default=sa.false())
    )
    op.add_column(
        "graph_claims", sa.Column("direction", sa.String(16), comment="increased, decreased, unchanged")
    )
    op.add_column("graph_claims", sa.Column("confidence", sa.Float(), nullable=False, server_default="1"))
    for end in ("subject", "object"):
        op.drop_index(f"ix_graph_claims_{end}_concept_predicate", "graph_claims")
    ends = ["subject_concept", "object_concept"]
    op.create_index("ix_graph_claims_subject", "graph_claims", [*ends, "predicate", "document_number"])
    op.create_index("ix_graph_claims_object", "graph_claims", [*ends[::-1], "predicate", "document_number"])
    op.create_index(
        "ix_graph_claims_effect",
        "graph_claims",
        ["subject_concept", "predicate", "object_concept"],
        sqlite_where=_EFFECT,
        postgresql_where=_EFFECT,
    )
    op.create_index(
        "ix_graph_claims_low", "graph_claims", ["confidence"], sqlite_where=_LOW, postgresql_where=_LOW
    )


def _create_identifiers(table: str, comment: str) -> None:
    op.create_table(
        table,
        sa.Column("document_number", _NUMBER, nullable=False),
        sa.Column(
            "identifier",
            sa.Text(),
            nullable=False,
            comment="pmid:123, doi:10.1000/x, pmcid:pmc1"
            if table == "graph_identifiers"
            else "of an article that the document retracts",
        ),
        sa.PrimaryKeyConstraint("document_number", "identifier", name=f"pk_{table}"),
        sa.ForeignKeyConstraint(
            ["document_number"], ["graph_documents.number"], name=f"fk_{table}_document_number"
        ),
        comment=comment,
    )


def _create_counts() -> None:
    op.create_table(
        "graph_names",
        sa.Column("tenant_id", sa.String(63), nullable=False),
        sa.Column("concept", sa.Text(), nullable=False, comment="own key of the mentions"),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("folded", sa.Text(), nullable=False, comment="the name as names are compared"),
        sa.Column("mentions", sa.Integer(), nullable=False, comment="visible ones"),
        sa.PrimaryKeyConstraint("tenant_id", "concept", "kind", "name", name="pk_graph_names"),
        comment="names of visible mentions",
    )
    op.create_index("ix_graph_names_tenant_id_folded", "graph_names", ["tenant_id", "folded"])
    op.create_table(
        "graph_concepts",
        sa.Column("tenant_id", sa.String(63), nullable=False),
        sa.Column("concept", sa.Text(), nullable=False, comment="canonical key: what aliases come to"),
        sa.Column("kind", sa.Text(), nullable=False, comment="most frequent one"),
        sa.Column("name", sa.Text(), nullable=False, comment="most frequent one"),
        sa.Column("documents", sa.Integer(), nullable=False, comment="with a visible mention"),
        sa.Column("mentions", sa.Integer(), nullable=False, comment="visible ones"),
        sa.PrimaryKeyConstraint("tenant_id", "concept", name="pk_graph_concepts"),
        comment="concepts with visible mentions, those that aliases merge as one",
    )
    op.create_index("ix_graph_concepts_tenant_id_documents", "graph_concepts", ["tenant_id", "documents"])
    op.create_index(
        "ix_graph_concepts_tenant_id_kind_documents", "graph_concepts", ["tenant_id", "kind", "documents"]
    )


def _create_aliases() -> None:
    op.create_table(
        "graph_aliases",
        sa.Column("tenant_id", sa.String(63), nullable=False),
        sa.Column("alias_id", sa.String(25), nullable=False),
        sa.Column("from_key", sa.Text(), nullable=False),
        sa.Column("to_key", sa.Text(), nullable=False),
        sa.Column("rule", sa.Text(), nullable=False, comment="manual, or the predicate of a mapping"),
        sa.Column("origin", sa.Text(), nullable=False, comment="file of mappings; '' for one added by hand"),
        sa.Column("version", sa.Text(), nullable=False, comment="of the file"),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("created_at", sa.Float(), nullable=False),
        sa.PrimaryKeyConstraint("tenant_id", "alias_id", name="pk_graph_aliases"),
        comment="keys that stand for the same concept",
    )
    op.create_index("ix_graph_aliases_tenant_id_origin", "graph_aliases", ["tenant_id", "origin"])
    op.create_table(
        "graph_canonical",
        sa.Column("tenant_id", sa.String(63), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("canonical", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("tenant_id", "key", name="pk_graph_canonical"),
        comment="what aliases come to: other key -> canonical key",
    )
    op.create_index("ix_graph_canonical_tenant_id_canonical", "graph_canonical", ["tenant_id", "canonical"])


def _fill_claims() -> None:
    """Claims that deny, name a direction or are uncertain say so only in their JSON."""
    connection = op.get_bind()
    claims = sa.table(
        "graph_claims",
        *(sa.column(name) for name in ("number", "record", "negated", "direction", "confidence")),
    )
    last = -1
    while True:
        query = sa.select(claims.c.number, claims.c.record).where(claims.c.number > last)
        rows = connection.execute(query.order_by(claims.c.number).limit(1000)).all()
        if not rows:
            return
        for number, record in rows:
            values = _stated(json.loads(record))
            if values:
                connection.execute(sa.update(claims).where(claims.c.number == number).values(values))
        last = rows[-1].number


def _stated(claim: dict[str, Any]) -> dict[str, Any]:
    usual = {"negated": False, "direction": None, "confidence": 1.0}
    return {name: claim[name] for name, value in usual.items() if claim.get(name, value) != value}


def _count() -> None:
    """Mark what is visible and count it, as later commits do."""
    connection = op.get_bind()
    connection.execute(
        sa.text(
            "UPDATE graph_documents SET visible = (1 = 1) WHERE EXISTS (SELECT 1 FROM commits c "
            "WHERE c.tenant_id = graph_documents.tenant_id AND c.source = graph_documents.source "
            "AND c.doc_id = graph_documents.doc_id AND c.graph_intent_id = graph_documents.intent_id)"
        )
    )
    visible = "FROM graph_mentions m JOIN graph_documents d ON d.number = m.document_number WHERE d.visible"
    names = connection.execute(
        sa.text(
            f"SELECT d.tenant_id, m.concept, m.kind, m.name, count(*) AS mentions {visible} "
            "GROUP BY d.tenant_id, m.concept, m.kind, m.name"
        )
    )
    kinds: dict[tuple[str, str], Counter[str]] = defaultdict(Counter)
    called: dict[tuple[str, str], Counter[str]] = defaultdict(Counter)
    rows = []
    for row in names.mappings():
        kinds[row["tenant_id"], row["concept"]][row["kind"]] += row["mentions"]
        called[row["tenant_id"], row["concept"]][row["name"]] += row["mentions"]
        rows.append({**row, "folded": _folded(row["name"])})
    documents = connection.execute(
        sa.text(
            "SELECT d.tenant_id, m.concept, count(*) AS mentions, "
            f"count(DISTINCT m.document_number) AS documents {visible} GROUP BY d.tenant_id, m.concept"
        )
    )
    concepts = [
        {
            **row,
            "kind": _commonest(kinds[row["tenant_id"], row["concept"]]),
            "name": _commonest(called[row["tenant_id"], row["concept"]]),
        }
        for row in documents.mappings()
    ]
    for table, of_table in (("graph_names", rows), ("graph_concepts", concepts)):
        if of_table:
            columns: list[Any] = [sa.column(name) for name in of_table[0]]
            connection.execute(sa.insert(sa.table(table, *columns)), of_table)


def _folded(name: str) -> str:
    return " ".join(unicodedata.normalize("NFKC", name).casefold().split())


def _commonest(counted: Counter[str]) -> str:
    return min(counted, key=lambda value: (-counted[value], value))


def downgrade() -> None:
    for table in (
        "graph_canonical",
        "graph_aliases",
        "graph_concepts",
        "graph_names",
        "graph_notices",
        "graph_identifiers",
    ):
        op.drop_table(table)
    _restore_claims()
    for name in ("subject", "object", "effect", "low"):
        op.drop_index(f"ix_graph_claims_{name}", "graph_claims")
    for end in ("subject", "object"):
        op.create_index(
            f"ix_graph_claims_{end}_concept_predicate", "graph_claims", [f"{end}_concept", "predicate"]
        )
    for name in ("confidence", "direction", "negated"):
        op.drop_column("graph_claims", name)
    op.drop_index("ix_graph_mentions_concept_document_number", "graph_mentions")
    op.create_index("ix_graph_mentions_concept", "graph_mentions", ["concept"])
    op.drop_index("ix_graph_documents_retracted", "graph_documents")
    for name in ("retracted", "study_type", "year", "title", "visible"):
        op.drop_column("graph_documents", name)


def _restore_claims() -> None:
    """Give records all fields again, as the previous schema reads them."""
    connection = op.get_bind()
    names = ("claim_id", "subject", "predicate", "object", "negated", "direction", "confidence")
    query = sa.text(
        f"SELECT c.number, c.record, d.tenant_id, d.doc_id, {', '.join(f'c.{name}' for name in names)} "
        "FROM graph_claims c JOIN graph_documents d ON d.number = c.document_number "
        "WHERE c.number > :last ORDER BY c.number LIMIT 1000"
    )
    last = -1
    while rows := connection.execute(query, {"last": last}).mappings().all():
        for row in rows:
            columns = {name: row[name] for name in ("tenant_id", "doc_id", *names)}
            columns["negated"] = bool(row["negated"])
            record = json.dumps({**json.loads(row["record"]), **columns})
            connection.execute(
                sa.text("UPDATE graph_claims SET record = :record WHERE number = :number"),
                {"record": record, "number": row["number"]},
            )
        last = rows[-1]["number"]
