"""A micro-batch's way from the op to the plane and back, at 80 % of the sustained rate, open loop."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final

from gpu_actors.pools.dispatch import IN_FLIGHT
from orchestration.batching import batched

from ..bench import TIMEOUT, Bench
from ..load.open_loop import at_rate, percentiles

LOAD: Final = 0.8
REQUESTS: Final = 150


def measure(bench: Bench) -> dict[str, Any]:
    """Latency of micro-batches with queue and compute, and of a single query on an idle plane.

    The sustained rate is that of the same requests in closed loop, as many at once as the pool takes.
    """
    size = max(1, bench.profile.batch_tokens // _longest(bench))
    texts = bench.texts
    batches = list(batched(texts, size))

    def request(number: int) -> None:
        bench.plane.embed(batches[number % len(batches)], TIMEOUT)

    request(0)
    started = time.perf_counter()
    with ThreadPoolExecutor(IN_FLIGHT) as users:
        list(users.map(request, range(REQUESTS)))
    sustained = REQUESTS / (time.perf_counter() - started)
    loaded = at_rate(request, LOAD * sustained, REQUESTS)
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
