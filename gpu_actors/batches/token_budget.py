"""The tokens of a micro-batch: measured at load, halved when memory runs out, doubled again later.

Input: a loaded model's `encode`; later, whether micro-batches ran out of memory. Output: padded tokens, which
determine time and memory. Imports no torch.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from typing import Any, Final, Literal, TypeAlias

import numpy as np
import numpy.typing as npt

__all__ = ["LEAST_BUDGET", "TokenBudget", "TokenIds", "probed_budget"]

TokenIds: TypeAlias = npt.NDArray[np.int32]

GROW_AFTER: Final = 32
"""Micro-batches that must succeed before a reduced budget is doubled."""

LEAST_BUDGET: Final = 512

PROBE_HALVINGS: Final = 2
PROBE_CALLS: Final = 2
GOOD_ENOUGH: Final = 0.97
"""Of the best rate: a smaller budget that reaches it is selected, since answers arrive sooner."""


class TokenBudget:
    """Padded tokens of a micro-batch: halved when memory runs out, doubled again later; thread-safe."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._successes = 0
        self._lock = threading.Lock()
        self.tokens = most

    def ran_out(self, cost: int) -> None:
        """Record that memory did not suffice for a micro-batch of this cost, in padded tokens."""
        with self._lock:
            self._successes = 0
            self.tokens = max(LEAST_BUDGET, min(self.tokens, cost) // 2)

    def went_well(self) -> None:
        """Record that a micro-batch was computed."""
        with self._lock:
            self._successes += 1
            if self._successes >= GROW_AFTER and self.tokens < self._most:
                self._successes = 0
                self.tokens = min(self._most, self.tokens * 2)


def probed_budget(
    encode: Callable[[TokenIds, Sequence[int]], Any],
    most: int,
    sample: TokenIds,
    device: Literal["cpu", "cuda"],
) -> int:
    """Return the smallest of a quarter, a half and the whole of `most` at nearly the best rate of encoding.

    `sample`: tokens of a typical row. A size for which the memory does not suffice ends the probe; raises
    MemoryError when it suffices for none. On a CPU a size is tried only if the one below it gained, since a
    call of the largest takes a second there, and the CPU time of one call is the rate: other processes do not
    change it.
    """
    rates: dict[int, float] = {}
    for budget in sorted({max(LEAST_BUDGET, most >> halvings) for halvings in range(PROBE_HALVINGS + 1)}):
        try:
            rate = _rate(encode, budget, sample, device)
        except MemoryError:
            if not rates:
                raise
            break
        before = max(rates.values(), default=0.0)
        rates[budget] = rate
        if device == "cpu" and before >= GOOD_ENOUGH * rate:
            break
    best = max(rates.values())
    return min(budget for budget, rate in rates.items() if rate >= GOOD_ENOUGH * best)


def _rate(
    encode: Callable[[TokenIds, Sequence[int]], Any],
    budget: int,
    sample: TokenIds,
    device: Literal["cpu", "cuda"],
) -> float:
    """Tokens per second of micro-batches of this size: of one call on a CPU, else the best of several."""
    rows = max(1, budget // len(sample))
    token_ids, lengths = np.tile(sample, rows), (len(sample),) * rows
    clock, calls = (time.thread_time, 1) if device == "cpu" else (time.perf_counter, PROBE_CALLS)
    seconds = []
    for _ in range(calls):
        started = clock()
        encode(token_ids, lengths)
        seconds.append(clock() - started)
    return len(token_ids) / min(seconds)
