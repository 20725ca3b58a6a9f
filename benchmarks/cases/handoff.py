"""A micro-batch's way from the op to the plane and back, at 80 % of the sustained rate, open loop."""

from __future__ import annotations

import time
from typing import Any, Final

from benchmarks.bench import TIMEOUT, Bench
from benchmarks.open_loop import at_rate, percentiles

LOAD: Final = 0.8
REQUESTS: Final = 150


def measure(bench: Bench) -> dict[str, Any]:
    """Latency of micro-batches with queue and compute, and of a single query on an idle plane."""
    size = max(1, bench.profile.batch_tokens // _longest(bench))
    texts = bench.texts
    batches = [texts[start : start + size] for start in range(0, len(texts), size)]
    bench.plane.embed(texts[:size], TIMEOUT)
    started = time.perf_counter()
    for _ in range(bench.rounds):
        bench.plane.embed(texts, TIMEOUT)
    sustained = bench.rounds * len(batches) / (time.perf_counter() - started)
    loaded = at_rate(
        lambda number: bench.plane.embed(batches[number % len(batches)], TIMEOUT), LOAD * sustained, REQUESTS
    )
    idle = []
    for text in texts[:50]:
        started = time.perf_counter()
        bench.plane.embed_queries([text[:80]])
        idle.append((time.perf_counter() - started) * 1000)
    return {
        "texts_per_micro_batch": size,
        "sustained_micro_batches_per_second": round(sustained, 2),
        "at_80_percent": loaded,
        "query_on_idle_plane": percentiles(idle),
    }


def _longest(bench: Bench) -> int:
    return max(map(len, bench.tokenizer.token_ids(bench.texts)))
