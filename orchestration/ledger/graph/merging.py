"""The canonical keys of concepts: what the aliases of a tenant come to.

Input: the rows of graph_aliases. Output: rows of graph_canonical, and columns that use them. Canonical keys
depend on the set of aliases alone.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Any

from sqlalchemy import ColumnElement, Connection, FromClause, and_, delete, func, insert, select

from orchestration.ledger.graph.tables import graph_aliases, graph_canonical
from orchestration.ledger.rows import batches, one_of
from orchestration.records import LOCAL_PREFIX

__all__ = [
    "canonical_column",
    "canonical_keys",
    "canonical_of",
    "has_aliases",
    "members",
    "with_canonical",
    "write_canonical",
]


def canonical_keys(pairs: Iterable[tuple[str, str]]) -> dict[str, str]:
    """Canonical key by key, of all keys that pairs (replaced key, key that replaces it) join.

    Of the keys that pairs join, directly or through others: one that no pair replaces, else any; of several
    one of a vocabulary, then the first in order.
    """
    parent: dict[str, str] = {}

    def root(key: str) -> str:
        while parent.setdefault(key, key) != key:
            parent[key] = parent[parent[key]]
            key = parent[key]
        return key

    replaced = set()
    for from_key, to_key in pairs:
        replaced.add(from_key)
        parent[root(from_key)] = root(to_key)
    joined: dict[str, list[str]] = {}
    for key in parent:
        joined.setdefault(root(key), []).append(key)
    canonical: dict[str, str] = {}
    for keys in joined.values():
        chosen = min(keys, key=lambda key: (key in replaced, key.startswith(LOCAL_PREFIX), key))
        canonical |= dict.fromkeys(keys, chosen)
    return canonical


def write_canonical(connection: Connection, tenant_id: str) -> set[str]:
    """Write what the aliases come to; returns all keys of concepts that this merged or took apart."""
    pairs = connection.execute(
        select(graph_aliases.c.from_key, graph_aliases.c.to_key).where(graph_aliases.c.tenant_id == tenant_id)
    )
    now = {key: to for key, to in canonical_keys(map(tuple, pairs)).items() if key != to}
    of_tenant = graph_canonical.c.tenant_id == tenant_id
    before = dict(
        map(
            tuple,
            connection.execute(select(graph_canonical.c.key, graph_canonical.c.canonical).where(of_tenant)),
        )
    )
    changed = {key: now.get(key, key) for key in {**before, **now} if before.get(key) != now.get(key)}
    for batch in batches(sorted(key for key in changed if key in before)):
        connection.execute(delete(graph_canonical).where(of_tenant, one_of(graph_canonical.c.key, batch)))
    rows = [
        {"tenant_id": tenant_id, "key": key, "canonical": to}
        for key, to in sorted(changed.items())
        if key != to
    ]
    for some in batches(rows):
        connection.execute(insert(graph_canonical), some)
    return {*changed, *changed.values(), *(before[key] for key in changed if key in before)}


def has_aliases(connection: Connection, tenant_id: str) -> bool:
    """Whether aliases merge any keys of the tenant."""
    query = select(graph_canonical.c.key).where(graph_canonical.c.tenant_id == tenant_id).limit(1)
    return connection.execute(query).first() is not None


def canonical_of(connection: Connection, tenant_id: str, keys: Collection[str]) -> dict[str, str]:
    """The canonical key of each key, itself where no alias replaces it; in the order given."""
    canonical = {key: key for key in keys}
    for batch in batches(canonical):
        query = select(graph_canonical.c.key, graph_canonical.c.canonical).where(
            graph_canonical.c.tenant_id == tenant_id, one_of(graph_canonical.c.key, batch)
        )
        canonical |= dict(map(tuple, connection.execute(query)))
    return canonical


def members(connection: Connection, tenant_id: str, canonical: Collection[str]) -> dict[str, str]:
    """Canonical key by key, of all keys that come to these canonical ones, which are among them."""
    keys = {key: key for key in canonical}
    for batch in batches(list(keys)):
        query = select(graph_canonical.c.key, graph_canonical.c.canonical).where(
            graph_canonical.c.tenant_id == tenant_id, one_of(graph_canonical.c.canonical, batch)
        )
        keys |= dict(map(tuple, connection.execute(query)))
    return keys


def with_canonical(tenant_id: Any, table: FromClause, key: ColumnElement[str], alias: Any) -> FromClause:
    """The rows with the canonical key of a column, where it has another one; `alias`: of graph_canonical."""
    return table.outerjoin(alias, and_(alias.c.tenant_id == tenant_id, alias.c.key == key))


def canonical_column(key: ColumnElement[str], alias: Any) -> ColumnElement[str]:
    """The canonical key of a column in `with_canonical`."""
    return func.coalesce(alias.c.canonical, key)
