"""A leg that finds only chunks that match, where no store can be asked for that.

Comes in: a leg, a way to read chunks, and a test. Leaves: candidates, best first, none left out: the leg is
asked deeper until enough of what it finds match, or it has no more.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from orchestration.contracts import Candidate, Filters, Visible
from orchestration.records import Chunk, DocumentKey
from orchestration.retrieval.hits import ReadChunks
from orchestration.retrieval.legs import Leg

__all__ = ["Matching", "NarrowedLeg"]

Matching = Callable[[DocumentKey, Chunk], bool]
"""Whether a chunk of a document may be a hit."""

DEEPER: Final = 4
"""How many times as many candidates are asked for when too few match."""


class NarrowedLeg:
    """Another leg's candidates that match."""

    def __init__(self, leg: Leg, read: ReadChunks, matching: Matching) -> None:
        self.name = leg.name
        self._leg = leg
        self._read = read
        self._matching = matching

    def search(
        self, tenant_id: str, query: str, limit: int, filters: Filters, visible: Visible
    ) -> list[Candidate]:
        """The best `limit` that match, or all there are."""
        found: list[Candidate] = []
        looked, depth = 0, limit
        while True:
            candidates = self._leg.search(tenant_id, query, depth, filters, visible)
            found += self._matches(candidates[looked:])
            if len(found) >= limit or len(candidates) < depth:
                return found[:limit]
            looked, depth = len(candidates), depth * DEEPER

    def _matches(self, candidates: list[Candidate]) -> list[Candidate]:
        chunks = self._read([candidate.ref for candidate in candidates])
        return [
            candidate
            for candidate, chunk in zip(candidates, chunks, strict=True)
            if chunk is not None and self._matching(candidate.ref.key, chunk)
        ]
