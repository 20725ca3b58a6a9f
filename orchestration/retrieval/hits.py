"""Hits: fused candidates as chunks with their text, their place and the words that match.

Comes in: a fused ranking and a way to read chunks. Leaves: the best chunks, or the best chunk of each of the
best documents.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from orchestration.contracts import Candidate, ChunkRef
from orchestration.records import Chunk, DocumentKey
from orchestration.retrieval.highlights import highlights

__all__ = ["Found", "Hit", "Match", "ReadChunks", "best_of_each_document", "every_chunk", "hits_of"]

ReadChunks = Callable[[Sequence[ChunkRef]], Sequence[Chunk | None]]
"""Chunks in the order of refs; None for one that is gone."""


@dataclass(frozen=True, slots=True)
class Hit:
    """One chunk that answers, and where it stands."""

    rank: int
    score: float
    """The fusion's, or the reranker's of what it scored."""
    source: str
    chunk: Chunk
    legs: Mapping[str, int]
    """Rank in each leg that found it, from 1."""
    highlights: tuple[tuple[int, int], ...] = ()
    """Words of the query in it: [start, end) in the document's text, sorted and disjoint."""
    further_chunks: int | None = None
    """Other candidates of its document, if hits are grouped by document."""

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
class Found:
    """The answer to one question."""

    hits: tuple[Hit, ...]
    degraded: tuple[str, ...]
    """Legs that failed or were too slow: left out, or not asked as deep as documents were wanted; `rerank`
    if the ranking is the fusion's for that reason."""
    milliseconds: float


@dataclass(frozen=True, slots=True)
class Match:
    """A chunk that may become a hit."""

    ref: ChunkRef
    score: float
    further_chunks: int | None = None


def every_chunk(fused: Sequence[tuple[ChunkRef, float]]) -> list[Match]:
    """All of a ranking."""
    return [Match(ref, score) for ref, score in fused]


def best_of_each_document(fused: Sequence[tuple[ChunkRef, float]]) -> list[Match]:
    """The first chunk of each document in a ranking, with the number of its others there."""
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
    """The first `top` with their text; of passages with the same words in one document, the first alone."""
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
    told: set[tuple[DocumentKey, str]] = set()
    for match, chunk in _with_text(matches, read, max(1, top)):
        if chunk is None:  # superseded and removed since the legs answered
            continue
        passage = match.ref.key, " ".join(chunk.body.split())
        if passage in told:
            continue
        told.add(passage)
        chosen.append((match, chunk))
        if len(chosen) == top:
            break
    return chosen


def _with_text(
    matches: Sequence[Match], read: ReadChunks, page_size: int
) -> Iterator[tuple[Match, Chunk | None]]:
    """Matches in order with their chunks, read a page at a time."""
    for start in range(0, len(matches), page_size):
        page = matches[start : start + page_size]
        yield from zip(page, read([match.ref for match in page]), strict=True)
