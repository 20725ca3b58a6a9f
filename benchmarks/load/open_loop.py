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

__all__ = ["at_rate", "percentiles", "started_at_rate"]

LEAD_SECONDS: Final = 0.05
WAITING: Final = 64
"""Requests that may be under way at once; further ones wait, which their latency includes."""


def at_rate(work: Callable[[int], Any], rate: float, count: int) -> dict[str, float]:
    """Latency in milliseconds of `count` requests due `rate` a second, with offered and achieved rate."""
    done = [0.0] * count

    def request(number: int) -> None:
        work(number)
        done[number] = time.time()

    due = started_at_rate(request, rate, count)
    return {
        "offered_per_second": round(rate, 2),
        "achieved_per_second": round(count / (max(done) - due[0]), 2),
        "requests": count,
        **percentiles([(end - begin) * 1000 for begin, end in zip(due, done, strict=True)]),
    }


def started_at_rate(work: Callable[[int], Any], rate: float, count: int) -> list[float]:
    """Start `count` pieces of work, `rate` a second; when each was due, in seconds since the epoch.

    Returns when `work` has returned for all. For work that goes on elsewhere afterwards.
    """
    first_start = time.time() + LEAD_SECONDS
    due = [first_start + number / rate for number in range(count)]

    def start(number: int) -> None:
        time.sleep(max(0.0, due[number] - time.time()))
        work(number)

    with ThreadPoolExecutor(WAITING) as users:
        list(users.map(start, range(count)))
    return due


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
