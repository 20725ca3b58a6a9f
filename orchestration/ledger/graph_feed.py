"""The visible graph as a projection reads it: what changed since a number, and documents with their rows.

Input: numbers of changes, which commits, deletions and erasures give in their own transactions. Output:
documents as one moment has them.
"""

from __future__ import annotations

from collections.abc import Sequence
from uuid import uuid4

from sqlalchemy import func, select, tuple_
from sqlalchemy import insert as insert_into

from orchestration.contracts.projection import GraphChange, VisibleGraph
from orchestration.errors import StoreCorruptError
from orchestration.ledger.database import LedgerPart, lock
from orchestration.ledger.graph.rows import extraction_of
from orchestration.ledger.rows import batches, commit_of, has_key, key_of
from orchestration.ledger.tables import commit_changes, commits, ledger_identity
from orchestration.records import DocumentKey

__all__ = ["SqlGraphFeed"]


class SqlGraphFeed(LedgerPart):
    """GraphFeed over SQL."""

    def identity(self) -> str:
        """The id of this ledger, given when it is first asked for; see GraphFeed."""
        with self._database.reading() as connection:
            known = connection.execute(select(ledger_identity.c.identity)).scalar()
        if known is not None:
            return str(known)
        with self._database.writing() as connection:
            lock(connection, "identity")
            known = connection.execute(select(ledger_identity.c.identity)).scalar()
            if known is None:
                known = uuid4().hex
                connection.execute(insert_into(ledger_identity).values(identity=known))
        return str(known)

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
        with self._database.reading() as connection:
            rows = connection.execute(query).mappings().all()
        return [(key_of(row), row["graph_intent_id"]) for row in rows]

    def stamps(self, keys: Sequence[DocumentKey]) -> dict[DocumentKey, str]:
        """The stamps of visible documents with a graph; see GraphFeed."""
        stamps: dict[DocumentKey, str] = {}
        with self._database.reading() as connection:
            for batch in batches(keys):
                query = select(commits).where(has_key(commits, batch), commits.c.graph_intent_id.is_not(None))
                rows = connection.execute(query).mappings()
                stamps |= {key_of(row): row["graph_intent_id"] for row in rows}
        return stamps

    def load(self, key: DocumentKey) -> VisibleGraph | None:
        """A document's visible mentions and claims; see GraphFeed."""
        query = select(commits).where(has_key(commits, [key]), commits.c.graph_intent_id.is_not(None))
        with self._database.snapshot() as connection:
            row = connection.execute(query).mappings().first()
            if row is None:
                return None
            extraction = extraction_of(connection, key, row["graph_intent_id"])
        if extraction is None:
            raise StoreCorruptError(
                f"the ledger lost the mentions and claims of {key.doc_id}. `medkg verify --repair` extracts "
                "them again."
            )
        return VisibleGraph(commit_of(row), extraction)
