"""The graph's part of the ledger: rows under intents, and what commits make visible of them.

Input: extractions per document and intent. Output: answers of one moment each, read in one transaction.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any, Final

from sqlalchemy import Connection, select

from orchestration.contracts import (
    Concept,
    Conflict,
    DocumentFacts,
    Extraction,
    GraphCounts,
    GraphHolding,
    MentioningDocument,
    Neighbour,
    Paths,
    Proposal,
    Statement,
)
from orchestration.ledger.database import LedgerPart
from orchestration.ledger.graph import questions, reading
from orchestration.ledger.graph.bulk import insert_rows
from orchestration.ledger.graph.counting import discard_rows, recount, show
from orchestration.ledger.graph.disagreeing import find_conflicts
from orchestration.ledger.graph.joining import neighbours
from orchestration.ledger.graph.proposing import find_proposals
from orchestration.ledger.graph.publications import publications_of
from orchestration.ledger.graph.retracted import retracted_numbers
from orchestration.ledger.graph.rows import (
    CLAIM_COLUMNS,
    MENTION_COLUMNS,
    claim_row,
    extraction_of,
    mention_row,
)
from orchestration.ledger.graph.tables import (
    graph_claims,
    graph_documents,
    graph_identifiers,
    graph_mentions,
    graph_notices,
)
from orchestration.ledger.graph.view import View
from orchestration.ledger.graph.walking import find_paths
from orchestration.ledger.rows import batches, has_key, key_of, lock_commits
from orchestration.ledger.tables import commits
from orchestration.records import DocumentKey

__all__ = ["SqlGraph"]

ROWS_AT_ONCE: Final = 1000
"""Rows that are read ahead."""

_UNKNOWN: Final = DocumentFacts()

DOCUMENT_COLUMNS: Final = (
    *("tenant_id", "source", "doc_id", "intent_id", "entity_count", "claim_count"),
    *("title", "year", "study_type", "retracted"),
)
IDENTIFIER_COLUMNS: Final = ("document_number", "identifier")


class SqlGraph(LedgerPart):
    """GraphStore over SQL."""

    def write(
        self,
        intent_id: str,
        documents: Sequence[tuple[DocumentKey, Extraction]],
        facts: Mapping[DocumentKey, DocumentFacts] = {},
    ) -> None:
        """Replace what the intent holds of these documents, in one transaction; see GraphStore."""
        keys = [key for key, _ in documents]
        with self._database.writing() as connection:
            for batch in batches(keys):
                discard_rows(connection, has_key(graph_documents, batch), intent_id)
            numbers = _insert_documents(connection, intent_id, documents, facts)
            mentions, stated, identifiers, notices = [], [], [], []
            for key, (entities, claims) in documents:
                number, known = numbers[key], facts.get(key, _UNKNOWN)
                concept_of = {entity.entity_id: entity.concept for entity in entities}
                mentions += [mention_row(number, each) for each in entities]
                stated += [claim_row(number, claim, concept_of) for claim in claims]
                identifiers += [(number, each) for each in dict.fromkeys(known.identifiers)]
                notices += [(number, each) for each in dict.fromkeys(known.retracts)]
            insert_rows(connection, graph_mentions, MENTION_COLUMNS, mentions)
            insert_rows(connection, graph_claims, CLAIM_COLUMNS, stated)
            insert_rows(connection, graph_identifiers, IDENTIFIER_COLUMNS, identifiers)
            insert_rows(connection, graph_notices, IDENTIFIER_COLUMNS, notices)
            named = select(commits.c.source).where(commits.c.graph_intent_id == intent_id).limit(1)
            if connection.execute(named).first() is not None:
                lock_commits(connection)
                show(connection, keys)

    def discard(self, tenant_id: str, intent_id: str, keys: Sequence[DocumentKey] | None) -> None:
        """Remove what an intent wrote; see GraphStore."""
        with self._database.writing() as connection:
            if keys is None:
                discard_rows(connection, graph_documents.c.tenant_id == tenant_id, intent_id)
            else:
                for batch in batches(keys):
                    discard_rows(connection, has_key(graph_documents, batch), intent_id)

    def holdings(self, tenant_id: str, intent_id: str | None = None) -> Iterator[GraphHolding]:
        """What is held, visible or not; see GraphStore."""
        query = select(graph_documents).where(graph_documents.c.tenant_id == tenant_id)
        if intent_id is not None:
            query = query.where(graph_documents.c.intent_id == intent_id)
        with self._database.reading() as connection:
            rows = connection.execution_options(yield_per=ROWS_AT_ONCE).execute(query).mappings()
            for row in rows:
                yield GraphHolding(key_of(row), row["intent_id"], row["entity_count"], row["claim_count"])

    def extraction(self, key: DocumentKey, intent_id: str) -> Extraction | None:
        """What an intent wrote of a document; see GraphStore."""
        with self._database.reading() as connection:
            return extraction_of(connection, key, intent_id)

    def facts(self, key: DocumentKey, intent_id: str) -> DocumentFacts | None:
        """Facts as they were written, retracted also by a notice; see GraphStore."""
        with self._database.reading() as connection:
            number = connection.execute(_document(key, intent_id)).scalar()
            if number is None:
                return None
            row = (
                connection.execute(
                    select(
                        graph_documents,
                        graph_documents.c.number.in_(retracted_numbers(key.tenant_id)).label("by_notice"),
                    ).where(graph_documents.c.number == number)
                )
                .mappings()
                .one()
            )
            identifiers, retracts = (
                tuple(
                    connection.execute(
                        select(table.c.identifier)
                        .where(table.c.document_number == number)
                        .order_by(table.c.identifier)
                    ).scalars()
                )
                for table in (graph_identifiers, graph_notices)
            )
        return DocumentFacts(
            title=row["title"],
            year=row["year"],
            study_type=row["study_type"],
            retracted=bool(row["retracted"] or row["by_notice"]),
            identifiers=identifiers,
            retracts=retracts,
        )

    def recount(self, tenant_id: str) -> bool:
        """Make what is derived again; see GraphStore."""
        with self._database.writing() as connection:
            lock_commits(connection)
            return recount(connection, tenant_id)

    # --- what is visible ----------------------------------------------------------------------------

    def concepts(
        self,
        tenant_id: str,
        *,
        named: str | None = None,
        exactly: bool = False,
        keys: Collection[str] | None = None,
        kind: str | None = None,
        limit: int = 100,
    ) -> list[Concept]:
        """Concepts with most documents first; see GraphReader."""
        with self._database.reading() as connection:
            return reading.find_concepts(
                View.of(connection, tenant_id),
                named=named,
                exactly=exactly,
                keys=keys,
                kind=kind,
                limit=limit,
            )

    def statements(
        self,
        tenant_id: str,
        *,
        concepts: Collection[str] | None = None,
        subject: str | None = None,
        object_: str | None = None,
        predicate: str | None = None,
        key: DocumentKey | None = None,
        claim_id: str | None = None,
        limit: int = 100,
    ) -> list[Statement]:
        """Visible claims with their mentions; see GraphReader."""
        with self._database.reading() as connection:
            return reading.find_statements(
                View.of(connection, tenant_id),
                concepts=concepts,
                subject=subject,
                object_=object_,
                predicate=predicate,
                key=key,
                claim_id=claim_id,
                limit=limit,
            )

    def mentioning(self, tenant_id: str, concepts: Collection[str]) -> frozenset[DocumentKey]:
        """Documents that mention one of these concepts; see GraphReader."""
        with self._database.reading() as connection:
            return questions.documents_mentioning(connection, tenant_id, concepts)

    def named(
        self, tenant_id: str, names: Collection[str], kinds: Collection[str]
    ) -> dict[str, tuple[str, ...]]:
        """Concepts by name; see GraphReader."""
        with self._database.reading() as connection:
            return questions.concepts_by_name(connection, tenant_id, names, kinds)

    def documents_on(self, tenant_id: str, concepts: Collection[str], limit: int) -> list[MentioningDocument]:
        """Documents about concepts, best first; see GraphReader."""
        with self._database.reading() as connection:
            return questions.documents_on(connection, tenant_id, concepts, limit)

    def neighbours(self, tenant_id: str, concept: str, limit: int = 100) -> list[Neighbour]:
        """Concepts that visible claims join to this one; see GraphReader."""
        with self._database.reading() as connection:
            return neighbours(View.of(connection, tenant_id), concept, limit)

    def paths(
        self,
        tenant_id: str,
        start: str,
        end: str,
        *,
        max_hops: int = 2,
        predicates: Collection[str] | None = None,
        max_documents: int = 1000,
        limit: int = 20,
    ) -> Paths:
        """Paths between two concepts; see GraphReader."""
        with self._database.reading() as connection:
            return find_paths(
                View.of(connection, tenant_id),
                start,
                end,
                max_hops=max_hops,
                predicates=predicates,
                max_documents=max_documents,
                limit=limit,
            )

    def conflicts(
        self,
        tenant_id: str,
        *,
        concept: str | None = None,
        predicate: str | None = None,
        limit: int = 20,
    ) -> list[Conflict]:
        """Claims that disagree; see GraphReader."""
        with self._database.reading() as connection:
            return find_conflicts(
                View.of(connection, tenant_id), concept=concept, predicate=predicate, limit=limit
            )

    def publications(self, keys: Collection[DocumentKey]) -> dict[DocumentKey, DocumentKey]:
        """The first document of each one's publication; see GraphReader."""
        with self._database.reading() as connection:
            return publications_of(connection, keys)

    def proposals(self, tenant_id: str, limit: int = 20) -> list[Proposal]:
        """What a person should look at; see GraphReader."""
        with self._database.reading() as connection:
            return find_proposals(View.of(connection, tenant_id), limit)

    def counts(self, tenant_id: str) -> GraphCounts:
        """What is visible of the tenant; see GraphReader."""
        with self._database.reading() as connection:
            return reading.counts(View.of(connection, tenant_id))


def _document(key: DocumentKey, intent_id: str) -> Any:
    return select(graph_documents.c.number).where(
        has_key(graph_documents, [key]), graph_documents.c.intent_id == intent_id
    )


def _insert_documents(
    connection: Connection,
    intent_id: str,
    documents: Sequence[tuple[DocumentKey, Extraction]],
    facts: Mapping[DocumentKey, DocumentFacts],
) -> dict[DocumentKey, int]:
    """Insert the rows of documents, of which the intent holds none; returns their numbers."""
    rows = []
    for key, (entities, claims) in documents:
        known = facts.get(key, _UNKNOWN)
        rows.append(
            (
                *(key.tenant_id, key.source, key.doc_id, intent_id, len(entities), len(claims)),
                *(known.title, known.year, known.study_type, known.retracted),
            )
        )
    insert_rows(connection, graph_documents, DOCUMENT_COLUMNS, rows)
    numbers: dict[tuple[str, str, str], int] = {}
    columns = [graph_documents.c[name] for name in ("number", "tenant_id", "source", "doc_id")]
    for batch in batches([key for key, _ in documents]):
        query = select(*columns).where(
            has_key(graph_documents, batch), graph_documents.c.intent_id == intent_id
        )
        numbers |= {(row[1], row[2], row[3]): row[0] for row in connection.execute(query)}
    return {key: numbers[key.tenant_id, key.source, key.doc_id] for key, _ in documents}
