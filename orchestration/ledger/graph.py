"""Mentions and claims as rows of the ledger's database, visible by the commits beside them.

Input: extractions per document and intent. Output: what commits make visible, read by a join with them, so
every answer is of one moment and no reader needs a cache.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    FromClause,
    RowMapping,
    Select,
    and_,
    distinct,
    func,
    insert,
    or_,
    select,
)

from orchestration.contracts.graph import (
    Concept,
    Extraction,
    GraphCounts,
    GraphHolding,
    Neighbour,
    Statement,
)
from orchestration.ledger.database import LedgerPart
from orchestration.ledger.graph_rows import (
    claim_row,
    discard_rows,
    extraction_of,
    insert_rows,
    mention_row,
    mentions_of,
)
from orchestration.ledger.rows import batches, has_key, key_of
from orchestration.ledger.tables import commits, graph_claims, graph_documents, graph_mentions
from orchestration.records import Claim, DocumentKey

__all__ = ["SqlGraph"]

ROWS_AT_ONCE = 1000
"""Rows that one statement inserts, or that are read ahead."""


class SqlGraph(LedgerPart):
    """GraphStore over SQL."""

    def write(self, intent_id: str, documents: Sequence[tuple[DocumentKey, Extraction]]) -> None:
        """Replace what the intent holds of these documents, in one transaction; see GraphStore."""
        with self._database.writing() as connection:
            keys = [key for key, _ in documents]
            for batch in batches(keys):
                discard_rows(connection, has_key(graph_documents, batch), intent_id)
            for key, (entities, claims) in documents:
                columns = {**key.model_dump(), "intent_id": intent_id}
                counts = {"entity_count": len(entities), "claim_count": len(claims)}
                result = connection.execute(insert(graph_documents).values(**columns, **counts))
                (number,) = result.inserted_primary_key or (None,)
                concept_of = {entity.entity_id: entity.concept for entity in entities}
                insert_rows(connection, graph_mentions, [mention_row(number, each) for each in entities])
                rows = [claim_row(number, claim, concept_of) for claim in claims]
                insert_rows(connection, graph_claims, rows)

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

    def concepts(
        self,
        tenant_id: str,
        *,
        named: str | None = None,
        keys: Collection[str] | None = None,
        kind: str | None = None,
        limit: int = 100,
    ) -> list[Concept]:
        """Concepts with most documents first; see GraphStore."""
        conditions: list[ColumnElement[bool]] = [graph_documents.c.tenant_id == tenant_id]
        if named is not None:
            with_name = (
                select(graph_mentions.c.concept)
                .select_from(_visible(graph_mentions))
                .where(
                    graph_documents.c.tenant_id == tenant_id,
                    func.lower(graph_mentions.c.name).contains(named.lower(), autoescape=True),
                )
            )
            conditions.append(graph_mentions.c.concept.in_(with_name))
        if keys is not None:
            conditions.append(graph_mentions.c.concept.in_(sorted(keys)))
        if kind is not None:
            conditions.append(graph_mentions.c.kind == kind)
        with self._database.reading() as connection:
            return _concepts(connection, conditions, limit)

    def statements(
        self,
        tenant_id: str,
        *,
        concepts: Collection[str] | None = None,
        predicate: str | None = None,
        key: DocumentKey | None = None,
        claim_id: str | None = None,
        limit: int = 100,
    ) -> list[Statement]:
        """Visible claims with their mentions; see GraphStore."""
        claims = graph_claims.c
        conditions: list[ColumnElement[bool]] = [graph_documents.c.tenant_id == tenant_id]
        if concepts is not None:
            named = sorted(concepts)
            conditions.append(or_(claims.subject_concept.in_(named), claims.object_concept.in_(named)))
        if predicate is not None:
            conditions.append(claims.predicate == predicate)
        if key is not None:
            conditions.append(has_key(graph_documents, [key]))
        if claim_id is not None:
            conditions.append(claims.claim_id == claim_id)
        query = (
            select(
                graph_claims,
                *(graph_documents.c[name] for name in ("tenant_id", "source", "doc_id")),
                commits.c.version,
                commits.c.fingerprint,
            )
            .select_from(_visible(graph_claims))
            .where(*conditions)
            .order_by(graph_documents.c.source, graph_documents.c.doc_id, claims.number)
            .limit(limit)
        )
        with self._database.reading() as connection:
            rows = connection.execute(query).mappings().all()
            mentions = mentions_of(connection, rows)
        return [
            Statement(
                key=key_of(row),
                version=row["version"],
                fingerprint=row["fingerprint"],
                claim=Claim.model_validate_json(row["record"]),
                subject=mentions[row["document_number"], row["subject"]],
                object=mentions[row["document_number"], row["object"]],
            )
            for row in rows
        ]

    def neighbours(self, tenant_id: str, concept: str, limit: int = 100) -> list[Neighbour]:
        """Concepts that visible claims join to this one; see GraphStore."""
        joined: list[tuple[RowMapping, bool]] = []
        with self._database.reading() as connection:
            for end, other, outgoing in (
                (graph_claims.c.subject_concept, graph_claims.c.object_concept, True),
                (graph_claims.c.object_concept, graph_claims.c.subject_concept, False),
            ):
                query = (
                    select(
                        other.label("neighbour"),
                        graph_claims.c.predicate,
                        func.count().label("claims"),
                        func.count(distinct(graph_claims.c.document_number)).label("documents"),
                    )
                    .select_from(_visible(graph_claims))
                    .where(graph_documents.c.tenant_id == tenant_id, end == concept)
                    .group_by(other, graph_claims.c.predicate)
                    .order_by(func.count(distinct(graph_claims.c.document_number)).desc(), other)
                    .limit(limit)
                )
                joined += [(row, outgoing) for row in connection.execute(query).mappings()]
            joined.sort(key=lambda each: (-each[0]["documents"], each[0]["neighbour"]))
            joined = joined[:limit]
            named: dict[str, Concept] = {}
            for batch in batches(dict.fromkeys(row["neighbour"] for row, _ in joined)):
                in_batch = [
                    graph_documents.c.tenant_id == tenant_id,
                    graph_mentions.c.concept.in_(batch),
                ]
                named |= {each.concept: each for each in _concepts(connection, in_batch, len(batch))}
        return [
            Neighbour(
                concept=named[row["neighbour"]],
                predicate=row["predicate"],
                outgoing=outgoing,
                claims=row["claims"],
                documents=row["documents"],
            )
            for row, outgoing in joined
        ]

    def counts(self, tenant_id: str) -> GraphCounts:
        """What is visible of the tenant; see GraphStore."""
        of_tenant = graph_documents.c.tenant_id == tenant_id
        with self._database.reading() as connection:
            documents = connection.execute(
                select(func.count()).select_from(_with_commits(graph_documents)).where(of_tenant)
            ).scalar_one()
            concepts = connection.execute(
                select(func.count(distinct(graph_mentions.c.concept)))
                .select_from(_visible(graph_mentions))
                .where(of_tenant)
            ).scalar_one()
            kinds, predicates = (
                dict(
                    map(
                        tuple,
                        connection.execute(
                            select(column, func.count())
                            .select_from(_visible(table))
                            .where(of_tenant)
                            .group_by(column)
                            .order_by(column)
                        ),
                    )
                )
                for table, column in (
                    (graph_mentions, graph_mentions.c.kind),
                    (graph_claims, graph_claims.c.predicate),
                )
            )
        return GraphCounts(
            documents=documents,
            mentions=sum(kinds.values()),
            concepts=concepts,
            claims=sum(predicates.values()),
            kinds=kinds,
            predicates=predicates,
        )


# --- what is visible --------------------------------------------------------------------------------


def _with_commits(table: FromClause) -> FromClause:
    """Rows of graph_documents whose intent their document's commit names."""
    same = [commits.c[name] == graph_documents.c[name] for name in ("tenant_id", "source", "doc_id")]
    return table.join(commits, and_(*same, commits.c.graph_intent_id == graph_documents.c.intent_id))


def _visible(table: Any) -> FromClause:
    """Visible rows of mentions or claims, with their documents and commits."""
    return _with_commits(table.join(graph_documents, graph_documents.c.number == table.c.document_number))


def _concepts(connection: Connection, conditions: Sequence[ColumnElement[bool]], limit: int) -> list[Concept]:
    """Concepts of the mentions that meet the conditions, with their most frequent names and kinds."""
    concept = graph_mentions.c.concept
    documents = func.count(distinct(graph_mentions.c.document_number))
    query = (
        select(concept, func.count().label("mentions"), documents.label("documents"))
        .select_from(_visible(graph_mentions))
        .where(*conditions)
        .group_by(concept)
        .order_by(documents.desc(), func.count().desc(), concept)
        .limit(limit)
    )
    rows = connection.execute(query).mappings().all()
    keys = [row["concept"] for row in rows]
    commonest = {
        column.name: _commonest(connection, conditions, keys, column)
        for column in (graph_mentions.c.kind, graph_mentions.c.name)
    }
    return [
        Concept(
            concept=row["concept"],
            kind=commonest["kind"][row["concept"]],
            name=commonest["name"][row["concept"]],
            mentions=row["mentions"],
            documents=row["documents"],
        )
        for row in rows
    ]


def _commonest(
    connection: Connection,
    conditions: Sequence[ColumnElement[bool]],
    keys: Sequence[str],
    column: ColumnElement[str],
) -> dict[str, str]:
    """The most frequent value of a column, by concept; of equal ones the first in order."""
    commonest: dict[str, str] = {}
    for batch in batches(keys):
        query: Select[Any] = (
            select(graph_mentions.c.concept, column)
            .select_from(_visible(graph_mentions))
            .where(*conditions, graph_mentions.c.concept.in_(batch))
            .group_by(graph_mentions.c.concept, column)
            .order_by(graph_mentions.c.concept, func.count().desc(), column)
        )
        for concept, value in connection.execute(query):
            commonest.setdefault(concept, value)
    return commonest
