"""Confidence intervals of measures over questions or documents.

Input: how many items were measured, and a statistic of resamples of them. Output: 95 % intervals by
percentile bootstrap (Sakai, SIGIR 2006, https://doi.org/10.1145/1148170.1148261), by scipy.stats with 9,999
resamples and
seed 0, so the same figures give the same intervals.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Final

import numpy as np
import numpy.typing as npt

__all__ = ["BATCH", "RESAMPLES", "SEED", "bootstrap_intervals"]

RESAMPLES: Final = 9_999
SEED: Final = 0
BATCH: Final = 1_000
"""Resamples held in memory at once."""
ENDS: Final = (2.5, 97.5)

Floats = npt.NDArray[np.float64]


def bootstrap_intervals(
    items: int, statistic: Callable[[npt.NDArray[np.intp]], Floats]
) -> tuple[Floats, Floats]:
    """Lower and upper ends of every measure of the statistic.

    `statistic` takes resamples as positions of items [..., items] and returns measures [measures, ...], or
    [...] for a single one. A resample without a measure (NaN, a share of nothing) is left out for it; NaN
    ends mean that no resample has it. Raises ValueError for fewer than two items.
    """
    from scipy import stats  # type: ignore[import-untyped] # takes a second or more to import

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", stats.DegenerateDataWarning)  # of a measure that no resample has
        result = stats.bootstrap(
            (np.arange(items),),
            lambda positions, axis: statistic(positions),
            n_resamples=RESAMPLES,
            batch=BATCH,
            method="percentile",
            vectorized=True,
            rng=np.random.default_rng(SEED),
        )
    values: Floats = np.asarray(result.bootstrap_distribution, np.float64)
    known = ~np.isnan(values).all(axis=-1)
    ends = np.full((2, *values.shape[:-1]), np.nan)
    ends[:, known] = np.nanpercentile(values[known], ENDS, axis=-1)
    return ends[0], ends[1]
