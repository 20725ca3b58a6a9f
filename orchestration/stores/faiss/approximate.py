"""Approximate indexes of FAISS: which kind for which size, how they are built, tuned, opened and asked.

Comes in: float32 [n, d], mapped, by inner product. Leaves: numbers of rows that are likely to be the
nearest; the caller compares them with the exact vectors. Sources: FAISS wiki, "Guidelines to choose an
index"; Malkov & Yashunin 2018 (HNSW); Jégou et al. 2011 (IVF-PQ).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, Final, Literal

import numpy as np
import numpy.typing as npt

from orchestration.records import Float32Matrix
from orchestration.stores.faiss.sizes import IndexSizes

__all__ = ["Approximate", "Effort", "Kind", "built", "kind_for", "opened", "threads", "tuned"]

Kind = Literal["flat", "hnsw", "ivf-pq"]

NEIGHBOURS: Final = 16
"""M of HNSW: on 100,000 clustered vectors recall is that of 32, in two thirds of the time to build."""
CONSTRUCTION: Final = 60
GRAPH_BYTES: Final = 2 * NEIGHBOURS * 4 + 16
"""Links of a row and their share of the upper levels."""
BATCH: Final = 65_536
TRAINED_ON: Final = 64
"""Rows that each centroid is trained on."""
MEASURED_QUERIES: Final = 200
NEAREST: Final = 10
FIRST_EFFORT: Final[dict[Kind, int]] = {"hnsw": 32, "ivf-pq": 8}
WIDENINGS: Final = (2, 4, 16, 64, 256)
MOST_FILTERED: Final = 16
"""How many times the effort a filter may cost."""


@dataclass(frozen=True, slots=True)
class Effort:
    """How an index is asked: efSearch or nprobe, and candidates a hit that are compared exactly.

    recall: share of the ten exact nearest found so, over sampled queries, when it was built.
    """

    depth: int
    widening: int
    recall: float


@dataclass(frozen=True, slots=True)
class Approximate:
    """A mapped FAISS index with the effort that its recall needs; thread-safe."""

    index: Any
    kind: Kind
    effort: Effort

    def candidates(
        self, query: npt.NDArray[np.float32], count: int, allowed: npt.NDArray[np.bool_] | None
    ) -> npt.NDArray[np.int64]:
        """Rows (int64) among which the `count` nearest allowed ones likely are; unordered."""
        wanted = min(count * self.effort.widening, self.index.ntotal)
        if allowed is None:
            options = _of_all(self.kind, self.effort.depth, wanted)
        else:
            harder = min(MOST_FILTERED, -(-len(allowed) // max(1, int(allowed.sum()))))
            options = _parameters(self.kind, self.effort.depth * harder, wanted, _only(allowed))
        _, rows = self.index.search(query.reshape(1, -1), wanted, params=options)
        nearest: npt.NDArray[np.int64] = rows[0][rows[0] >= 0]
        return nearest


def kind_for(rows: int, dimensions: int, sizes: IndexSizes) -> Kind:
    """Exact as long as that is fast; a graph over 8-bit codes while it fits; else product quantisation."""
    if rows <= sizes.exact_rows:
        return "flat"
    return "hnsw" if rows * (dimensions + GRAPH_BYTES) <= sizes.memory_bytes else "ivf-pq"


@contextmanager
def threads(count: int) -> Iterator[None]:
    """FAISS uses so many threads in what this thread asks of it."""
    faiss = _faiss()
    before = faiss.omp_get_max_threads()
    faiss.omp_set_num_threads(count)
    try:
        yield
    finally:
        faiss.omp_set_num_threads(before)


def built(kind: Kind, dense: Float32Matrix, extends: Path | None) -> Any:
    """A FAISS index of all rows; `extends`: the file of one that has the first of them already."""
    faiss = _faiss()
    index = faiss.read_index(str(extends)) if extends is not None else _empty(kind, dense)
    for start in range(index.ntotal, len(dense), BATCH):
        index.add(np.ascontiguousarray(dense[start : start + BATCH]))
    return index


def opened(path: Path) -> Any:
    """The index in the file, mapped. A damaged file may end the process: check it before."""
    faiss = _faiss()
    return faiss.read_index(str(path), faiss.IO_FLAG_MMAP_IFC)


def tuned(index: Any, kind: Kind, dense: Float32Matrix, target: float) -> Effort:
    """The least effort with which sampled queries reach the target, or all there is.

    Two kinds of queries, of which the harder counts: rows themselves, and rows with noise of half their
    length, which no list or neighbourhood was built from.
    """
    faiss = _faiss()
    random = np.random.default_rng(0)
    sample = dense[np.sort(random.choice(len(dense), min(MEASURED_QUERIES, len(dense)), replace=False))]
    noise = random.standard_normal(sample.shape).astype(np.float32)
    noise *= 0.5 * np.linalg.norm(sample, axis=1, keepdims=True) / np.sqrt(dense.shape[1])
    queries = np.concatenate([sample, sample + noise])
    nearest = min(NEAREST, len(dense))
    exact, _ = faiss.knn(queries, dense, nearest, metric=faiss.METRIC_INNER_PRODUCT)
    return _least_effort(
        kind, len(dense), target, lambda effort: _recall(index, kind, effort, queries, dense, exact)
    )


def _least_effort(kind: Kind, rows: int, target: float, recall: Callable[[Effort], float]) -> Effort:
    best = Effort(0, 0, -1.0)
    for widening in WIDENINGS:
        depth, before = FIRST_EFFORT[kind], -1.0
        while True:
            reached = recall(Effort(depth, widening, 0.0))
            if reached > best.recall:
                best = Effort(depth, widening, reached)
            if best.recall >= target:
                return best
            if depth >= rows or (reached - before < 0.001 and target < 1):
                break
            depth, before = 2 * depth, reached
        if widening * NEAREST >= rows:
            break
    return best


def _recall(
    index: Any,
    kind: Kind,
    effort: Effort,
    queries: Float32Matrix,
    dense: Float32Matrix,
    exact: npt.NDArray[np.float32],
) -> float:
    """Share of the nearest found, of the harder half of the queries; by score, for vectors may be equal."""
    approximate = Approximate(index, kind, effort)
    count = exact.shape[1]
    shares = []
    for query, scores in zip(queries, exact, strict=True):
        similarities = dense[approximate.candidates(query, count, None)] @ query
        enough = scores[-1] - 1e-5 * abs(scores[-1])
        shares.append(min(int((similarities >= enough).sum()), count) / count)
    return float(np.mean(np.split(np.array(shares), 2), axis=1).min())


def _empty(kind: Kind, dense: Float32Matrix) -> Any:
    """A trained index without rows."""
    faiss = _faiss()
    rows, dimensions = dense.shape
    if kind == "hnsw":
        index: Any = faiss.IndexHNSWSQ(
            dimensions, faiss.ScalarQuantizer.QT_8bit, NEIGHBOURS, faiss.METRIC_INNER_PRODUCT
        )
        index.hnsw.efConstruction = CONSTRUCTION
    else:
        lists = max(1, min(int(4 * np.sqrt(rows)), rows // TRAINED_ON))
        bits = min(8, int(np.log2(rows)))
        parts = next(parts for parts in range(max(1, dimensions // 4), 0, -1) if not dimensions % parts)
        index = faiss.index_factory(dimensions, f"IVF{lists},PQ{parts}x{bits}", faiss.METRIC_INNER_PRODUCT)
        index.cp.min_points_per_centroid = 1
        index.pq.cp.min_points_per_centroid = 1
    most = TRAINED_ON * max(256, getattr(index, "nlist", 0))
    chosen = np.random.default_rng(0).choice(rows, min(rows, most), replace=False)
    index.train(np.ascontiguousarray(dense[np.sort(chosen)]))
    return index


def _faiss() -> Any:
    """FAISS, whose annotations leave out most of it; not imported before it is needed."""
    import faiss

    return faiss


@lru_cache
def _of_all(kind: Kind, depth: int, wanted: int) -> Any:
    """Making them takes a seventh of a search."""
    return _parameters(kind, depth, wanted, None)


def _parameters(kind: Kind, depth: int, wanted: int, selector: Any) -> Any:
    faiss = _faiss()
    if kind == "hnsw":
        return faiss.SearchParametersHNSW(sel=selector, efSearch=max(depth, wanted))
    return faiss.SearchParametersIVF(sel=selector, nprobe=depth)


def _only(allowed: npt.NDArray[np.bool_]) -> Any:
    """FAISS's selector of these rows alone; keeps what it was made of."""
    faiss = _faiss()
    selector: Any = faiss.IDSelectorBitmap
    return selector(np.packbits(allowed, bitorder="little"))
