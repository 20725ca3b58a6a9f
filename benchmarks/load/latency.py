"""Milliseconds of consecutive searches: contenders run round robin, so that they share noise and warm caches.

Comes in: what to ask, by contender. Leaves: percentiles of each.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import cycle
from typing import Any, TypeVar

import numpy as np

__all__ = ["latencies", "summary"]

Question = TypeVar("Question")


def latencies(
    contenders: Mapping[str, Callable[[Question], Any]], questions: Iterable[Question]
) -> dict[str, dict[str, float]]:
    """Each question by each contender; who is first, and finds caches cold, changes with every question."""
    names = list(contenders)
    orders = cycle(names[first:] + names[:first] for first in range(len(names)))
    seconds: dict[str, list[float]] = {name: [] for name in names}
    for question, order in zip(questions, orders, strict=False):
        for name in order:
            started = time.perf_counter()
            contenders[name](question)
            seconds[name].append(time.perf_counter() - started)
    return {name: summary(times) for name, times in seconds.items()}


def summary(seconds: Sequence[float]) -> dict[str, float]:
    """P50, P95, P99 and mean, in milliseconds."""
    times = 1_000 * np.array(seconds)
    p50, p95, p99 = np.percentile(times, [50, 95, 99])
    figures = {"p50_ms": p50, "p95_ms": p95, "p99_ms": p99, "mean_ms": times.mean()}
    return {name: round(float(value), 3) for name, value in figures.items()}
