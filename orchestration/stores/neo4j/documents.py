"""Documents of the projection as rows of Cypher, and the other way round.

Input: projected documents, or properties of nodes and relationships. Output: the other of the two, equal
after a round trip.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any, Final

from orchestration.contracts.projection import ProjectedDocument, Row
from orchestration.records import DocumentKey
from orchestration.stores.neo4j import statements
from orchestration.stores.neo4j.connection import Transaction

__all__ = ["claim_rows", "document_row", "key_rows", "mention_rows", "read_documents"]

ENDS: Final = ("subject", "object")
PLACE: Final = ("tenant", "source", "doc_id")
"""Properties that say whose document or claim it is."""


def key_rows(keys: Sequence[DocumentKey]) -> list[Row]:
    """Keys as parameters."""
    return [{"source": key.source, "doc_id": key.doc_id} for key in keys]


def document_row(document: ProjectedDocument) -> Row:
    """The properties of a document's node."""
    return {**_place(document.key), **document.properties, "stamp": document.stamp}


def mention_rows(document: ProjectedDocument) -> list[Row]:
    """A row per concept that it mentions."""
    place = {"source": document.key.source, "doc_id": document.key.doc_id}
    return [
        {**place, "concept": row["concept"], "properties": _without(row, ("concept",))}
        for row in document.mentions
    ]


def claim_rows(document: ProjectedDocument) -> list[Row]:
    """A row per claim; its `subject_...` and `object_...` are properties of the relationships to them."""
    key = document.key
    place = {"source": key.source, "doc_id": key.doc_id}
    rows: list[Row] = []
    for row in document.claims:
        ends = {
            f"{end}_properties": {
                name.removeprefix(f"{end}_"): value
                for name, value in row.items()
                if name.startswith(f"{end}_")
            }
            for end in ENDS
        }
        own = {
            name: value
            for name, value in row.items()
            if name not in ENDS and not name.startswith(("subject_", "object_"))
        }
        own |= _place(key)
        rows.append({**place, "subject": row["subject"], "object": row["object"], "properties": own, **ends})
    return rows


async def read_documents(
    transaction: Transaction, tenant_id: str, keys: Sequence[DocumentKey]
) -> list[ProjectedDocument]:
    """Documents as they are there, those of the keys that are, in the order of the keys."""
    parameters = {"tenant": tenant_id, "keys": key_rows(keys)}
    properties = {
        _key(tenant_id, row["properties"]): row["properties"]
        for row in await transaction.rows(statements.PROPERTIES_OF, **parameters)
    }
    if not properties:
        return []
    mentions: dict[DocumentKey, list[Row]] = defaultdict(list)
    for row in await transaction.rows(statements.MENTIONS_OF, **parameters):
        mentions[_key(tenant_id, row)].append({"concept": row["concept"], **row["properties"]})
    claims: dict[DocumentKey, list[Row]] = defaultdict(list)
    for row in await transaction.rows(statements.CLAIMS_OF, **parameters):
        claims[_key(tenant_id, row)].append(_claim(row))
    return [
        ProjectedDocument(
            key,
            properties[key]["stamp"],
            _without(properties[key], (*PLACE, "stamp")),
            mentions[key],
            claims[key],
        )
        for key in dict.fromkeys(keys)
        if key in properties
    ]


def _claim(row: Mapping[str, Any]) -> Row:
    claim = {**_without(row["properties"], PLACE)}
    for end in ENDS:
        claim[end] = row[end]
        for name, value in row[f"{end}_properties"].items():
            claim[f"{end}_{name}"] = value
    return claim


def _place(key: DocumentKey) -> Row:
    return {"tenant": key.tenant_id, "source": key.source, "doc_id": key.doc_id}


def _key(tenant_id: str, row: Mapping[str, Any]) -> DocumentKey:
    return DocumentKey(tenant_id=tenant_id, source=row["source"], doc_id=row["doc_id"])


def _without(row: Mapping[str, Any], names: Sequence[str]) -> Row:
    return {name: value for name, value in row.items() if name not in names}
