"""Rows of mentions and claims, and the records that they hold.

Input: extractions, or rows. Output: the other of the two.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any, Final

from sqlalchemy import Connection, RowMapping, select

from orchestration.contracts.graph import Extraction
from orchestration.ledger.graph.tables import graph_claims, graph_documents, graph_mentions
from orchestration.ledger.rows import batches, has_key, key_of
from orchestration.records import Claim, DocumentKey, Entity, Span

__all__ = ["claim_of", "claim_row", "entity_of", "extraction_of", "mention_row", "mentions_of"]

_COLUMNS: Final = ("claim_id", "subject", "predicate", "object", "negated", "direction", "confidence")
"""Fields of a claim that are separate columns."""

_NOT_IN_RECORD: Final = {"tenant_id", "doc_id", *_COLUMNS}
_NO_IDENTIFIERS: Final = "[]"


def mention_row(number: int, entity: Entity) -> dict[str, Any]:
    return {
        "document_number": number,
        "entity_id": entity.entity_id,
        "concept": entity.concept,
        "kind": entity.kind,
        "name": entity.name,
        "start_char": entity.span.start_char,
        "end_char": entity.span.end_char,
        "identifiers": json.dumps(entity.identifiers) if entity.identifiers else _NO_IDENTIFIERS,
        "confidence": entity.confidence,
        "extraction": entity.extraction,
    }


def claim_row(number: int, claim: Claim, concept_of: Mapping[str, str]) -> dict[str, Any]:
    return {
        "document_number": number,
        "claim_id": claim.claim_id,
        "subject": claim.subject,
        "subject_concept": concept_of[claim.subject],
        "predicate": claim.predicate,
        "object": claim.object,
        "object_concept": concept_of[claim.object],
        "negated": claim.negated,
        "direction": claim.direction,
        "confidence": claim.confidence,
        "record": claim.model_dump_json(exclude=_NOT_IN_RECORD),
    }


def claim_of(row: RowMapping, key: DocumentKey) -> Claim:
    """The claim of a row; rows from before migration 0012 have all of it in their record."""
    stored = json.loads(row["record"])
    columns = {name: row[name] for name in _COLUMNS}
    return Claim.model_validate({**stored, **columns, "tenant_id": key.tenant_id, "doc_id": key.doc_id})


def entity_of(row: RowMapping, key: DocumentKey) -> Entity:
    return Entity(
        entity_id=row["entity_id"],
        tenant_id=key.tenant_id,
        doc_id=key.doc_id,
        kind=row["kind"],
        name=row["name"],
        span=Span(start_char=row["start_char"], end_char=row["end_char"]),
        concept=row["concept"],
        identifiers=tuple(json.loads(row["identifiers"])),
        confidence=row["confidence"],
        extraction=row["extraction"],
    )


def extraction_of(connection: Connection, key: DocumentKey, intent_id: str) -> Extraction | None:
    """What an intent wrote of a document, as it was written; None if it wrote nothing of it."""
    document = select(graph_documents.c.number).where(
        has_key(graph_documents, [key]), graph_documents.c.intent_id == intent_id
    )
    number = connection.execute(document).scalar()
    if number is None:
        return None
    mentions, claims = (
        connection.execute(
            select(table).where(table.c.document_number == number).order_by(table.c.number)
        ).mappings()
        for table in (graph_mentions, graph_claims)
    )
    return [entity_of(row, key) for row in mentions], [claim_of(row, key) for row in claims]


def mentions_of(connection: Connection, claims: Sequence[RowMapping]) -> dict[tuple[int, str], Entity]:
    """The mentions that claims join, by document number and entity id."""
    wanted: dict[int, set[str]] = defaultdict(set)
    keys = {row["document_number"]: key_of(row) for row in claims}
    for row in claims:
        wanted[row["document_number"]] |= {row["subject"], row["object"]}
    mentions: dict[tuple[int, str], Entity] = {}
    for batch in batches(keys):
        query = select(graph_mentions).where(graph_mentions.c.document_number.in_(batch))
        for row in connection.execute(query).mappings():
            number = row["document_number"]
            if row["entity_id"] in wanted[number]:
                mentions[number, row["entity_id"]] = entity_of(row, keys[number])
    return mentions
