"""NarrowedLeg: a leg restricted to chunks that match a condition which no store can evaluate.

Comes in: a leg, a way to read chunks, and a condition. Leaves: matching candidates, best first, without gaps:
the leg is queried deeper until enough of its candidates match, or it has no more.
"""

from __future__ import annotations

from collections.abc import Callable

from orchestration.contracts import Candidate, Filters, Visible
from orchestration.records import Chunk, DocumentKey
from orchestration.retrieval.hits import ReadChunks
from orchestration.retrieval.legs import DEEPENING, Leg

__all__ = ["Matching", "NarrowedLeg"]

Matching = Callable[[DocumentKey, Chunk], bool]
"""Whether a chunk of a document may be a hit."""


class NarrowedLeg:
    """The candidates of another leg that match."""

    def __init__(self, leg: Leg, read: ReadChunks, matching: Matching) -> None:
        self.name = leg.name
        self._leg = leg
        self._read = read
        self._matching = matching

    def search(
        self, tenant_id: str, query: str, limit: int, filters: Filters, visible: Visible
    ) -> list[Candidate]:
        """The best `limit` matching candidates, or all if there are fewer."""
        matching: list[Candidate] = []
        checked, depth = 0, limit
        while True:
            candidates = self._leg.search(tenant_id, query, depth, filters, visible)
            matching += self._matches(candidates[checked:])
            if len(matching) >= limit or len(candidates) < depth:
                return matching[:limit]
            checked, depth = len(candidates), depth * DEEPENING

    def _matches(self, candidates: list[Candidate]) -> list[Candidate]:
        chunks = self._read([candidate.ref for candidate in candidates])
        return [
            candidate
            for candidate, chunk in zip(candidates, chunks, strict=True)
            if chunk is not None and self._matching(candidate.ref.key, chunk)
        ]
