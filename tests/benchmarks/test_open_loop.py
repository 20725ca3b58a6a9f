"""Open loop: a stall is felt by every request that was due during it."""

from __future__ import annotations

import threading
import time

from benchmarks.load.open_loop import at_rate, percentiles


def test_latency_counts_from_when_a_request_was_due() -> None:
    one_at_a_time = threading.Lock()

    def stalls_once(number: int) -> None:
        with one_at_a_time:
            time.sleep(0.4 if number == 5 else 0.0)

    load = at_rate(stalls_once, rate=50, count=40)

    # Request 5 holds up those due in the 0.4 s after it: about twenty of forty, so half of all feel it.
    assert load["p50_ms"] > 5
    assert load["max_ms"] > 350
    assert load["requests"] == 40 and load["offered_per_second"] == 50


def test_a_system_that_is_too_slow_achieves_less_than_is_offered() -> None:
    one_at_a_time = threading.Lock()

    def slow(number: int) -> None:
        with one_at_a_time:
            time.sleep(0.02)

    load = at_rate(slow, rate=200, count=40)

    assert load["achieved_per_second"] < 60
    assert load["p95_ms"] > 300


def test_percentiles_are_those_of_the_values() -> None:
    assert percentiles([float(value) for value in range(1, 101)]) == {
        "p50_ms": 50.5,
        "p95_ms": 95.0,
        "p99_ms": 99.0,
        "max_ms": 100.0,
    }
