"""Rows of mentions and claims, and the records that they hold.

Input: extractions, or rows. Output: the other of the two; rows are removed by their documents.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import ColumnElement, Connection, RowMapping, and_, delete, insert, select

from orchestration.contracts.graph import Extraction
from orchestration.ledger.rows import batches, has_key, key_of
from orchestration.ledger.tables import graph_claims, graph_documents, graph_mentions
from orchestration.records import Claim, DocumentKey, Entity, Span

__all__ = [
    "claim_row",
    "discard_rows",
    "entity_of",
    "extraction_of",
    "insert_rows",
    "mention_row",
    "mentions_of",
]


def insert_rows(connection: Connection, table: Any, rows: Sequence[Mapping[str, Any]]) -> None:
    for batch in batches(rows):
        connection.execute(insert(table), batch)


def mention_row(number: int | None, entity: Entity) -> dict[str, Any]:
    return {
        "document_number": number,
        "entity_id": entity.entity_id,
        "concept": entity.concept,
        "kind": entity.kind,
        "name": entity.name,
        "start_char": entity.span.start_char,
        "end_char": entity.span.end_char,
        "identifiers": json.dumps(entity.identifiers),
        "confidence": entity.confidence,
        "extraction": entity.extraction,
    }


def claim_row(number: int | None, claim: Claim, concept_of: Mapping[str, str]) -> dict[str, Any]:
    return {
        "document_number": number,
        "claim_id": claim.claim_id,
        "subject": claim.subject,
        "subject_concept": concept_of[claim.subject],
        "predicate": claim.predicate,
        "object": claim.object,
        "object_concept": concept_of[claim.object],
        "record": claim.model_dump_json(),
    }


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
    return (
        [entity_of(row, key) for row in mentions],
        [Claim.model_validate_json(row["record"]) for row in claims],
    )


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


def discard_rows(connection: Connection, of: ColumnElement[bool], intent_id: str | None = None) -> None:
    """Remove the rows of documents that meet a condition on graph_documents, under one intent or all."""
    condition = of if intent_id is None else and_(of, graph_documents.c.intent_id == intent_id)
    numbers = connection.execute(select(graph_documents.c.number).where(condition)).scalars().all()
    for batch in batches(numbers):
        for table in (graph_claims, graph_mentions):
            connection.execute(delete(table).where(table.c.document_number.in_(batch)))
        connection.execute(delete(graph_documents).where(graph_documents.c.number.in_(batch)))
