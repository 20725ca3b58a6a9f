"""Aliases: keys of concepts that stand for the same thing, merged when the graph is read.

Input: pairs of keys, added by hand or stated by a file of mappings. Output: the canonical key of each.
Mentions and claims keep their own keys, so a merge can be undone.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Sequence
from typing import Any, Protocol, Self

from pydantic import Field

from orchestration.records import Record

__all__ = ["Alias", "GraphAliases"]


class Alias(Record):
    """Two keys stand for the same concept; readers see one, mentions and claims keep theirs."""

    alias_id: str = Field(description="Deterministic: of keys, rule and origin.")
    from_key: str = Field(min_length=1, description="Key that is replaced.")
    to_key: str = Field(min_length=1, description="Key that replaces it.")
    rule: str = Field(description="manual, or the predicate of a mapping: skos:exactMatch.")
    origin: str = Field(default="", description="File of mappings that states it; '' if added by hand.")
    version: str = Field(default="", description="Version of that file.")
    reason: str = Field(default="", description="Why, as given.")
    created_at: float = Field(default=0, ge=0, description="Seconds since the epoch.")

    @classmethod
    def of(cls, from_key: str, to_key: str, rule: str, origin: str = "", **fields: Any) -> Self:
        """The alias with its id."""
        content = "\0".join((from_key, to_key, rule, origin)).encode("utf-8", "surrogatepass")
        alias_id = f"a{hashlib.sha256(content).hexdigest()[:24]}"
        return cls(alias_id=alias_id, from_key=from_key, to_key=to_key, rule=rule, origin=origin, **fields)


class GraphAliases(Protocol):
    """Aliases of concepts: a part of the ledger.

    Guarantees: every call is one transaction, durable when it returns; readers see its effect at once.
    Canonical keys depend on the set of aliases alone, not on their order, so an undo restores exactly what
    was before. Among the keys that aliases join, the canonical one is a key that no alias replaces, else any
    of them; of several, one of a vocabulary before a local one, then the first in order.
    """

    def add(self, tenant_id: str, alias: Alias) -> None:
        """Add one; idempotent. Raises UsageError for a key that replaces itself, also through others."""
        ...

    def put(self, tenant_id: str, aliases: Sequence[Alias]) -> None:
        """Write aliases that came from a copy; idempotent. Circles with others are no error."""
        ...

    def replace(self, tenant_id: str, origin: str, aliases: Sequence[Alias]) -> int:
        """Put these in the place of all aliases of an origin; returns the number of those removed.

        Aliases of mappings are symmetric, so circles among them are no error.
        """
        ...

    def remove(
        self, tenant_id: str, *, alias_id: str | None = None, origin: str | None = None
    ) -> list[Alias]:
        """Remove one by its id, or all of an origin; returns those removed."""
        ...

    def entries(self, tenant_id: str) -> list[Alias]:
        """All, by origin and keys in order."""
        ...

    def canonical(self, tenant_id: str, keys: Collection[str]) -> dict[str, str]:
        """Canonical keys of those keys that have another one."""
        ...
