"""The vectors of one model in memory: an exact FAISS index over segment files, kept current.

Comes in: a folder of segments. Leaves: the nearest chunks. A refresh takes up new segments and drops
those that are gone; what is loaded stays. Everything here can be made anew from the files.
"""

from __future__ import annotations

import os
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from orchestration.contracts import Candidate, ChunkRef, Facets, Filters, Visible
from orchestration.errors import ConfigurationError
from orchestration.records import DocumentKey
from orchestration.stores.faiss.segments import SUFFIX, Segment, read_segment

__all__ = ["VectorIndex"]

Mark = tuple[str, int, int]
"""File name, inode and time of change: a segment written anew is another one."""

SETTLED_NANOSECONDS: Final = 1_000_000_000
"""A folder changed longer ago than this has a time that tells any further change."""

DEEPER: Final = 4
"""How many times more is asked for when too little of what was found may be seen."""


@dataclass(frozen=True, slots=True)
class _Loaded:
    mark: Mark
    rows: int


class VectorIndex:
    """Exact inner product over a folder's segments; thread-safe."""

    def __init__(self, tenant_id: str, folder: Path) -> None:
        self._tenant_id = tenant_id
        self._folder = folder
        self._lock = threading.Lock()
        self._segments: list[_Loaded] = []
        self._refs: list[ChunkRef] = []
        self._facets: list[Facets] = []
        self._faiss: Any = None
        self._folder_changed = 0
        self._scanned = 0

    def search(
        self, query: npt.NDArray[np.float32], limit: int, filters: Filters, visible: Visible
    ) -> list[Candidate]:
        """Best first; raises StoreCorruptError for a damaged segment."""
        with self._lock:
            self._refresh()
            if not self._refs or limit < 1:
                return []
            self._check_dimensions(query)
            return self._searched(query.reshape(1, -1).astype(np.float32), limit, filters, visible)

    def _searched(
        self, query: npt.NDArray[np.float32], limit: int, filters: Filters, visible: Visible
    ) -> list[Candidate]:
        allowed = self._allowed(filters)
        options = None if allowed is None else _only(allowed)
        most = len(self._refs) if allowed is None else int(allowed.sum())
        depth = min(2 * limit, most)
        while depth:
            scores, numbers = self._faiss.search(query, depth, params=options)
            found = [
                Candidate(self._refs[number], float(score))
                for score, number in zip(scores[0], numbers[0], strict=True)
                if number >= 0 and visible(self._refs[number])
            ]
            if len(found) >= limit or depth == most:
                return found[:limit]
            depth = min(DEEPER * depth, most)
        return []

    def _allowed(self, filters: Filters) -> npt.NDArray[np.bool_] | None:
        """Which rows match the filters; None when there are none."""
        if not filters.wanted and filters.days is None:
            return None
        matching = (filters.matches(facets) for facets in self._facets)
        return np.fromiter(matching, dtype=np.bool_, count=len(self._facets))

    def _check_dimensions(self, query: npt.NDArray[np.float32]) -> None:
        if query.size != self._faiss.d:
            raise ConfigurationError(
                f"the query's vector has {query.size} dimensions, those in {self._folder} have "
                f"{self._faiss.d}. Search with the model that indexed them, or ingest again."
            )

    # --- keeping current ----------------------------------------------------------------------------

    def _refresh(self) -> None:
        """Take up new segments, drop those that are gone."""
        present = self._present()
        if present is None:
            return
        self._drop([number for number, one in enumerate(self._segments) if one.mark not in present])
        loaded = {one.mark for one in self._segments}
        for mark in sorted(present - loaded):
            try:
                segment = read_segment(self._folder / mark[0])
            except FileNotFoundError:  # discarded by another process just now
                continue
            self._add(mark, segment)

    def _present(self) -> set[Mark] | None:
        """The segments in the folder; None when it certainly has not changed since the last look."""
        now = time.time_ns()
        try:
            changed = self._folder.stat().st_mtime_ns
            if changed == self._folder_changed and self._scanned - changed > SETTLED_NANOSECONDS:
                return None
            with os.scandir(self._folder) as entries:
                present = {_mark(entry) for entry in entries if entry.name.endswith(SUFFIX)}
        except FileNotFoundError:
            return set()
        self._folder_changed, self._scanned = changed, now
        return {mark for mark in present if mark is not None}

    def _add(self, mark: Mark, segment: Segment) -> None:
        import faiss

        if self._faiss is None:
            self._faiss = faiss.IndexFlatIP(segment.dense.shape[1])
        if segment.dense.shape[1] != self._faiss.d:
            raise ConfigurationError(
                f"vector segment {self._folder / mark[0]} has {segment.dense.shape[1]} dimensions, its "
                f"neighbours {self._faiss.d}: two models share one id. Give them two, and ingest again."
            )
        self._faiss.add(np.ascontiguousarray(segment.dense, np.float32))
        intent_id = mark[0].removesuffix(SUFFIX)
        keys: dict[tuple[str, str], DocumentKey] = {}
        for source, doc_id, chunk_id, facets in segment.rows:
            key = keys.get((source, doc_id))
            if key is None:
                key = DocumentKey(tenant_id=self._tenant_id, source=source, doc_id=doc_id)
                keys[(source, doc_id)] = key
            self._refs.append(ChunkRef(key, intent_id, chunk_id))
            self._facets.append(facets)
        self._segments.append(_Loaded(mark, len(segment.rows)))

    def _drop(self, gone: list[int]) -> None:
        """Forget these segments' rows; FAISS keeps the order of the others."""
        if not gone:
            return
        import faiss

        ends = np.cumsum([one.rows for one in self._segments])
        keep = np.ones(len(self._refs), dtype=np.bool_)
        for number in gone:
            keep[ends[number] - self._segments[number].rows : ends[number]] = False
        self._faiss.remove_ids(faiss.IDSelectorBatch(np.flatnonzero(~keep)))
        kept = np.flatnonzero(keep)
        self._refs = [self._refs[row] for row in kept]
        self._facets = [self._facets[row] for row in kept]
        forgotten = set(gone)
        self._segments = [one for number, one in enumerate(self._segments) if number not in forgotten]


def _only(allowed: npt.NDArray[np.bool_]) -> Any:
    """FAISS search parameters for these rows alone; keeps what it was made of."""
    import faiss

    selector: Any = faiss.IDSelectorBitmap
    parameters: Any = faiss.SearchParameters
    return parameters(sel=selector(np.packbits(allowed, bitorder="little")))


def _mark(entry: os.DirEntry[str]) -> Mark | None:
    try:
        status = entry.stat()
    except FileNotFoundError:  # discarded by another process just now
        return None
    return entry.name, status.st_ino, status.st_mtime_ns
