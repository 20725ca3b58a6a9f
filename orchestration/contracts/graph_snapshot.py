"""All of a tenant's visible graph at one moment, read in bounded memory: what exports are made from.

Input: a tenant. Output: concepts, and documents with their mentions and claims, each in a fixed order.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager
from typing import NamedTuple, Protocol

from orchestration.contracts.graph import Concept, Extraction
from orchestration.records import DocumentKey

__all__ = ["ConceptNode", "GraphSnapshot", "GraphSnapshots", "SnapshotDocument"]


class ConceptNode(NamedTuple):
    """A concept with all that its mentions say of it."""

    concept: Concept
    keys: tuple[str, ...]
    """All keys that aliases make one concept, the canonical one first."""
    names: tuple[str, ...]
    """Names of its visible mentions, its own name first, the others in order."""
    identifiers: tuple[str, ...]
    """Further identifiers that mentions have, in order."""


class SnapshotDocument(NamedTuple):
    """A visible document with its part of the graph."""

    key: DocumentKey
    version: str
    fingerprint: str
    title: str | None
    year: int | None
    study_type: str | None
    retracted: bool
    extraction: Extraction
    canonical: dict[str, str]
    """Canonical key by the key of each mention."""


class GraphSnapshot(Protocol):
    """The graph at one moment.

    Guarantees: all calls see the same graph, whatever is committed meanwhile; each iterates from the start.
    Errors: UnavailableError, StoreCorruptError. For one thread.
    """

    def count(self) -> int:
        """Return the number of documents."""
        ...

    def concepts(self) -> Iterator[ConceptNode]:
        """Iterate over concepts by their key in order."""
        ...

    def documents(self) -> Iterator[SnapshotDocument]:
        """Iterate over documents by source and id in order."""
        ...


class GraphSnapshots(Protocol):
    """Opens snapshots: a part of the ledger."""

    def open(self, tenant_id: str) -> AbstractContextManager[GraphSnapshot]:
        """The visible graph as of now, whatever is committed until the context ends."""
        ...
