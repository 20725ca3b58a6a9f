"""The graph leg: chunks where concepts of the question are mentioned and joined by claims.

Input: a query. Output: visible candidates, best first. Concepts are recognised by name, the longest first. A
chunk gets the weight of the concepts that it mentions, and half of it again for those that a claim joins
there to another one; of the concepts that only the rest of its document mentions it gets a quarter.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from typing import Final

from orchestration.contracts import (
    Candidate,
    ChunkRef,
    Filters,
    GraphReader,
    MentioningDocument,
    SearchStore,
    Visible,
    chunk_facets,
)
from orchestration.records import Chunk

__all__ = ["GRAPH", "GraphLeg", "Recognise", "recognised"]

GRAPH: Final = "graph"
MOST_WORDS: Final = 6
"""Of a name that is recognised."""

DOCUMENTS: Final = 50
"""Documents whose chunks are candidates, the best ones."""

IN_CLAIM: Final = 0.5
ELSEWHERE: Final = 0.25

_WORD: Final = re.compile(r"\w+(?:[-'’.]\w+)*")

Recognise = Callable[[Sequence[str]], Mapping[str, Collection[str]]]
"""Returns the concepts of names; names of none are left out."""


class GraphLeg:
    """Chunks that mention concepts of the query."""

    name = GRAPH

    def __init__(self, graph: GraphReader, store: SearchStore, recognise: Callable[[str], Recognise]) -> None:
        """`recognise`: of a tenant."""
        self._graph = graph
        self._store = store
        self._recognise = recognise

    def search(
        self, tenant_id: str, query: str, limit: int, filters: Filters, visible: Visible
    ) -> list[Candidate]:
        """Candidates by their concepts; none for a query that names no concept."""
        concepts = recognised(query, self._recognise(tenant_id))
        if not concepts:
            return []
        candidates: list[Candidate] = []
        for document in self._graph.documents_on(tenant_id, concepts, DOCUMENTS):
            candidates += self._chunks(document, filters, visible)
        candidates.sort(key=lambda each: (-each.score, each.ref.chunk_id))
        return candidates[:limit]

    def _chunks(
        self, document: MentioningDocument, filters: Filters, visible: Visible
    ) -> Iterator[Candidate]:
        everywhere = sum({each.concept: each.weight for each in document.places}.values())
        for chunk in self._store.document_chunks(document.key, document.intent_id):
            ref = ChunkRef(document.key, document.intent_id, chunk.chunk_id)
            score = _score(document, chunk, everywhere)
            if score and visible(ref) and filters.matches(chunk_facets(document.key, chunk)):
                yield Candidate(ref, score)


def recognised(query: str, recognise: Recognise) -> frozenset[str]:
    """Concepts of the longest names in a query; names do not overlap."""
    words = [match.span() for match in _WORD.finditer(query)]
    spans = {
        (first, last): query[words[first][0] : words[last - 1][1]]
        for first in range(len(words))
        for last in range(first + 1, min(first + MOST_WORDS, len(words)) + 1)
    }
    named = recognise(list(dict.fromkeys(spans.values())))
    concepts: set[str] = set()
    taken: set[int] = set()
    for (first, last), name in sorted(spans.items(), key=lambda each: (each[0][0] - each[0][1], each[0][0])):
        if name in named and taken.isdisjoint(range(first, last)):
            taken.update(range(first, last))
            concepts.update(named[name])
    return frozenset(concepts)


def _score(document: MentioningDocument, chunk: Chunk, everywhere: float) -> float:
    """0 for a chunk without a mention."""
    inside = [
        each
        for each in document.places
        if chunk.start_char <= each.start_char and each.end_char <= chunk.end_char
    ]
    here = sum({each.concept: each.weight for each in inside}.values())
    claimed = sum({each.concept: each.weight for each in inside if each.in_claim}.values())
    return here + IN_CLAIM * claimed + ELSEWHERE * (everywhere - here) if here else 0.0
