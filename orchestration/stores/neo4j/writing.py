"""The parts of a transaction: the lease held, documents taken back and written, and what follows from them.

Input: rows. Output: statements of statements.py, run in an order in which each finds its nodes.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any, Final

from orchestration.batching import batched
from orchestration.contracts.projection import ProjectedDocument, ProjectionLease, Row
from orchestration.errors import LeaseLostError, StoreCorruptError
from orchestration.records import DocumentKey
from orchestration.stores.neo4j import statements
from orchestration.stores.neo4j.connection import Transaction
from orchestration.stores.neo4j.derived import Change, ConceptCounts, EdgeCounts, concept_row, counts_in
from orchestration.stores.neo4j.documents import claim_rows, document_row, key_rows, mention_rows

__all__ = [
    "LEASE_MILLISECONDS",
    "add_to_edges",
    "count_mentions",
    "create",
    "edges_of",
    "follows",
    "hold",
    "set_concepts",
    "set_watermark",
    "take_back",
    "write_concepts",
]

LEASE_MILLISECONDS: Final = 60_000
"""How long a lease holds after a write, where it cannot be seen whether its holder lives."""

ROWS: Final = 1000
"""Rows of one statement."""


async def hold(transaction: Transaction, lease: ProjectionLease) -> None:
    """Lock the tenant's projection until the transaction ends; LeaseLostError if another process has it."""
    rows = await transaction.rows(
        statements.HOLD, tenant=lease.tenant_id, epoch=lease.epoch, milliseconds=LEASE_MILLISECONDS
    )
    if not rows:
        raise LeaseLostError(
            f"another process projects the graph of tenant {lease.tenant_id} now. Nothing is lost: it goes "
            "on from where this one was."
        )


async def set_watermark(transaction: Transaction, tenant_id: str, sequence: int | None) -> None:
    await transaction.run(statements.SET_WATERMARK, tenant=tenant_id, sequence=sequence)


async def take_back(transaction: Transaction, tenant_id: str, keys: Sequence[DocumentKey]) -> None:
    """Remove claims and mentions of documents; their nodes stay."""
    parameters = {"tenant": tenant_id, "keys": key_rows(keys)}
    await transaction.run(statements.DELETE_CLAIMS, **parameters)
    await transaction.run(statements.DELETE_MENTIONS, **parameters)


async def create(transaction: Transaction, tenant_id: str, documents: Sequence[ProjectedDocument]) -> None:
    """Write documents with their mentions and claims, whose concepts are there."""
    mentions = [row for document in documents for row in mention_rows(document)]
    claims = [row for document in documents for row in claim_rows(document)]
    for statement, rows in (
        (statements.SET_DOCUMENTS, list(map(document_row, documents))),
        (statements.CREATE_MENTIONS, mentions),
        (statements.CREATE_CLAIMS, claims),
    ):
        for batch in batched(rows, ROWS):
            (written,) = await transaction.rows(statement, tenant=tenant_id, rows=batch)
            if written["rows"] != len(batch):
                raise StoreCorruptError(
                    f"Neo4j wrote {written['rows']} of {len(batch)} rows of tenant {tenant_id}: nodes of the "
                    "projection are not there. `medkg graph project --rebuild` makes it again."
                )


async def set_concepts(transaction: Transaction, tenant_id: str, difference: Change) -> list[str]:
    """Add to the counts of concepts; returns those that have no mention any more."""
    unmentioned: list[str] = []
    for batch in batched(sorted(difference.concepts), ROWS):
        rows = await transaction.rows(statements.CONCEPTS, tenant=tenant_id, concepts=batch)
        counts = {row["concept"]["concept"]: counts_in(row["concept"]) for row in rows}
        for concept in batch:
            counts.setdefault(concept, ConceptCounts()).add(difference.concepts[concept])
        previous = {row["concept"]["concept"]: row["concept"].get("kind") for row in rows}
        unmentioned += await write_concepts(transaction, tenant_id, counts, previous)
    return unmentioned


async def write_concepts(
    transaction: Transaction,
    tenant_id: str,
    counts: Mapping[str, ConceptCounts],
    previous: Mapping[str, str | None] | None = None,
) -> list[str]:
    """Set the properties and labels of concepts; returns those without mentions, which stay as they are."""
    by_kind: dict[str, list[Row]] = defaultdict(list)
    unmentioned: list[str] = []
    left: dict[str, list[str]] = defaultdict(list)
    if previous is None:
        rows = await transaction.rows(statements.CONCEPTS, tenant=tenant_id, concepts=list(counts))
        previous = {row["concept"]["concept"]: row["concept"].get("kind") for row in rows}
    for concept, of_concept in counts.items():
        row = concept_row(concept, of_concept)
        if row is None:
            unmentioned.append(concept)
            continue
        by_kind[row["kind"]].append(row)
        previous_kind = previous.get(concept)
        if previous_kind is not None and previous_kind != row["kind"]:
            left[previous_kind].append(concept)
    for kind, concepts in left.items():
        await transaction.run(statements.leave_kind(kind), tenant=tenant_id, concepts=concepts)
    for kind, kind_rows in by_kind.items():
        await transaction.run(statements.set_concepts(kind), tenant=tenant_id, rows=kind_rows)
    return unmentioned


async def add_to_edges(transaction: Transaction, tenant_id: str, difference: Change) -> None:
    by_predicate: dict[str, list[Row]] = defaultdict(list)
    for (subject, predicate, object_), counts in difference.edges.items():
        by_predicate[predicate].append(
            {
                "subject": subject,
                "object": object_,
                "claims": counts.claims,
                "negated": counts.negated,
                "documents": counts.documents,
            }
        )
    for predicate, rows in by_predicate.items():
        statement = statements.add_to_edges(predicate)
        for batch in batched(rows, ROWS):
            await transaction.run(statement, tenant=tenant_id, rows=batch)


async def count_mentions(transaction: Transaction, parameters: Mapping[str, Any]) -> dict[str, ConceptCounts]:
    """Counts of concepts, from the mentions that are there."""
    counts: dict[str, ConceptCounts] = defaultdict(ConceptCounts)
    for row in await transaction.rows(statements.MENTIONS_FROM, **parameters):
        counts[row["concept"]].names[row["name"]] += row["mentions"]
        counts[row["concept"]].kinds[row["kind"]] += row["mentions"]
    for row in await transaction.rows(statements.DOCUMENTS_FROM, **parameters):
        counts[row["concept"]].documents = row["documents"]
    return counts


def follows(noted: Mapping[str, Any], row: Row | None) -> bool:
    """Whether a concept is as its mentions make it."""
    if row is None:
        return False
    values = noted["concept"]
    return statements.kind_label(row["kind"]) in noted["labels"] and all(
        values.get(name) == value for name, value in row.items()
    )


def edges_of(rows: Sequence[Mapping[str, Any]]) -> dict[str, dict[tuple[str, str, str], EdgeCounts]]:
    """Edges by subject."""
    edges: dict[str, dict[tuple[str, str, str], EdgeCounts]] = defaultdict(dict)
    for row in rows:
        edge = (row["subject"], row["predicate"], row["object"])
        edges[row["subject"]][edge] = EdgeCounts(row["claims"], row["negated"], row["documents"])
    return edges
