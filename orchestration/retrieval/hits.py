"""Hits: fused candidates as chunks with their text, their position and the words that match.

Comes in: a fused ranking and a way to read chunks. Leaves: the best chunks, or the best chunk of each of the
best documents.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from orchestration.batching import batched
from orchestration.contracts import Candidate, ChunkRef
from orchestration.records import Chunk, DocumentKey
from orchestration.retrieval.highlights import highlights

__all__ = ["Hit", "Match", "ReadChunks", "SearchResult", "best_of_each_document", "every_chunk", "hits_of"]

ReadChunks = Callable[[Sequence[ChunkRef]], Sequence[Chunk | None]]
"""Reads chunks in the order of refs; None for one that no longer exists."""


@dataclass(frozen=True, slots=True)
class Hit:
    """One chunk that answers the query, and its position."""

    rank: int
    score: float
    """The reranker's score if it scored this chunk, else the fusion's."""
    source: str
    chunk: Chunk
    legs: Mapping[str, int]
    """Rank in each leg that found it, from 1."""
    highlights: tuple[tuple[int, int], ...] = ()
    """Spans of the query's words: [start, end) in the document's text, sorted and disjoint."""
    further_chunks: int | None = None
    """Number of other candidates of its document, if hits are grouped by document."""

    def as_json(self) -> dict[str, Any]:
        """The stable JSON of `medkg search`; `further_chunks` only if hits are grouped by document."""
        chunk = self.chunk
        grouped = {} if self.further_chunks is None else {"further_chunks": self.further_chunks}
        return {
            "rank": self.rank,
            "score": round(self.score, 6),
            "chunk_id": chunk.chunk_id,
            "doc_id": chunk.doc_id,
            "title": chunk.title_path[0] if chunk.title_path else "",
            "section": chunk.section,
            "text": chunk.body,
            "start_char": chunk.start_char,
            "end_char": chunk.end_char,
            "source": self.source,
            "flags": list(chunk.metadata.get("flag", ())),
            "legs": dict(self.legs),
            "highlights": [list(span) for span in self.highlights],
            **grouped,
        }


@dataclass(frozen=True, slots=True)
class SearchResult:
    """The hits of one query, and how they came about."""

    hits: tuple[Hit, ...]
    degraded: tuple[str, ...]
    """Legs that failed or were too slow, so that they were left out or not queried as deep as needed;
    `rerank` if reranking failed, so that the ranking is the fusion's."""
    milliseconds: float


@dataclass(frozen=True, slots=True)
class Match:
    """A chunk that may become a hit."""

    ref: ChunkRef
    score: float
    further_chunks: int | None = None


def every_chunk(fused: Sequence[tuple[ChunkRef, float]]) -> list[Match]:
    """All chunks of a ranking."""
    return [Match(ref, score) for ref, score in fused]


def best_of_each_document(fused: Sequence[tuple[ChunkRef, float]]) -> list[Match]:
    """The first chunk of each document in a ranking, with the number of the document's other chunks in it."""
    of_document: dict[DocumentKey, list[tuple[ChunkRef, float]]] = {}
    for ref, score in fused:
        of_document.setdefault(ref.key, []).append((ref, score))
    return [Match(*chunks[0], len(chunks) - 1) for chunks in of_document.values()]


def hits_of(
    query: str,
    matches: Sequence[Match],
    legs: Mapping[str, Sequence[Candidate]],
    read: ReadChunks,
    top: int,
) -> list[Hit]:
    """The first `top` matches with their text; a passage that a document repeats is one hit."""
    chosen = _chosen(matches, read, top)
    ranks = {
        name: {candidate.ref: rank for rank, candidate in enumerate(candidates, start=1)}
        for name, candidates in legs.items()
    }
    marked = highlights(query, [chunk.body for _, chunk in chosen])
    return [
        Hit(
            rank=rank,
            score=match.score,
            source=match.ref.key.source,
            chunk=chunk,
            legs={name: of_leg[match.ref] for name, of_leg in ranks.items() if match.ref in of_leg},
            highlights=tuple((chunk.start_char + start, chunk.start_char + end) for start, end in spans),
            further_chunks=match.further_chunks,
        )
        for rank, ((match, chunk), spans) in enumerate(zip(chosen, marked, strict=True), start=1)
    ]


def _chosen(matches: Sequence[Match], read: ReadChunks, top: int) -> list[tuple[Match, Chunk]]:
    chosen: list[tuple[Match, Chunk]] = []
    passages: set[tuple[DocumentKey, str]] = set()
    for match, chunk in _with_text(matches, read, max(1, top)):
        if chunk is None:  # superseded and removed since the legs answered
            continue
        passage = match.ref.key, " ".join(chunk.body.split())
        if passage in passages:
            continue
        passages.add(passage)
        chosen.append((match, chunk))
        if len(chosen) == top:
            break
    return chosen


def _with_text(
    matches: Sequence[Match], read: ReadChunks, page_size: int
) -> Iterator[tuple[Match, Chunk | None]]:
    """Matches in order with their chunks, read page by page."""
    for page in batched(matches, page_size):
        yield from zip(page, read([match.ref for match in page]), strict=True)
