"""From which sizes on vectors are searched how: bounds that the store's maker may set, tests do."""

from __future__ import annotations

import os
from dataclasses import dataclass, field

__all__ = ["IndexSizes"]


@dataclass(frozen=True, slots=True)
class IndexSizes:
    """Bounds of exact search, memory and quality of one namespace's index.

    exact_rows: so many rows, or fewer, are always searched exactly.
    memory_bytes: what a graph (HNSW) may take; beyond it vectors are quantised by product (IVF-PQ).
    recall: share of the ten nearest that must be found, measured when an index is built.
    build_rows: so many rows must be new or gone before an index is built, and
    build_share: such a share of those that it covers.
    build_threads: of a build; searches have the other cores.
    gpu: whether vectors that do not change are kept on a GPU as well, if FAISS has one. Every process that
    searches keeps its own copy there, beside the models; so it is off unless asked for.
    """

    exact_rows: int = 50_000
    memory_bytes: int = 2 << 30
    recall: float = 0.95
    build_rows: int = 2_000
    build_share: float = 0.1
    build_threads: int = field(default_factory=lambda: max(1, (os.cpu_count() or 1) // 2))
    gpu: bool = False
