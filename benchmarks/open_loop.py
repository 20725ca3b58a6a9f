"""Requests at a fixed rate, whatever the answers' pace: latency as users have it.

Each request has a time at which it is due; its latency counts from then, also when the generator or the
system was late. So a stall is felt by every request that was due during it (no coordinated omission: Tene,
"How NOT to measure latency").
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final

import numpy as np

__all__ = ["at_rate", "percentiles"]

WAITING: Final = 64
"""Requests that may be under way at once; further ones wait, which their latency tells."""


def at_rate(work: Callable[[int], Any], rate: float, count: int) -> dict[str, float]:
    """Latency in milliseconds of `count` requests due `rate` a second, with offered and achieved rate."""
    begun = time.perf_counter() + 0.05
    done = [0.0] * count

    def request(number: int) -> None:
        due = begun + number / rate
        time.sleep(max(0.0, due - time.perf_counter()))
        work(number)
        done[number] = time.perf_counter()

    with ThreadPoolExecutor(WAITING) as users:
        list(users.map(request, range(count)))
    latencies = [(done[number] - begun - number / rate) * 1000 for number in range(count)]
    return {
        "offered_per_second": round(rate, 2),
        "achieved_per_second": round(count / (max(done) - begun), 2),
        "requests": count,
        **percentiles(latencies),
    }


def percentiles(milliseconds: Sequence[float]) -> dict[str, float]:
    """p50, p95, p99 and the largest."""
    p50, p95, p99 = np.percentile(milliseconds, [50, 95, 99])
    largest = max(milliseconds)
    return {
        "p50_ms": round(float(p50), 1),
        "p95_ms": round(float(p95), 1),
        "p99_ms": round(float(p99), 1),
        "max_ms": round(float(largest), 1),
    }
