"""What one answer is read from: a transaction, a tenant, and whether there are aliases and retractions.

Input: a connection inside a transaction. Output: keys with their canonical ones. Most tenants have no aliases
or no retracted document; then nothing has to be looked up or compared.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Final

from sqlalchemy import Connection, select

from orchestration.ledger.graph import merging
from orchestration.ledger.graph.prepared import TENANT, Prepared
from orchestration.ledger.graph.retracted import any_retracted
from orchestration.ledger.graph.tables import graph_canonical

__all__ = ["View"]

_ANY: Final = Prepared(
    select(
        select(graph_canonical.c.key).where(graph_canonical.c.tenant_id == TENANT).exists(),
        any_retracted(TENANT),
    )
)


@dataclass(frozen=True, slots=True)
class View:
    """One tenant's graph in one transaction."""

    connection: Connection
    tenant_id: str
    any_alias: bool
    any_retracted: bool

    @classmethod
    def of(cls, connection: Connection, tenant_id: str) -> View:
        """The view of a tenant."""
        any_alias, any_retracted = _ANY.rows(connection, tenant_id=tenant_id)[0]
        return cls(connection, tenant_id, bool(any_alias), bool(any_retracted))

    def canonical_of(self, keys: Collection[str]) -> dict[str, str]:
        """The canonical key of each key, in the order given; see merging.canonical_of."""
        if not self.any_alias:
            return {key: key for key in keys}
        return merging.canonical_of(self.connection, self.tenant_id, keys)

    def members(self, canonical: Collection[str]) -> dict[str, str]:
        """Canonical key by key, of all keys that come to these; see merging.members."""
        if not self.any_alias:
            return {key: key for key in canonical}
        return merging.members(self.connection, self.tenant_id, canonical)

    def merged(self, keys: Collection[str]) -> dict[str, str]:
        """Canonical key by key, of all keys that stand for the concepts of these keys."""
        return self.members(set(self.canonical_of(keys).values()))

    def keys_by_canonical(self, canonical: Collection[str]) -> dict[str, list[str]]:
        """All keys that come to each of these canonical ones, in order."""
        keys_of: dict[str, list[str]] = {}
        for key, to in sorted(self.members(canonical).items()):
            keys_of.setdefault(to, []).append(key)
        return keys_of
