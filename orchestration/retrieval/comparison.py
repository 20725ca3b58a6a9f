"""Comparisons of two ways to search: how much better one is, and whether that is more than chance.

Comes in: a measure of both, by question. Leaves: the mean difference, its 95 % interval and a p-value. The
test is paired, since both answered the same questions. The interval is a percentile bootstrap over questions
(Sakai, SIGIR 2006, https://doi.org/10.1145/1148170.1148261), the p-value of a two-sided randomisation test
(Smucker, Allan, Carterette, CIKM 2007, https://doi.org/10.1145/1321440.1321528); both by scipy.stats, with
9,999 resamples and seed 0, so the same questions give the same figures. p-values are not corrected for the
number of comparisons.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from orchestration.intervals import BATCH, RESAMPLES, SEED, bootstrap_intervals

__all__ = ["Comparison", "compared"]


@dataclass(frozen=True, slots=True)
class Comparison:
    """How much better `a` is than `b`, with a 95 % confidence interval."""

    a: str
    b: str
    measure: str
    difference: float
    low: float
    high: float
    p: float

    def as_json(self) -> dict[str, Any]:
        """The stable JSON of `medkg eval`."""
        return asdict(self)


def compared(a: str, b: str, measure: str, of_a: Sequence[float], of_b: Sequence[float]) -> Comparison | None:
    """Mean of `of_a` - `of_b`, question by question; None for fewer than two questions."""
    differences: npt.NDArray[np.float64] = np.asarray(of_a, np.float64) - np.asarray(of_b, np.float64)
    if differences.size < 2:
        return None
    mean = float(differences.mean())
    if not differences.any():
        return Comparison(a, b, measure, 0.0, 0.0, 0.0, 1.0)
    low, high = _interval(differences)
    return Comparison(
        a, b, measure, round(mean, 4), round(low, 4), round(high, 4), round(_p_value(differences), 4)
    )


def _interval(differences: npt.NDArray[np.float64]) -> tuple[float, float]:
    low, high = bootstrap_intervals(differences.size, lambda positions: differences[positions].mean(axis=-1))
    return float(low), float(high)


def _p_value(differences: npt.NDArray[np.float64]) -> float:
    from scipy import stats  # type: ignore[import-untyped] # takes a second or more to import

    test = stats.permutation_test(
        (differences,),
        np.mean,
        permutation_type="samples",
        n_resamples=RESAMPLES,
        batch=BATCH,
        rng=np.random.default_rng(SEED),
    )
    return float(test.pvalue)
