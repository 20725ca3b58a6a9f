"""Every Cypher statement of the projection. Values are parameters; only checked names become part of a text.

(:Document)-[:MENTIONS]->(:Concept), (:Document)-[:STATES]->(:Claim)-[:SUBJECT|OBJECT]->(:Concept), and
between concepts an edge per predicate with counts of the claims behind it. Concepts also have the label of
their kind.
"""

from __future__ import annotations

import re
from typing import Final

from orchestration.errors import StoreCorruptError

__all__ = ["edge_type", "kind_label"]

KIND: Final = re.compile(r"[A-Z][A-Za-z0-9]{0,59}")
PREDICATE: Final = re.compile(r"[a-z][a-z0-9]*(_[a-z0-9]+)*")
LABELS: Final = frozenset({"Document", "Concept", "Claim", "MedkgProjection"})
"""Labels with another meaning; a kind of that name has `Kind` behind it."""

SCHEMA: Final = (
    "CREATE CONSTRAINT medkg_projection IF NOT EXISTS FOR (p:MedkgProjection) REQUIRE p.tenant IS UNIQUE",
    "CREATE CONSTRAINT medkg_document IF NOT EXISTS FOR (d:Document) "
    "REQUIRE (d.tenant, d.source, d.doc_id) IS UNIQUE",
    "CREATE CONSTRAINT medkg_concept IF NOT EXISTS FOR (c:Concept) REQUIRE (c.tenant, c.concept) IS UNIQUE",
    "CREATE CONSTRAINT medkg_claim IF NOT EXISTS FOR (c:Claim) "
    "REQUIRE (c.tenant, c.source, c.doc_id, c.claim_id) IS UNIQUE",
    "CREATE INDEX medkg_claim_id IF NOT EXISTS FOR (c:Claim) ON (c.tenant, c.claim_id)",
    "CREATE INDEX medkg_concept_name IF NOT EXISTS FOR (c:Concept) ON (c.tenant, c.name)",
)

# --- the state of a projection ------------------------------------------------------------------------

ASK: Final = "CALL dbms.components() YIELD versions, edition RETURN versions[0] AS version, edition LIMIT 1"

TENANTS: Final = "MATCH (p:MedkgProjection) RETURN p.tenant AS tenant ORDER BY tenant"

STATE: Final = """
MATCH (p:MedkgProjection {tenant: $tenant})
RETURN p {.ledger, .format, .watermark, .clearing, .projected_at, .holder, .epoch} AS state,
       p.held_until > timestamp() AS held
"""

CREATE_STATE: Final = """
MERGE (p:MedkgProjection {tenant: $tenant})
ON CREATE SET p.ledger = $ledger, p.format = $format, p.clearing = false, p.epoch = 0, p.held_until = 0
"""

ACQUIRE: Final = """
MATCH (p:MedkgProjection {tenant: $tenant})
SET p.touched = true
WITH p
WHERE p.epoch = $epoch
SET p.epoch = p.epoch + 1, p.holder = $owner, p.held_until = timestamp() + $milliseconds
RETURN p.epoch AS epoch
"""

HOLD: Final = """
MATCH (p:MedkgProjection {tenant: $tenant})
SET p.touched = true
WITH p
WHERE p.epoch = $epoch
SET p.held_until = timestamp() + $milliseconds
RETURN p.epoch AS epoch
"""
"""The first SET takes the node's lock, so that transactions of a tenant follow one another."""

RELEASE: Final = """
MATCH (p:MedkgProjection {tenant: $tenant})
SET p.touched = true
WITH p
WHERE p.epoch = $epoch
SET p.held_until = 0, p.holder = null
"""

SET_WATERMARK: Final = """
MATCH (p:MedkgProjection {tenant: $tenant})
SET p.watermark = $sequence, p.projected_at = timestamp() / 1000.0
"""

START_CLEARING: Final = """
MATCH (p:MedkgProjection {tenant: $tenant})
SET p.clearing = true, p.watermark = null, p.projected_at = null
"""

CLEAR: Final = tuple(
    f"MATCH (n:{label} {{tenant: $tenant}}) WITH n LIMIT $limit DETACH DELETE n RETURN count(*) AS removed"
    for label in ("Claim", "Document", "Concept")
)

END_CLEARING: Final = """
MATCH (p:MedkgProjection {tenant: $tenant})
SET p.clearing = false, p.ledger = $ledger, p.format = $format
"""

# --- what a document had ------------------------------------------------------------------------------

STAMPS: Final = """
UNWIND $keys AS key
MATCH (d:Document {tenant: $tenant, source: key.source, doc_id: key.doc_id})
RETURN d.source AS source, d.doc_id AS doc_id, d.stamp AS stamp
"""

MENTIONS_OF: Final = """
UNWIND $keys AS key
MATCH (d:Document {tenant: $tenant, source: key.source, doc_id: key.doc_id})-[m:MENTIONS]->(c:Concept)
RETURN d.source AS source, d.doc_id AS doc_id, c.concept AS concept, properties(m) AS properties
"""

CLAIMS_OF: Final = """
UNWIND $keys AS key
MATCH (d:Document {tenant: $tenant, source: key.source, doc_id: key.doc_id})-[:STATES]->(claim:Claim)
MATCH (claim)-[s:SUBJECT]->(subject:Concept)
MATCH (claim)-[o:OBJECT]->(object:Concept)
RETURN d.source AS source, d.doc_id AS doc_id, properties(claim) AS properties,
       subject.concept AS subject, properties(s) AS subject_properties,
       object.concept AS object, properties(o) AS object_properties
"""

PROPERTIES_OF: Final = """
UNWIND $keys AS key
MATCH (d:Document {tenant: $tenant, source: key.source, doc_id: key.doc_id})
RETURN properties(d) AS properties
"""

DELETE_CLAIMS: Final = """
UNWIND $keys AS key
MATCH (d:Document {tenant: $tenant, source: key.source, doc_id: key.doc_id})-[:STATES]->(claim:Claim)
DETACH DELETE claim
"""

DELETE_MENTIONS: Final = """
UNWIND $keys AS key
MATCH (d:Document {tenant: $tenant, source: key.source, doc_id: key.doc_id})-[m:MENTIONS]->()
DELETE m
"""

DELETE_DOCUMENTS: Final = """
UNWIND $keys AS key
MATCH (d:Document {tenant: $tenant, source: key.source, doc_id: key.doc_id})
DELETE d
"""

# --- what a document has ------------------------------------------------------------------------------

SET_DOCUMENTS: Final = """
UNWIND $rows AS row
MERGE (d:Document {tenant: $tenant, source: row.source, doc_id: row.doc_id})
SET d = row
RETURN count(*) AS rows
"""

CREATE_MENTIONS: Final = """
UNWIND $rows AS row
MATCH (d:Document {tenant: $tenant, source: row.source, doc_id: row.doc_id})
MATCH (c:Concept {tenant: $tenant, concept: row.concept})
CREATE (d)-[m:MENTIONS]->(c)
SET m = row.properties
RETURN count(*) AS rows
"""

CREATE_CLAIMS: Final = """
UNWIND $rows AS row
MATCH (d:Document {tenant: $tenant, source: row.source, doc_id: row.doc_id})
MATCH (subject:Concept {tenant: $tenant, concept: row.subject})
MATCH (object:Concept {tenant: $tenant, concept: row.object})
CREATE (d)-[:STATES]->(claim:Claim)
CREATE (claim)-[s:SUBJECT]->(subject)
CREATE (claim)-[o:OBJECT]->(object)
SET claim = row.properties, s = row.subject_properties, o = row.object_properties
RETURN count(*) AS rows
"""

# --- what follows: concepts and the edges between them ------------------------------------------------

CONCEPTS: Final = """
UNWIND $concepts AS key
MATCH (c:Concept {tenant: $tenant, concept: key})
RETURN properties(c) AS concept, labels(c) AS labels
"""

REMOVE_CONCEPTS: Final = """
UNWIND $concepts AS key
MATCH (c:Concept {tenant: $tenant, concept: key})
WHERE NOT EXISTS { (:Document)-[:MENTIONS]->(c) }
DETACH DELETE c
"""

MENTIONS_FROM: Final = """
UNWIND $concepts AS key
MATCH (:Document)-[m:MENTIONS]->(c:Concept {tenant: $tenant, concept: key})
UNWIND range(0, size(m.names) - 1) AS place
RETURN c.concept AS concept, m.names[place] AS name, m.kinds[place] AS kind, count(*) AS mentions
"""

DOCUMENTS_FROM: Final = """
UNWIND $concepts AS key
MATCH (c:Concept {tenant: $tenant, concept: key})
RETURN c.concept AS concept, COUNT { (:Document)-[:MENTIONS]->(c) } AS documents
"""

EDGES_FROM: Final = """
UNWIND $concepts AS key
MATCH (s:Concept {tenant: $tenant, concept: key})-[e]->(o:Concept)
WHERE e.claims IS NOT NULL
RETURN s.concept AS subject, type(e) AS predicate, o.concept AS object, e.claims AS claims,
       e.negated AS negated, e.documents AS documents
"""

CLAIMS_FROM: Final = """
UNWIND $concepts AS key
MATCH (s:Concept {tenant: $tenant, concept: key})<-[:SUBJECT]-(claim:Claim)-[:OBJECT]->(o:Concept)
RETURN s.concept AS subject, claim.predicate AS predicate, o.concept AS object, count(*) AS claims,
       sum(CASE WHEN claim.negated THEN 1 ELSE 0 END) AS negated,
       count(DISTINCT [claim.source, claim.doc_id]) AS documents
"""

DELETE_EDGES_FROM: Final = """
UNWIND $concepts AS key
MATCH (:Concept {tenant: $tenant, concept: key})-[e]->(:Concept)
WHERE e.claims IS NOT NULL
DELETE e
"""

# --- all of a tenant ----------------------------------------------------------------------------------

KEYS: Final = "MATCH (d:Document {tenant: $tenant}) RETURN d.source AS source, d.doc_id AS doc_id"

CONCEPT_KEYS: Final = "MATCH (c:Concept {tenant: $tenant}) RETURN c.concept AS concept"

COUNTS: Final = {
    "documents": "MATCH (:Document {tenant: $tenant}) RETURN count(*) AS count",
    "mentions": "MATCH (d:Document {tenant: $tenant}) RETURN sum(d.mentions) AS count",
    "concepts": "MATCH (:Concept {tenant: $tenant}) RETURN count(*) AS count",
    "stated": "MATCH (d:Document {tenant: $tenant}) RETURN sum(d.claims) AS count",
    "claims": "MATCH (:Claim {tenant: $tenant}) RETURN count(*) AS count",
    "edges": "MATCH (:Concept {tenant: $tenant})-[e]->(:Concept) "
    "WHERE e.claims IS NOT NULL RETURN count(e) AS count",
}


# --- names in statements ------------------------------------------------------------------------------


def kind_label(kind: str) -> str:
    """The label of a kind; raises StoreCorruptError for a text that no graph.yaml may name."""
    if not KIND.fullmatch(kind):
        raise StoreCorruptError(f"a mention has the kind {kind!r}, which is none. `medkg verify --repair`.")
    return f"{kind}Kind" if kind in LABELS else kind


def edge_type(predicate: str) -> str:
    """The type of edges of a predicate: its name, in lower case, unlike those of the projection itself."""
    if len(predicate) > 60 or not PREDICATE.fullmatch(predicate):
        raise StoreCorruptError(f"a claim has the predicate {predicate!r}, which is none.")
    return predicate


def set_concepts(kind: str) -> str:
    """Create or change concepts of one kind."""
    return f"""
    UNWIND $rows AS row
    MERGE (c:Concept {{tenant: $tenant, concept: row.concept}})
    SET c:{kind_label(kind)}, c += row
    """


def leave_kind(kind: str) -> str:
    """Take the label of a previous kind from concepts."""
    return f"""
    UNWIND $concepts AS key
    MATCH (c:Concept {{tenant: $tenant, concept: key}})
    REMOVE c:{kind_label(kind)}
    """


def add_to_edges(predicate: str) -> str:
    """Add to the counts of edges; one without claims goes."""
    return f"""
    UNWIND $rows AS row
    MATCH (s:Concept {{tenant: $tenant, concept: row.subject}})
    MATCH (o:Concept {{tenant: $tenant, concept: row.object}})
    MERGE (s)-[e:{edge_type(predicate)}]->(o)
    ON CREATE SET e.claims = row.claims, e.negated = row.negated, e.documents = row.documents
    ON MATCH SET e.claims = e.claims + row.claims, e.negated = e.negated + row.negated,
                 e.documents = e.documents + row.documents
    WITH e WHERE e.claims <= 0
    DELETE e
    """
