"""Notes documents that look different to readers since something else changed: an alias, or a notice.

Input: concepts or identifiers, within the transaction that changes what they mean. Output: a new number of
change per document, from which projections learn what to read again.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

from sqlalchemy import Connection, Select, and_, select

from orchestration.ledger.graph.tables import (
    graph_documents,
    graph_identifiers,
    graph_mentions,
    graph_notices,
)
from orchestration.ledger.rows import batches, has_key, key_of, note_changes
from orchestration.ledger.tables import commits
from orchestration.records import DocumentKey

__all__ = ["note_mentioning", "note_noticed", "noticed_by"]


def note_mentioning(connection: Connection, tenant_id: str, concepts: Collection[str]) -> None:
    """Note visible documents that mention one of these concepts, whose aliases changed."""
    for batch in batches(sorted(concepts)):
        query = (
            _visible()
            .join(graph_mentions, graph_mentions.c.document_number == graph_documents.c.number)
            .where(graph_documents.c.tenant_id == tenant_id, graph_mentions.c.concept.in_(batch))
        )
        _note(connection, query)


def noticed_by(connection: Connection, keys: Sequence[DocumentKey]) -> set[tuple[str, str]]:
    """Tenants and identifiers of articles that the visible documents of these keys retract."""
    query = (
        select(graph_documents.c.tenant_id, graph_notices.c.identifier)
        .join(graph_notices, graph_notices.c.document_number == graph_documents.c.number)
        .where(has_key(graph_documents, keys), graph_documents.c.visible)
    )
    return {(row.tenant_id, row.identifier) for row in connection.execute(query)}


def note_noticed(connection: Connection, noticed: Collection[tuple[str, str]]) -> None:
    """Note visible documents that notices with these identifiers retract, or do so no longer."""
    for tenant_id in sorted({tenant for tenant, _ in noticed}):
        for batch in batches(sorted(identifier for tenant, identifier in noticed if tenant == tenant_id)):
            query = (
                _visible()
                .join(graph_identifiers, graph_identifiers.c.document_number == graph_documents.c.number)
                .where(graph_documents.c.tenant_id == tenant_id, graph_identifiers.c.identifier.in_(batch))
            )
            _note(connection, query)


def _visible() -> Select[tuple[str, str, str, str]]:
    """Keys and intents of visible documents with a graph."""
    same = [commits.c[name] == graph_documents.c[name] for name in ("tenant_id", "source", "doc_id")]
    columns = [commits.c[name] for name in ("tenant_id", "source", "doc_id", "intent_id")]
    return (
        select(*columns)
        .distinct()
        .select_from(graph_documents)
        .join(commits, and_(*same, graph_documents.c.visible))
    )


def _note(connection: Connection, query: Select[tuple[str, str, str, str]]) -> None:
    rows = connection.execute(query).mappings().all()
    for batch in batches(rows):
        note_changes(connection, {key_of(row): row["intent_id"] for row in batch})
