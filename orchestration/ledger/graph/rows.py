"""Rows of mentions and claims, and the records that they hold.

Input: extractions, or rows. Output: the other of the two.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from sqlalchemy import Connection, RowMapping, Table, select

from orchestration.contracts.graph import Extraction
from orchestration.ledger.graph.tables import graph_claims, graph_documents, graph_mentions
from orchestration.ledger.rows import batches, has_key, key_of, one_of
from orchestration.records import Claim, DocumentKey, Entity, Span

__all__ = [
    "CLAIM_COLUMNS",
    "MENTION_COLUMNS",
    "claim_of",
    "claim_row",
    "entity_of",
    "extraction_of",
    "extractions_of",
    "mention_row",
    "mentions_of",
]

_COLUMNS: Final = ("claim_id", "subject", "predicate", "object", "negated", "direction", "confidence")
"""Fields of a claim that are separate columns."""

_NOT_IN_RECORD: Final = {"tenant_id", "doc_id", *_COLUMNS}
_NO_IDENTIFIERS: Final = "[]"


MENTION_COLUMNS: Final = (
    *("document_number", "entity_id", "concept", "kind", "name", "start_char", "end_char", "identifiers"),
    *("confidence", "extraction"),
)
CLAIM_COLUMNS: Final = (
    *("document_number", "claim_id", "subject", "subject_concept", "predicate", "object", "object_concept"),
    *("negated", "direction", "confidence", "record"),
)


def mention_row(number: int, entity: Entity) -> tuple[Any, ...]:
    """Values of MENTION_COLUMNS."""
    span = entity.span
    return (
        number,
        entity.entity_id,
        entity.concept,
        entity.kind,
        entity.name,
        span.start_char,
        span.end_char,
        json.dumps(entity.identifiers) if entity.identifiers else _NO_IDENTIFIERS,
        entity.confidence,
        entity.extraction,
    )


def claim_row(number: int, claim: Claim, concept_of: Mapping[str, str]) -> tuple[Any, ...]:
    """Values of CLAIM_COLUMNS."""
    return (
        number,
        claim.claim_id,
        claim.subject,
        concept_of[claim.subject],
        claim.predicate,
        claim.object,
        concept_of[claim.object],
        claim.negated,
        claim.direction,
        claim.confidence,
        claim.model_dump_json(exclude=_NOT_IN_RECORD),
    )


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
    return None if number is None else extractions_of(connection, {number: key})[key]


def extractions_of(
    connection: Connection, numbers: Mapping[int, DocumentKey]
) -> dict[DocumentKey, Extraction]:
    """Mentions and claims of documents by their numbers, as they were written."""
    extractions: dict[DocumentKey, tuple[list[Entity], list[Claim]]] = {
        key: ([], []) for key in numbers.values()
    }
    for batch in batches(numbers):
        for row in _in_order(connection, graph_mentions, batch):
            key = numbers[row["document_number"]]
            extractions[key][0].append(entity_of(row, key))
        for row in _in_order(connection, graph_claims, batch):
            key = numbers[row["document_number"]]
            extractions[key][1].append(claim_of(row, key))
    return {**extractions}


def _in_order(connection: Connection, table: Table, numbers: Sequence[int]) -> Iterable[RowMapping]:
    query = select(table).where(one_of(table.c.document_number, numbers)).order_by(table.c.number)
    return connection.execute(query).mappings()


def mentions_of(connection: Connection, claims: Sequence[RowMapping]) -> dict[tuple[int, str], Entity]:
    """The mentions that claims join, by document number and entity id."""
    wanted: dict[int, set[str]] = defaultdict(set)
    keys = {row["document_number"]: key_of(row) for row in claims}
    for row in claims:
        wanted[row["document_number"]] |= {row["subject"], row["object"]}
    mentions: dict[tuple[int, str], Entity] = {}
    for batch in batches(keys):
        query = select(graph_mentions).where(one_of(graph_mentions.c.document_number, batch))
        for row in connection.execute(query).mappings():
            number = row["document_number"]
            if row["entity_id"] in wanted[number]:
                mentions[number, row["entity_id"]] = entity_of(row, keys[number])
    return mentions
