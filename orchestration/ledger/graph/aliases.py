"""Aliases of concepts as rows, with their effect on what readers see in the same transaction.

Input: aliases. Output: the same, and the canonical keys that they come to.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

from sqlalchemy import ColumnElement, Connection, RowMapping, delete, select

from orchestration.contracts import Alias
from orchestration.errors import UsageError
from orchestration.ledger.database import LedgerPart
from orchestration.ledger.graph.counting import count_concepts
from orchestration.ledger.graph.merging import canonical_of, write_canonical
from orchestration.ledger.graph.noting import note_mentioning
from orchestration.ledger.graph.tables import graph_aliases
from orchestration.ledger.rows import batches, lock_commits, upsert

__all__ = ["SqlAliases"]


class SqlAliases(LedgerPart):
    """GraphAliases over SQL."""

    def add(self, tenant_id: str, alias: Alias) -> None:
        """Add one; see GraphAliases."""
        if alias.from_key == alias.to_key:
            raise UsageError(f"{alias.from_key} cannot stand for itself. Name two different keys.")
        with self._database.writing() as connection:
            lock_commits(connection)
            _refuse_circle(connection, tenant_id, alias)
            self._write(connection, tenant_id, [alias])
            _merge(connection, tenant_id)

    def put(self, tenant_id: str, aliases: Sequence[Alias]) -> None:
        """Write aliases of a copy; see GraphAliases."""
        with self._database.writing() as connection:
            lock_commits(connection)
            self._write(connection, tenant_id, aliases)
            _merge(connection, tenant_id)

    def replace(self, tenant_id: str, origin: str, aliases: Sequence[Alias]) -> int:
        """Put these in the place of those of an origin; see GraphAliases."""
        of_origin = (graph_aliases.c.tenant_id == tenant_id, graph_aliases.c.origin == origin)
        with self._database.writing() as connection:
            lock_commits(connection)
            before = connection.execute(select(graph_aliases.c.alias_id).where(*of_origin)).scalars().all()
            gone = sorted(set(before) - {alias.alias_id for alias in aliases})
            for batch in batches(gone):
                connection.execute(
                    delete(graph_aliases).where(*of_origin, graph_aliases.c.alias_id.in_(batch))
                )
            self._write(connection, tenant_id, aliases)
            _merge(connection, tenant_id)
        return len(gone)

    def remove(
        self, tenant_id: str, *, alias_id: str | None = None, origin: str | None = None
    ) -> list[Alias]:
        """Remove one, or all of an origin; see GraphAliases."""
        conditions: list[ColumnElement[bool]] = [graph_aliases.c.tenant_id == tenant_id]
        if alias_id is not None:
            conditions.append(graph_aliases.c.alias_id == alias_id)
        if origin is not None:
            conditions.append(graph_aliases.c.origin == origin)
        with self._database.writing() as connection:
            lock_commits(connection)
            removed = _entries(connection, conditions)
            connection.execute(delete(graph_aliases).where(*conditions))
            _merge(connection, tenant_id)
        return removed

    def entries(self, tenant_id: str) -> list[Alias]:
        """All; see GraphAliases."""
        with self._database.reading() as connection:
            return _entries(connection, [graph_aliases.c.tenant_id == tenant_id])

    def canonical(self, tenant_id: str, keys: Collection[str]) -> dict[str, str]:
        """Canonical keys of those that have another one; see GraphAliases."""
        with self._database.reading() as connection:
            canonical = canonical_of(connection, tenant_id, keys)
        return {key: to for key, to in canonical.items() if key != to}

    def _write(self, connection: Connection, tenant_id: str, aliases: Sequence[Alias]) -> None:
        rows = [
            {**alias.model_dump(), "tenant_id": tenant_id, "created_at": alias.created_at or self._now()}
            for alias in aliases
        ]
        for batch in batches(rows):
            upsert(
                connection,
                graph_aliases,
                batch,
                ("tenant_id", "alias_id"),
                ("from_key", "to_key", "created_at"),
            )


def _entries(connection: Connection, conditions: Sequence[ColumnElement[bool]]) -> list[Alias]:
    query = select(graph_aliases).where(*conditions)
    entries = [_alias(row) for row in connection.execute(query).mappings()]
    return sorted(entries, key=lambda each: (each.origin, each.from_key, each.to_key, each.rule))


def _alias(row: RowMapping) -> Alias:
    return Alias.model_validate({name: value for name, value in row.items() if name != "tenant_id"})


def _refuse_circle(connection: Connection, tenant_id: str, alias: Alias) -> None:
    """Raise UsageError where the new key leads back to the replaced one."""
    way = [alias.to_key]
    came_from: dict[str, str] = {}
    while way:
        key = way.pop()
        query = select(graph_aliases.c.to_key).where(
            graph_aliases.c.tenant_id == tenant_id, graph_aliases.c.from_key == key
        )
        for to_key in connection.execute(query).scalars():
            if to_key not in came_from:
                came_from[to_key] = key
                way.append(to_key)
    if alias.from_key not in came_from:
        return
    chain = [alias.from_key]
    while chain[-1] != alias.to_key:
        chain.append(came_from[chain[-1]])
    raise UsageError(
        f"{alias.from_key} -> {alias.to_key} would close a circle: {' -> '.join(reversed(chain))}. Both are "
        "one concept already; `medkg graph alias list` shows the aliases, `alias undo` removes one."
    )


def _merge(connection: Connection, tenant_id: str) -> None:
    """Have readers see what the aliases come to now."""
    changed = write_canonical(connection, tenant_id)
    if changed:
        count_concepts(connection, tenant_id, changed)
        note_mentioning(connection, tenant_id, changed)
