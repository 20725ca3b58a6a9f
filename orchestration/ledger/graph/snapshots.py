"""Snapshots of the visible graph, read row by row in one transaction.

Input: a tenant. Output: concepts and documents in order; memory holds a batch of documents and one concept.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import groupby
from typing import Any, Final

from sqlalchemy import RowMapping, and_, func, select

from orchestration.batching import batched
from orchestration.contracts.graph import Concept
from orchestration.contracts.graph_snapshot import ConceptNode, GraphSnapshot, SnapshotDocument
from orchestration.ledger.database import LedgerPart
from orchestration.ledger.graph.reading import concepts_by_key
from orchestration.ledger.graph.retracted import is_retracted
from orchestration.ledger.graph.rows import claim_of, entity_of
from orchestration.ledger.graph.tables import (
    graph_claims,
    graph_concepts,
    graph_documents,
    graph_mentions,
    graph_names,
)
from orchestration.ledger.graph.view import View
from orchestration.ledger.rows import key_of, one_of
from orchestration.ledger.tables import commits

__all__ = ["SqlGraphSnapshots"]

DOCUMENTS_AT_ONCE: Final = 100
CONCEPTS_AT_ONCE: Final = 500


class SqlGraphSnapshots(LedgerPart):
    """GraphSnapshots over SQL."""

    @contextmanager
    def open(self, tenant_id: str) -> Iterator[GraphSnapshot]:
        """The visible graph as of now; see GraphSnapshots."""
        with self._database.snapshot() as connection:
            yield _Snapshot(View.of(connection, tenant_id))


class _Snapshot:
    """GraphSnapshot in a transaction."""

    def __init__(self, view: View) -> None:
        self._view = view
        self._connection = view.connection
        self._tenant_id = view.tenant_id
        self._visible = (graph_documents.c.tenant_id == view.tenant_id, graph_documents.c.visible)

    def count(self) -> int:
        """The number of documents."""
        query = select(func.count()).select_from(graph_documents).where(*self._visible)
        return self._connection.execute(query).scalar_one()

    def concepts(self) -> Iterator[ConceptNode]:
        """Concepts by their key; see GraphSnapshot."""
        last: str | None = None
        while True:
            query = select(graph_concepts.c.concept).where(graph_concepts.c.tenant_id == self._tenant_id)
            if last is not None:
                query = query.where(graph_concepts.c.concept > last)
            query = query.order_by(graph_concepts.c.concept).limit(CONCEPTS_AT_ONCE)
            keys = self._connection.execute(query).scalars().all()
            if not keys:
                return
            concepts = concepts_by_key(self._view, keys)
            yield from self._nodes([concepts[key] for key in keys])
            last = keys[-1]

    def documents(self) -> Iterator[SnapshotDocument]:
        """Documents by source and id; see GraphSnapshot."""
        last: RowMapping | None = None
        while rows := self._next_documents(last):
            yield from self._with_extractions(rows)
            last = rows[-1]

    def _nodes(self, concepts: Sequence[Concept]) -> Iterator[ConceptNode]:
        keys_of = self._view.keys_by_canonical([each.concept for each in concepts])
        own = {key: canonical for canonical, keys in keys_of.items() for key in keys}
        names: dict[str, set[str]] = defaultdict(set)
        identifiers: dict[str, set[str]] = defaultdict(set)
        for some in batched(sorted(own), 1000):
            query = select(graph_names.c.concept, graph_names.c.name).where(
                graph_names.c.tenant_id == self._tenant_id, one_of(graph_names.c.concept, some)
            )
            for concept, name in self._connection.execute(query):
                names[own[concept]].add(name)
            stated = (
                select(graph_mentions.c.concept, graph_mentions.c.identifiers)
                .distinct()
                .join(graph_documents, graph_documents.c.number == graph_mentions.c.document_number)
                .where(
                    *self._visible,
                    one_of(graph_mentions.c.concept, some),
                    graph_mentions.c.identifiers != "[]",
                )
            )
            for concept, values in self._connection.execute(stated):
                identifiers[own[concept]] |= set(json.loads(values))
        for each in concepts:
            keys = keys_of[each.concept]
            yield ConceptNode(
                each,
                (each.concept, *(key for key in keys if key != each.concept)),
                (each.name, *sorted(names[each.concept] - {each.name})),
                tuple(sorted(identifiers[each.concept] - set(keys))),
            )

    def _next_documents(self, last: RowMapping | None) -> Sequence[RowMapping]:
        documents = graph_documents.c
        same = [commits.c[name] == documents[name] for name in ("tenant_id", "source", "doc_id")]
        query = (
            select(
                graph_documents,
                is_retracted(self._tenant_id, documents.number, any_is=self._view.any_retracted).label(
                    "is_retracted"
                ),
                commits.c.version,
                commits.c.fingerprint,
            )
            .select_from(graph_documents.join(commits, and_(*same)))
            .where(*self._visible)
            .order_by(documents.source, documents.doc_id)
            .limit(DOCUMENTS_AT_ONCE)
        )
        if last is not None:
            later = and_(documents.source == last["source"], documents.doc_id > last["doc_id"])
            query = query.where((documents.source > last["source"]) | later)
        return self._connection.execute(query).mappings().all()

    def _with_extractions(self, rows: Sequence[RowMapping]) -> Iterator[SnapshotDocument]:
        numbers = [row["number"] for row in rows]
        mentions, claims = (self._of_documents(table, numbers) for table in (graph_mentions, graph_claims))
        keys = {row["concept"] for some in mentions.values() for row in some}
        canonical = self._view.canonical_of(keys)
        for row in rows:
            key = key_of(row)
            entities = [entity_of(each, key) for each in mentions.get(row["number"], ())]
            yield SnapshotDocument(
                key,
                row["version"],
                row["fingerprint"],
                row["title"],
                row["year"],
                row["study_type"],
                bool(row["is_retracted"]),
                (entities, [claim_of(each, key) for each in claims.get(row["number"], ())]),
                {entity.concept: canonical[entity.concept] for entity in entities},
            )

    def _of_documents(self, table: Any, numbers: Sequence[int]) -> dict[int, list[RowMapping]]:
        query = select(table).where(one_of(table.c.document_number, numbers))
        rows = self._connection.execute(query.order_by(table.c.document_number, table.c.number)).mappings()
        return {number: list(some) for number, some in groupby(rows, lambda row: row["document_number"])}
