"""Exact search on a GPU, where FAISS was built for one and the store is configured to use it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import numpy as np
import numpy.typing as npt

from orchestration.records import Float32Matrix

__all__ = ["nearest_on_gpu"]

MOST: Final = 2_048
"""Hits that a GPU index gives at most; who asks for more gets fewer, and looks elsewhere."""


def nearest_on_gpu(
    dense: Float32Matrix,
) -> Callable[[npt.NDArray[np.float32], int], npt.NDArray[np.int64]] | None:
    """(query, count) -> the nearest rows (int64), from a copy of `dense` on the GPU; None without one."""
    import faiss

    if faiss.get_num_gpus() < 1:
        return None
    index = faiss.GpuIndexFlatIP(faiss.StandardGpuResources(), dense.shape[1])
    index.add(dense)

    def nearest(query: npt.NDArray[np.float32], count: int) -> npt.NDArray[np.int64]:
        _, rows = index.search(query.reshape(1, -1), min(count, MOST))
        nearest_rows: npt.NDArray[np.int64] = rows[0][rows[0] >= 0]
        return nearest_rows

    return nearest
