"""How many tokens a micro-batch may have: found by a probe, halved when memory runs out, grown back later.

Comes in: a loaded model's `encode`, and afterwards how micro-batches fared. Leaves: padded tokens, which is
what time and memory go by. No torch.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from typing import Any, Final, TypeAlias

import numpy as np
import numpy.typing as npt

__all__ = ["LEAST_BUDGET", "TokenBudget", "TokenIds", "probed_budget"]

TokenIds: TypeAlias = npt.NDArray[np.int32]

GROW_AFTER: Final = 32
"""Micro-batches without trouble until a shrunken budget is tried larger again."""

LEAST_BUDGET: Final = 512

PROBE_HALVINGS: Final = 2
PROBE_CALLS: Final = 2
GOOD_ENOUGH: Final = 0.97
"""Of the best rate: a smaller budget that reaches it is taken, since answers come sooner."""


class TokenBudget:
    """Padded tokens of a micro-batch: halved when memory runs out, doubled again later; thread-safe."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._quiet = 0
        self._lock = threading.Lock()
        self.tokens = most

    def ran_out(self, cost: int) -> None:
        """Memory did not suffice for a micro-batch of this cost."""
        with self._lock:
            self._quiet = 0
            self.tokens = max(LEAST_BUDGET, min(self.tokens, cost) // 2)

    def went_well(self) -> None:
        """A micro-batch went through."""
        with self._lock:
            self._quiet += 1
            if self._quiet >= GROW_AFTER and self.tokens < self._most:
                self._quiet = 0
                self.tokens = min(self._most, self.tokens * 2)


def probed_budget(encode: Callable[[TokenIds, Sequence[int]], Any], most: int, sample: TokenIds) -> int:
    """The smallest of `most`, its half and its quarter that encodes nearly as many tokens a second as any.

    `sample`: tokens of a row, as they may come. Sizes for which the memory does not suffice are left out;
    raises MemoryError when it suffices for none.
    """
    rates: dict[int, float] = {}
    for budget in sorted({max(LEAST_BUDGET, most >> halvings) for halvings in range(PROBE_HALVINGS + 1)}):
        try:
            rates[budget] = _rate(encode, budget, sample)
        except MemoryError:
            if not rates:
                raise
            break
    best = max(rates.values())
    return min(budget for budget, rate in rates.items() if rate >= GOOD_ENOUGH * best)


def _rate(encode: Callable[[TokenIds, Sequence[int]], Any], budget: int, sample: TokenIds) -> float:
    """Tokens a second of micro-batches of this size, the best of several calls."""
    rows = max(1, budget // len(sample))
    token_ids, lengths = np.tile(sample, rows), (len(sample),) * rows
    seconds = []
    for _ in range(PROBE_CALLS):
        started = time.perf_counter()
        encode(token_ids, lengths)
        seconds.append(time.perf_counter() - started)
    return len(token_ids) / min(seconds)
