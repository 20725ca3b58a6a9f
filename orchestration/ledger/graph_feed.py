"""The visible graph as a projection reads it: what changed since a number, and documents with their rows.

Input: numbers of changes, which commits, deletions and erasures give in their own transactions. Output:
documents as one moment has them.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from hashlib import sha256

from sqlalchemy import Connection, RowMapping, and_, func, select, tuple_

from orchestration.contracts.projection import GraphChange, VisibleGraph
from orchestration.errors import StoreCorruptError
from orchestration.ledger.database import LedgerPart
from orchestration.ledger.graph.merging import has_aliases
from orchestration.ledger.graph.rows import extractions_of
from orchestration.ledger.graph.tables import (
    graph_canonical,
    graph_documents,
    graph_identifiers,
    graph_mentions,
    graph_notices,
)
from orchestration.ledger.ledger_id import ledger_id
from orchestration.ledger.rows import batches, commit_of, has_key, key_of
from orchestration.ledger.tables import commit_changes, commits
from orchestration.records import DocumentKey

__all__ = ["SqlGraphFeed"]


class SqlGraphFeed(LedgerPart):
    """GraphFeed over SQL."""

    def identity(self) -> str:
        """The id of this ledger, given when it is first asked for; see GraphFeed."""
        return ledger_id(self._database)

    def newest(self) -> dict[str, int]:
        """The number of the newest change by tenant; see GraphFeed."""
        query = select(commit_changes.c.tenant_id, func.max(commit_changes.c.sequence)).group_by(
            commit_changes.c.tenant_id
        )
        with self._database.reading() as connection:
            return dict(map(tuple, connection.execute(query)))

    def changes(self, tenant_id: str, after: int, limit: int) -> list[GraphChange]:
        """Changes with later numbers, oldest first; see GraphFeed."""
        query = (
            select(commit_changes)
            .where(commit_changes.c.tenant_id == tenant_id, commit_changes.c.sequence > after)
            .order_by(commit_changes.c.sequence)
            .limit(limit)
        )
        with self._database.reading() as connection:
            rows = connection.execute(query).mappings().all()
        return [GraphChange(row["sequence"], key_of(row)) for row in rows]

    def pending(self, tenant_id: str, after: int) -> int:
        """The number of documents that changed after a number; see GraphFeed."""
        query = select(func.count()).where(
            commit_changes.c.tenant_id == tenant_id, commit_changes.c.sequence > after
        )
        with self._database.reading() as connection:
            return connection.execute(query).scalar_one()

    def page(self, tenant_id: str, after: DocumentKey | None, limit: int) -> list[tuple[DocumentKey, str]]:
        """Visible documents with a graph, with their stamps; see GraphFeed."""
        columns = (commits.c.source, commits.c.doc_id)
        query = (
            select(commits)
            .where(commits.c.tenant_id == tenant_id, commits.c.graph_intent_id.is_not(None))
            .order_by(*columns)
            .limit(limit)
        )
        if after is not None:
            query = query.where(tuple_(*columns) > tuple_(after.source, after.doc_id))
        with self._database.snapshot() as connection:
            rows = connection.execute(query).mappings().all()
            stamps = _stamps(connection, rows)
        return list(stamps.items())

    def stamps(self, keys: Sequence[DocumentKey]) -> dict[DocumentKey, str]:
        """The stamps of visible documents with a graph; see GraphFeed."""
        stamps: dict[DocumentKey, str] = {}
        with self._database.snapshot() as connection:
            for batch in batches(keys):
                query = select(commits).where(has_key(commits, batch), commits.c.graph_intent_id.is_not(None))
                stamps |= _stamps(connection, connection.execute(query).mappings().all())
        return stamps

    def load(self, keys: Sequence[DocumentKey]) -> dict[DocumentKey, VisibleGraph | StoreCorruptError]:
        """Visible mentions and claims of documents; see GraphFeed."""
        loaded: dict[DocumentKey, VisibleGraph | StoreCorruptError] = {}
        with self._database.snapshot() as connection:
            for batch in batches(keys):
                loaded |= _loaded(connection, batch)
        return loaded


def _loaded(
    connection: Connection, keys: Sequence[DocumentKey]
) -> dict[DocumentKey, VisibleGraph | StoreCorruptError]:
    query = select(commits).where(has_key(commits, keys), commits.c.graph_intent_id.is_not(None))
    rows = connection.execute(query).mappings().all()
    intents = {key_of(row): str(row["graph_intent_id"]) for row in rows}
    if not intents:
        return {}
    documents = {
        key_of(row): row
        for row in connection.execute(select(graph_documents).where(has_key(graph_documents, [*intents])))
        .mappings()
        .all()
        if row["intent_id"] == intents[key_of(row)]
    }
    extractions = extractions_of(connection, {row["number"]: key for key, row in documents.items()})
    canonical = _canonical(connection, list(intents))
    retracted = _retracted(connection, list(intents))
    loaded: dict[DocumentKey, VisibleGraph | StoreCorruptError] = {}
    for row in rows:
        key = key_of(row)
        if key not in documents:
            loaded[key] = StoreCorruptError(
                f"the ledger lost the mentions and claims of {key.doc_id}. `medkg verify --repair` extracts "
                "them again."
            )
            continue
        stamp = _stamp(intents[key], canonical[key], key in retracted)
        facts = {**_facts(documents[key]), "retracted": key in retracted}
        loaded[key] = VisibleGraph(commit_of(row), extractions[key], stamp, canonical[key], facts)
    return loaded


def _stamps(connection: Connection, rows: Sequence[RowMapping]) -> dict[DocumentKey, str]:
    """Stamps of commits: the intent of the graph, and what aliases and notices make of it."""
    intents = {key_of(row): str(row["graph_intent_id"]) for row in rows}
    if not intents:
        return {}
    canonical = _canonical(connection, list(intents))
    retracted = _retracted(connection, list(intents))
    return {key: _stamp(intent_id, canonical[key], key in retracted) for key, intent_id in intents.items()}


def _stamp(intent_id: str, canonical: Mapping[str, str], retracted: bool) -> str:
    others = [sorted(canonical.items()), retracted]
    return (
        intent_id
        if others == [[], False]
        else f"{intent_id}+{sha256(repr(others).encode()).hexdigest()[:16]}"
    )


def _canonical(connection: Connection, keys: Sequence[DocumentKey]) -> dict[DocumentKey, dict[str, str]]:
    """By document: the canonical keys of concepts that it mentions under others."""
    canonical: dict[DocumentKey, dict[str, str]] = {key: {} for key in keys}
    if not any(has_aliases(connection, tenant_id) for tenant_id in {key.tenant_id for key in keys}):
        return canonical
    query = (
        select(
            *(graph_documents.c[name] for name in ("tenant_id", "source", "doc_id")),
            graph_canonical.c.key,
            graph_canonical.c.canonical,
        )
        .distinct()
        .select_from(graph_documents)
        .join(graph_mentions, graph_mentions.c.document_number == graph_documents.c.number)
        .join(
            graph_canonical,
            and_(
                graph_canonical.c.tenant_id == graph_documents.c.tenant_id,
                graph_canonical.c.key == graph_mentions.c.concept,
            ),
        )
        .where(has_key(graph_documents, keys), graph_documents.c.visible)
    )
    for row in connection.execute(query).mappings():
        canonical[key_of(row)][row["key"]] = row["canonical"]
    return canonical


def _retracted(connection: Connection, keys: Sequence[DocumentKey]) -> set[DocumentKey]:
    """Those of the documents that count as retracted; see ledger.graph.retracted, which asks for all."""
    place = [graph_documents.c[name] for name in ("tenant_id", "source", "doc_id")]
    of_keys = (has_key(graph_documents, keys), graph_documents.c.visible)
    stated = select(*place).where(*of_keys, graph_documents.c.retracted)
    retracted = {key_of(row) for row in connection.execute(stated).mappings()}
    named = (
        select(*place, graph_documents.c.number, graph_identifiers.c.identifier)
        .join(graph_identifiers, graph_identifiers.c.document_number == graph_documents.c.number)
        .where(*of_keys)
    )
    rows = connection.execute(named).mappings().all()
    notices: dict[tuple[str, str], set[int]] = defaultdict(set)
    for batch in batches(sorted({row["identifier"] for row in rows})):
        query = (
            select(graph_documents.c.tenant_id, graph_notices.c.identifier, graph_documents.c.number)
            .join(graph_documents, graph_documents.c.number == graph_notices.c.document_number)
            .where(graph_notices.c.identifier.in_(batch), graph_documents.c.visible)
        )
        for tenant_id, identifier, number in connection.execute(query):
            notices[tenant_id, identifier].add(number)
    return retracted | {
        key_of(row) for row in rows if notices[row["tenant_id"], row["identifier"]] - {row["number"]}
    }


def _facts(document: RowMapping) -> dict[str, str | int | bool]:
    """What is known of a document, beside its mentions and claims."""
    return {name: document[name] for name in ("title", "year", "study_type") if document[name] is not None}
