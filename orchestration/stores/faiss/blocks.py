"""Vectors that are searched together: a block of segments, immutable, with what its rows stand for.

Comes in: a generation of the derived index, or segments that are newer than it. Leaves: the best rows of a
block, exactly scored. A block of new segments grows by making another one, which shares its memory.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from orchestration.contracts import ChunkRef, Filters
from orchestration.records import DocumentKey, Float32Matrix
from orchestration.stores.faiss.approximate import Approximate
from orchestration.stores.faiss.derived import Derived
from orchestration.stores.faiss.rows import Rows, joined
from orchestration.stores.faiss.segments import SUFFIX, Mark, Segment

__all__ = ["BlockSearch", "VectorBlock", "block_of", "grown", "reduced"]

LEAST_CAPACITY: Final = 1_024
MOST_CANDIDATES: Final = 2_000
"""So many hits, or more, are looked for exactly: a graph asked for more is no faster."""

Scored = tuple[npt.NDArray[np.float32], npt.NDArray[np.int64]]
"""Scores and rows, best first."""


@dataclass(frozen=True, slots=True)
class VectorBlock:
    """Segments one after another: their marks, where each ends, rows and float32 [n, d]."""

    segments: tuple[Mark, ...]
    ends: npt.NDArray[np.int64]
    rows: Rows
    dense: Float32Matrix
    approximate: Approximate | None = None
    present: npt.NDArray[np.bool_] | None = None
    gpu: Callable[[npt.NDArray[np.float32], int], npt.NDArray[np.int64]] | None = None

    def allowed(self, filters: Filters) -> npt.NDArray[np.bool_] | None:
        """The rows that are still there and match; None for all."""
        matching = self.rows.matching(filters)
        if matching is None or self.present is None:
            return self.present if matching is None else matching
        return matching & self.present

    def refs(self, tenant_id: str, numbers: npt.NDArray[np.int64]) -> Iterator[ChunkRef]:
        """What these rows stand for, in this order."""
        segments = self.ends.searchsorted(numbers, side="right").tolist()
        for segment, (source, doc_id, chunk_id) in zip(segments, self.rows.ids(numbers), strict=True):
            key = DocumentKey(tenant_id=tenant_id, source=source, doc_id=doc_id)
            yield ChunkRef(key, self.segments[segment][0].removesuffix(SUFFIX), chunk_id)


class BlockSearch:
    """One query to one block: exact where few rows may be hits, or where many hits are asked for."""

    def __init__(
        self, block: VectorBlock, query: npt.NDArray[np.float32], filters: Filters, exact_rows: int
    ) -> None:
        self._block = block
        self._query = query
        self._allowed = block.allowed(filters)
        self.most = len(block.dense) if self._allowed is None else int(self._allowed.sum())
        self._approximate = block.approximate if self.most > exact_rows else None
        self._scored: Scored | None = None

    def best(self, count: int) -> Scored:
        """The `count` best allowed rows; fewer only if there are no more."""
        count = min(count, self.most)
        if self._scored is None and count < MOST_CANDIDATES:
            candidates = self._candidates(count)
            if candidates is not None and len(candidates) >= count:
                return _first(self._block.dense[candidates] @ self._query, candidates, count)
        return _first(*self._exact(), count)

    def _candidates(self, count: int) -> npt.NDArray[np.int64] | None:
        """Rows among which the best are; None where they are to be found exactly."""
        if self._block.gpu is not None and self._allowed is None:
            return self._block.gpu(self._query, count)
        if self._approximate is None:
            return None
        return self._approximate.candidates(self._query, count, self._allowed)

    def _exact(self) -> Scored:
        """Every allowed row with its score, unordered; computed once."""
        if self._scored is None:
            dense = self._block.dense
            if self._allowed is None:
                self._scored = dense @ self._query, np.arange(len(dense))
            elif 2 * self.most > len(dense):
                rows = np.flatnonzero(self._allowed)
                self._scored = (dense @ self._query)[rows], rows
            else:
                rows = np.flatnonzero(self._allowed)
                self._scored = dense[rows] @ self._query, rows
        return self._scored


def block_of(derived: Derived, present: set[Mark], previous: VectorBlock | None) -> VectorBlock:
    """A generation without the rows of segments that are gone; `previous`: the block it was before."""
    marks, counts = derived.manifest.segments, derived.manifest.counts
    is_present = np.array([mark in present for mark in marks], dtype=np.bool_)
    return VectorBlock(
        marks,
        np.cumsum(counts, dtype=np.int64),
        derived.rows,
        derived.dense,
        derived.approximate,
        None if is_present.all() else np.repeat(is_present, counts),
        None if previous is None else previous.gpu,
    )


def grown(block: VectorBlock | None, new: Sequence[tuple[Mark, Segment]]) -> VectorBlock:
    """A block with these segments after its own; only the newest of a line of blocks may grow."""
    old = 0 if block is None else len(block.dense)
    counts = [len(segment.rows) for _, segment in new]
    total = old + sum(counts)
    dense = _with_room(block, total, new[0][1].dense.shape[1])
    end = old
    for (_, segment), count in zip(new, counts, strict=True):
        dense[end : end + count] = segment.dense
        end += count
    rows = [segment.rows for _, segment in new]
    return VectorBlock(
        (*(() if block is None else block.segments), *(mark for mark, _ in new)),
        np.concatenate([[] if block is None else block.ends, old + np.cumsum(counts)]).astype(np.int64),
        joined(rows if block is None else [block.rows, *rows]),
        dense,
    )


def reduced(block: VectorBlock, present: set[Mark]) -> VectorBlock | None:
    """The block without its absent segments; None when none is present."""
    is_present = np.array([mark in present for mark in block.segments], dtype=np.bool_)
    if is_present.all():
        return block
    if not is_present.any():
        return None
    counts = np.diff(block.ends, prepend=0)
    rows = np.flatnonzero(np.repeat(is_present, counts))
    marks = tuple(mark for mark, stays in zip(block.segments, is_present, strict=True) if stays)
    return VectorBlock(
        marks, np.cumsum(counts[is_present]), block.rows.taken(rows.tolist()), block.dense[rows]
    )


def _with_room(block: VectorBlock | None, rows: int, dimensions: int) -> Float32Matrix:
    """float32 [rows, dimensions] that begins with the block's vectors, in its own memory while that lasts."""
    if block is not None:
        memory = block.dense.base
        if isinstance(memory, np.ndarray) and memory.shape[0] >= rows and memory.shape[1:] == (dimensions,):
            return memory[:rows]
    room = np.empty((max(LEAST_CAPACITY, 2 * rows), dimensions), dtype=np.float32)
    if block is not None:
        room[: len(block.dense)] = block.dense
    return room[:rows]


def _first(scores: npt.NDArray[np.float32], rows: npt.NDArray[np.int64], count: int) -> Scored:
    """The best `count`; equal scores in the order of rows."""
    if count < len(rows):
        best = np.argpartition(-scores, count)[:count]
        scores, rows = scores[best], rows[best]
    order = np.lexsort((rows, -scores))
    return scores[order], rows[order]
