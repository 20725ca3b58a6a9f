"""What a question names: concepts by name, and the documents that say most about them.

Input: a connection inside a transaction, names or concepts. Output: concepts by name; documents with the
places of their mentions, best first. A document's weight is the sum of its concepts' weights, each
log(1 + N / n) for a concept of n of N documents (Spärck Jones 1972, https://doi.org/10.1108/eb026526).
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, RowMapping, func, select

from orchestration.contracts import MentioningDocument, PlacedConcept
from orchestration.ledger.graph.counting import folded_name
from orchestration.ledger.graph.tables import (
    graph_claims,
    graph_concepts,
    graph_documents,
    graph_mentions,
    graph_names,
)
from orchestration.ledger.graph.view import View
from orchestration.ledger.graph.visible import visible_claims, with_commits
from orchestration.ledger.rows import batches, key_of, one_of
from orchestration.ledger.tables import commits
from orchestration.records import DocumentKey

__all__ = ["concepts_by_name", "documents_mentioning", "documents_on"]


def concepts_by_name(
    connection: Connection, tenant_id: str, names: Collection[str], kinds: Collection[str]
) -> dict[str, tuple[str, ...]]:
    """Canonical keys of the concepts of these kinds by name; names without one are left out."""
    own: dict[str, set[str]] = defaultdict(set)
    wanted = {folded_name(name): name for name in names}
    for batch in batches(sorted(wanted)):
        query = select(graph_names.c.folded, graph_names.c.concept).where(
            graph_names.c.tenant_id == tenant_id,
            one_of(graph_names.c.folded, batch),
            graph_names.c.kind.in_(sorted(kinds)),
        )
        for folded, concept in connection.execute(query):
            own[wanted[folded]].add(concept)
    canonical = View.of(connection, tenant_id).canonical_of({each for keys in own.values() for each in keys})
    return {name: tuple(sorted({canonical[each] for each in keys})) for name, keys in own.items()}


def documents_mentioning(
    connection: Connection, tenant_id: str, concepts: Collection[str]
) -> frozenset[DocumentKey]:
    """Documents with a visible mention of one of these concepts."""
    keys: set[DocumentKey] = set()
    for batch in batches(sorted(View.of(connection, tenant_id).merged(concepts))):
        query = (
            select(*(graph_documents.c[name] for name in ("tenant_id", "source", "doc_id")))
            .join(graph_mentions, graph_mentions.c.document_number == graph_documents.c.number)
            .where(*visible_claims(tenant_id), one_of(graph_mentions.c.concept, batch))
            .distinct()
        )
        keys |= {key_of(row) for row in connection.execute(query).mappings()}
    return frozenset(keys)


def documents_on(
    connection: Connection, tenant_id: str, concepts: Collection[str], limit: int
) -> list[MentioningDocument]:
    """The `limit` visible documents with the most weight, then the most mentions of these concepts."""
    canonical = View.of(connection, tenant_id).merged(concepts)
    weights = _weights(connection, tenant_id, set(canonical.values()))
    by_document: dict[int, dict[str, int]] = defaultdict(dict)
    for batch in batches(sorted(canonical)):
        query = (
            select(graph_mentions.c.document_number, graph_mentions.c.concept, func.count().label("mentions"))
            .join(graph_documents, graph_documents.c.number == graph_mentions.c.document_number)
            .where(*visible_claims(tenant_id), one_of(graph_mentions.c.concept, batch))
            .group_by(graph_mentions.c.document_number, graph_mentions.c.concept)
        )
        for number, concept, mentions in connection.execute(query):
            of_document = by_document[number]
            key = canonical[concept]
            of_document[key] = of_document.get(key, 0) + mentions

    def rank(number: int) -> tuple[float, int, int]:
        of_document = by_document[number]
        return -sum(weights.get(each, 0.0) for each in of_document), -sum(of_document.values()), number

    best = sorted(by_document, key=rank)[:limit]
    rows = _documents(connection, best)
    places = _places(connection, best, canonical, weights)
    return [
        MentioningDocument(key_of(rows[number]), rows[number]["intent_id"], tuple(places[number]))
        for number in best
        if number in rows
    ]


def _weights(connection: Connection, tenant_id: str, concepts: Collection[str]) -> dict[str, float]:
    every = connection.execute(
        select(func.count()).where(graph_documents.c.tenant_id == tenant_id, graph_documents.c.visible)
    ).scalar_one()
    counts: dict[str, int] = {}
    for batch in batches(sorted(concepts)):
        query = select(graph_concepts.c.concept, graph_concepts.c.documents).where(
            graph_concepts.c.tenant_id == tenant_id, one_of(graph_concepts.c.concept, batch)
        )
        counts |= dict(map(tuple, connection.execute(query)))
    return {concept: math.log(1 + every / documents) for concept, documents in counts.items()}


def _documents(connection: Connection, numbers: Sequence[int]) -> dict[int, RowMapping]:
    """Each document with the intent under which its index entries are visible."""
    rows: dict[int, RowMapping] = {}
    for batch in batches(numbers):
        query = (
            select(
                graph_documents.c.number,
                *(graph_documents.c[name] for name in ("tenant_id", "source", "doc_id")),
                commits.c.intent_id,
            )
            .select_from(with_commits(graph_documents))
            .where(one_of(graph_documents.c.number, batch))
        )
        rows |= {row["number"]: row for row in connection.execute(query).mappings()}
    return rows


def _places(
    connection: Connection, numbers: Sequence[int], canonical: Mapping[str, str], weights: Mapping[str, float]
) -> dict[int, list[PlacedConcept]]:
    """Mentions of the concepts in each document, and the ends of claims that join two of them."""
    places: dict[int, list[PlacedConcept]] = defaultdict(list)
    claimed = _claimed(connection, numbers, canonical)
    for batch in batches(numbers):
        query = select(graph_mentions).where(one_of(graph_mentions.c.document_number, batch))
        for row in connection.execute(query).mappings():
            if row["concept"] in canonical:
                key = canonical[row["concept"]]
                number = row["document_number"]
                in_claim = row["entity_id"] in claimed.get(number, ())
                places[number].append(
                    PlacedConcept(key, weights.get(key, 0.0), row["start_char"], row["end_char"], in_claim)
                )
    return places


def _claimed(
    connection: Connection, numbers: Sequence[int], canonical: Mapping[str, Any]
) -> dict[int, set[str]]:
    """Mentions that a claim joins to another of the concepts, by document."""
    claimed: dict[int, set[str]] = defaultdict(set)
    claims = graph_claims.c
    for batch in batches(numbers):
        query = select(
            claims.document_number,
            claims.subject,
            claims.object,
            claims.subject_concept,
            claims.object_concept,
        ).where(one_of(claims.document_number, batch))
        for number, subject, object_, subject_concept, object_concept in connection.execute(query):
            if subject_concept in canonical and object_concept in canonical:
                claimed[number] |= {subject, object_}
    return claimed
