"""The vectors of one model as searches see them: the derived index, and what is newer than it, exactly.

Comes in: a folder of segments. Leaves: the nearest chunks. A refresh takes up new segments, leaves out those
that are gone, and takes over a newer generation of the derived index, which is read beside the searches.
Everything here can be made again from the files.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt
import structlog

from orchestration.contracts import Candidate, Filters, Visible
from orchestration.errors import ConfigurationError, StoreCorruptError
from orchestration.stores.deepening import deeper
from orchestration.stores.faiss.blocks import BlockSearch, VectorBlock, block_of, grown, reduced
from orchestration.stores.faiss.derived import Derived, build, load, manifest_mark, set_aside
from orchestration.stores.faiss.gpu import nearest_on_gpu
from orchestration.stores.faiss.segments import Mark, Segment, marks_in, read_segment
from orchestration.stores.faiss.sizes import IndexSizes

__all__ = ["VectorIndex"]

SETTLED_NANOSECONDS: Final = 1_000_000_000
"""A folder changed longer ago than this has a time that any further change alters."""

logger = structlog.get_logger(__name__)


class VectorIndex:
    """The best by inner product over a folder's segments; thread-safe."""

    def __init__(self, tenant_id: str, folder: Path, sizes: IndexSizes) -> None:
        self._tenant_id = tenant_id
        self._folder = folder
        self._place = str(folder)
        self._sizes = sizes
        self._lock = threading.Lock()
        self._derived: Derived | None = None
        self._generation: Mark | None = None
        self._loading: threading.Thread | None = None
        self._old: VectorBlock | None = None
        self._new: VectorBlock | None = None
        self._present: set[Mark] | None = None
        self._folder_changed = 0
        self._scanned = 0

    def search(
        self, query: npt.NDArray[np.float32], limit: int, filters: Filters, visible: Visible
    ) -> list[Candidate]:
        """Best first; raises StoreCorruptError for a damaged segment."""
        with self._lock:
            self._refresh()
            blocks = [block for block in (self._old, self._new) if block is not None]
        if not blocks or limit < 1:
            return []
        self._check_dimensions(query, blocks[0])
        vector = query.reshape(-1).astype(np.float32)
        questions = [BlockSearch(block, vector, filters, self._sizes.exact_rows) for block in blocks]
        return self._searched(blocks, questions, limit, visible)

    def compact(self, *, forget: bool) -> bool:
        """Build the derived index if it is due, and take it up; whether one was built."""
        if not build(self._folder, self._sizes, forget=forget):
            return False
        self._load(manifest_mark(self._folder))
        return True

    def _searched(
        self, blocks: list[VectorBlock], questions: list[BlockSearch], limit: int, visible: Visible
    ) -> list[Candidate]:
        """Go deeper until enough of the best may be seen."""
        most = sum(question.most for question in questions)
        depth = min(limit, most)
        while depth:
            candidates: list[Candidate] = []
            for candidate in self._merged(blocks, questions, depth, limit):
                if visible(candidate.ref):
                    candidates.append(candidate)
                    if len(candidates) == limit:
                        return candidates
            if depth == most:
                return candidates
            depth = deeper(depth, most)
        return []

    def _merged(
        self, blocks: list[VectorBlock], questions: list[BlockSearch], depth: int, step: int
    ) -> Iterator[Candidate]:
        """The best `depth` of all blocks, best first; looked up `step` at a time, as they are asked for."""
        best = [question.best(depth) for question in questions]
        if len(best) == 1:
            ((scores, rows),) = best
            for start in range(0, len(rows), step):
                refs = blocks[0].refs(self._tenant_id, rows[start : start + step])
                yield from map(Candidate, refs, scores[start : start + step].tolist())
            return
        scores = np.concatenate([scores for scores, _ in best])
        rows = np.concatenate([rows for _, rows in best])
        of_block = np.repeat(np.arange(len(best)), [len(rows) for _, rows in best])
        order = np.argsort(-scores, kind="stable")[:depth]
        for start in range(0, len(order), step):
            part = order[start : start + step]
            by_block = [
                block.refs(self._tenant_id, rows[part[of_block[part] == number]])
                for number, block in enumerate(blocks)
            ]
            for place in part:
                yield Candidate(next(by_block[of_block[place]]), float(scores[place]))

    def _check_dimensions(self, query: npt.NDArray[np.float32], block: VectorBlock) -> None:
        dimensions = block.dense.shape[1]
        if query.size != dimensions:
            raise ConfigurationError(
                f"the query's vector has {query.size} dimensions, those in {self._folder} have "
                f"{dimensions}. Search with the model that indexed them, or ingest again."
            )

    # --- keeping current ----------------------------------------------------------------------------

    def _refresh(self) -> None:
        """Take up new segments, leave out those that are gone; see to a newer derived index."""
        mark = manifest_mark(self._folder)
        if mark != self._generation and self._loading is None:
            if self._present is None:  # nothing can be searched before it is loaded
                self._take_over(mark, self._read_derived())
            else:
                self._loading = threading.Thread(
                    target=self._load, args=(mark,), name="medkg-vector-index", daemon=True
                )
                self._loading.start()
        present = self._look()
        if present is not None and present != self._present:
            self._follow(present)

    def _load(self, mark: Mark | None) -> None:
        """Read a newer generation, then let searches use it."""
        try:
            derived = self._read_derived()
            with self._lock:
                self._take_over(mark, derived)
                if self._present is not None:
                    self._follow(self._present)
        finally:
            self._loading = None

    def _read_derived(self) -> Derived | None:
        try:
            return load(self._folder)
        except StoreCorruptError as error:
            logger.warning("vector_index_damaged", reason=error.message)
            set_aside(self._folder)
            return None

    def _take_over(self, mark: Mark | None, derived: Derived | None) -> None:
        self._generation, self._derived, self._old = mark, derived, None
        if derived is not None:
            block = block_of(derived, set(derived.manifest.segments), None)
            self._old = replace(block, gpu=nearest_on_gpu(block.dense)) if self._sizes.gpu else block

    def _follow(self, present: set[Mark]) -> None:
        """Make the blocks what is present; raises StoreCorruptError for a damaged segment."""
        covered: set[Mark] = set()
        if self._derived is not None:
            self._old = block_of(self._derived, present, self._old)
            covered = set(self._derived.manifest.segments)
        if self._new is not None:
            self._new = reduced(self._new, present - covered)
        loaded = set() if self._new is None else set(self._new.segments)
        taken: list[tuple[Mark, Segment]] = []
        self._present = None
        try:
            for mark in sorted(present - covered - loaded):
                try:
                    segment = read_segment(self._folder / mark[0])
                except FileNotFoundError:  # discarded by another process just now
                    continue
                self._check_segment(mark, segment, taken)
                taken.append((mark, segment))
        finally:
            if taken:
                self._new = grown(self._new, taken)
        self._present = present

    def _check_segment(self, mark: Mark, segment: Segment, taken: list[tuple[Mark, Segment]]) -> None:
        """Raises ConfigurationError when it cannot be searched together with its neighbours."""
        block = self._old or self._new
        neighbour = block.dense if block is not None else taken[0][1].dense if taken else segment.dense
        if segment.dense.shape[1] != neighbour.shape[1]:
            raise ConfigurationError(
                f"vector segment {self._folder / mark[0]} has {segment.dense.shape[1]} dimensions, its "
                f"neighbours {neighbour.shape[1]}: two models share one id. Give them two, and ingest again."
            )

    def _look(self) -> set[Mark] | None:
        """The segments in the folder; None when it certainly has not changed since the last look."""
        now = time.time_ns()
        try:
            changed = os.stat(self._place).st_mtime_ns  # noqa: PTH116 - every search asks
            settled = self._scanned - changed > SETTLED_NANOSECONDS
            if changed == self._folder_changed and settled and self._present is not None:
                return None
            present = marks_in(self._folder)
        except FileNotFoundError:
            return set()
        self._folder_changed, self._scanned = changed, now
        return present
