"""Tables of the graph: mentions and claims per document, what readers look up, and aliases of concepts.

Rows of documents, mentions and claims are what was extracted. `graph_names` and `graph_concepts` count the
visible mentions, `graph_canonical` has what aliases come to: all three can be made again from the others.
"""

from __future__ import annotations

from typing import Final

from sqlalchemy import (
    Boolean,
    Column,
    Float,
    ForeignKey,
    Index,
    Integer,
    String,
    Table,
    Text,
    UniqueConstraint,
    false,
    text,
)

from orchestration.ledger.tables import NUMBER, metadata

__all__ = [
    "IS_LOW",
    "LOW_CONFIDENCE",
    "STATES_EFFECT",
    "STATES_RETRACTION",
    "graph_aliases",
    "graph_canonical",
    "graph_claims",
    "graph_concepts",
    "graph_documents",
    "graph_identifiers",
    "graph_mentions",
    "graph_names",
    "graph_notices",
]

LOW_CONFIDENCE: Final = 0.5
"""Claims below it are listed for review."""

_STATES_EFFECT = text("negated OR direction IS NOT NULL")
"""Claims that others may contradict by direction, or that deny; few, so looking for conflicts is cheap."""

_LOW = text(f"confidence < {LOW_CONFIDENCE}")
_RETRACTED = text("retracted")

STATES_EFFECT: Final = text("(graph_claims.negated OR graph_claims.direction IS NOT NULL)")
IS_LOW: Final = text(f"graph_claims.confidence < {LOW_CONFIDENCE}")
STATES_RETRACTION: Final = text("graph_documents.retracted")
"""The conditions of partial indexes as queries have to write them: databases compare their texts."""

graph_documents = Table(
    "graph_documents",
    metadata,
    Column("number", NUMBER, primary_key=True, autoincrement=True),
    Column("tenant_id", String(63), nullable=False),
    Column("source", Text, nullable=False),
    Column("doc_id", Text, nullable=False),
    Column("intent_id", String(36), nullable=False, comment="visible if the document's commit names it"),
    Column("visible", Boolean, nullable=False, server_default=false(), comment="the commit names the intent"),
    Column("entity_count", Integer, nullable=False),
    Column("claim_count", Integer, nullable=False),
    Column("title", Text, comment="null: unknown, as of rows from before migration 0012"),
    Column("year", Integer),
    Column("study_type", Text, comment="e.g. interventional, Randomized Controlled Trial"),
    Column("retracted", Boolean, nullable=False, server_default=false(), comment="as its record states"),
    UniqueConstraint("tenant_id", "source", "doc_id", "intent_id"),
    Index(None, "intent_id"),
    Index("ix_graph_documents_retracted", "tenant_id", sqlite_where=_RETRACTED, postgresql_where=_RETRACTED),
    comment="documents whose mentions and claims are held",
)

graph_identifiers = Table(
    "graph_identifiers",
    metadata,
    Column("document_number", NUMBER, ForeignKey("graph_documents.number"), primary_key=True),
    Column("identifier", Text, primary_key=True, comment="pmid:123, doi:10.1000/x, pmcid:pmc1"),
    Index(None, "identifier"),
    comment="identifiers of documents, by which notices name them",
)

graph_notices = Table(
    "graph_notices",
    metadata,
    Column("document_number", NUMBER, ForeignKey("graph_documents.number"), primary_key=True),
    Column("identifier", Text, primary_key=True, comment="of an article that the document retracts"),
    comment="retractions that other documents state",
)

graph_mentions = Table(
    "graph_mentions",
    metadata,
    Column("number", NUMBER, primary_key=True, autoincrement=True),
    Column("document_number", NUMBER, ForeignKey("graph_documents.number"), nullable=False),
    Column("entity_id", Text, nullable=False),
    Column("concept", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("name", Text, nullable=False),
    Column("start_char", Integer, nullable=False),
    Column("end_char", Integer, nullable=False),
    Column("identifiers", Text, nullable=False, comment="JSON list of CURIEs"),
    Column("confidence", Float, nullable=False),
    Column("extraction", Text, nullable=False),
    Index(None, "document_number"),
    Index(None, "concept", "document_number"),
)

graph_claims = Table(
    "graph_claims",
    metadata,
    Column("number", NUMBER, primary_key=True, autoincrement=True),
    Column("document_number", NUMBER, ForeignKey("graph_documents.number"), nullable=False),
    Column("claim_id", Text, nullable=False),
    Column("subject", Text, nullable=False, comment="entity_id"),
    Column("subject_concept", Text, nullable=False),
    Column("predicate", Text, nullable=False),
    Column("object", Text, nullable=False, comment="entity_id"),
    Column("object_concept", Text, nullable=False),
    Column("negated", Boolean, nullable=False, server_default=false()),
    Column("direction", String(16), comment="increased, decreased, unchanged"),
    Column("confidence", Float, nullable=False, server_default="1"),
    Column("record", Text, nullable=False, comment="Claim as JSON"),
    Index(None, "document_number"),
    Index(None, "claim_id"),
    # covering: what is asked of a concept is answered without reading the claims
    Index("ix_graph_claims_subject", "subject_concept", "object_concept", "predicate", "document_number"),
    Index("ix_graph_claims_object", "object_concept", "subject_concept", "predicate", "document_number"),
    Index(
        "ix_graph_claims_effect",
        "subject_concept",
        "predicate",
        "object_concept",
        sqlite_where=_STATES_EFFECT,
        postgresql_where=_STATES_EFFECT,
    ),
    Index("ix_graph_claims_low", "confidence", sqlite_where=_LOW, postgresql_where=_LOW),
)

graph_names = Table(
    "graph_names",
    metadata,
    Column("tenant_id", String(63), primary_key=True),
    Column("concept", Text, primary_key=True, comment="own key of the mentions"),
    Column("kind", Text, primary_key=True),
    Column("name", Text, primary_key=True),
    Column("folded", Text, nullable=False, comment="the name as names are compared"),
    Column("mentions", Integer, nullable=False, comment="visible ones"),
    Index(None, "tenant_id", "folded"),
    comment="names of visible mentions",
)

graph_concepts = Table(
    "graph_concepts",
    metadata,
    Column("tenant_id", String(63), primary_key=True),
    Column("concept", Text, primary_key=True, comment="canonical key: what aliases come to"),
    Column("kind", Text, nullable=False, comment="most frequent one"),
    Column("name", Text, nullable=False, comment="most frequent one"),
    Column("documents", Integer, nullable=False, comment="with a visible mention"),
    Column("mentions", Integer, nullable=False, comment="visible ones"),
    Index(None, "tenant_id", "documents"),
    Index(None, "tenant_id", "kind", "documents"),
    comment="concepts with visible mentions, those that aliases merge as one",
)

graph_aliases = Table(
    "graph_aliases",
    metadata,
    Column("tenant_id", String(63), primary_key=True),
    Column("alias_id", String(25), primary_key=True),
    Column("from_key", Text, nullable=False),
    Column("to_key", Text, nullable=False),
    Column("rule", Text, nullable=False, comment="manual, or the predicate of a mapping"),
    Column("origin", Text, nullable=False, comment="file of mappings; '' for one added by hand"),
    Column("version", Text, nullable=False, comment="of the file"),
    Column("reason", Text, nullable=False),
    Column("created_at", Float, nullable=False),
    Index(None, "tenant_id", "origin"),
    comment="keys that stand for the same concept",
)

graph_canonical = Table(
    "graph_canonical",
    metadata,
    Column("tenant_id", String(63), primary_key=True),
    Column("key", Text, primary_key=True),
    Column("canonical", Text, nullable=False),
    Index(None, "tenant_id", "canonical"),
    comment="what aliases come to: other key -> canonical key",
)
