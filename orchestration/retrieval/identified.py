"""Documents that a query names by an identifier come first, whatever the legs find.

Comes in: the query's identifiers, a search store, a ranking. Leaves: the ranking with the best chunk of
each named document on top.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from orchestration.contracts import ChunkRef
from orchestration.records import DocumentKey
from orchestration.retrieval.hits import Match, ReadChunks
from orchestration.retrieval.narrowing import Matching

__all__ = ["IDENTIFIERS", "identified_first", "matching_refs"]

IDENTIFIERS: Final = "identifiers"
"""Name of the look-up, as a leg's, where it is late or fails."""


def matching_refs(refs: list[ChunkRef], read: ReadChunks, matching: Matching | None) -> list[ChunkRef]:
    """The chunks that may be hits."""
    if matching is None:
        return refs
    chunks = read(refs)
    return [
        ref for ref, chunk in zip(refs, chunks, strict=True) if chunk is not None and matching(ref.key, chunk)
    ]


def identified_first(matches: Sequence[Match], refs: Sequence[ChunkRef], *, group: bool) -> list[Match]:
    """The matches, before them the best chunk of each document of `refs`: as ranked, else its first.

    Its score is at least the best of all, so that scores still fall.
    """
    if not refs:
        return list(matches)
    of_document: dict[DocumentKey, list[ChunkRef]] = {}
    for ref in refs:
        of_document.setdefault(ref.key, []).append(ref)
    best: dict[DocumentKey, Match] = {}
    for match in matches:
        if match.ref.key in of_document:
            best.setdefault(match.ref.key, match)
    for key, chunks in of_document.items():
        best.setdefault(key, Match(chunks[0], 0.0, len(chunks) - 1 if group else None))
    first = [best[key] for key in of_document]
    top = max((match.score for match in matches), default=0.0)
    named = {id(match) for match in first}
    return [
        *(replace(match, score=top) for match in first),
        *(match for match in matches if id(match) not in named),
    ]
