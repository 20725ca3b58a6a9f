"""The rate of a host across processes: slots come one interval apart, whichever process takes them."""

from __future__ import annotations

from pathlib import Path

import pytest

from orchestration.resilience.policies import RateLimitConfig
from orchestration.resilience.shared_rate_limit import SharedRateLimiter


class Clock:
    def __init__(self) -> None:
        self.moment = 1_000.0

    def __call__(self) -> float:
        return self.moment


@pytest.fixture
def clock() -> Clock:
    return Clock()


def limiter(
    folder: Path, clock: Clock, rate: float = 5, burst: int = 1, host: str = "api.example"
) -> SharedRateLimiter:
    return SharedRateLimiter(folder, host, RateLimitConfig(requests_per_second=rate, burst=burst), clock)


def test_two_processes_share_the_rate_of_a_host(tmp_path: Path, clock: Clock) -> None:
    first, second = limiter(tmp_path, clock), limiter(tmp_path, clock)
    assert [first.take(), second.take(), first.take()] == pytest.approx([0, 0.2, 0.4])


def test_another_host_has_a_separate_rate(tmp_path: Path, clock: Clock) -> None:
    limiter(tmp_path, clock).take()
    assert limiter(tmp_path, clock, host="other.example:8080").take() == 0


def test_unused_slots_are_not_saved_up(tmp_path: Path, clock: Clock) -> None:
    shared = limiter(tmp_path, clock)
    shared.take()
    clock.moment += 100
    assert [shared.take(), shared.take()] == pytest.approx([0, 0.2])


def test_a_burst_comes_at_once(tmp_path: Path, clock: Clock) -> None:
    shared = limiter(tmp_path, clock, burst=3)
    assert [shared.take() for _ in range(4)] == pytest.approx([0, 0, 0, 0.2])


def test_a_clock_that_was_set_back_delays_no_call(tmp_path: Path, clock: Clock) -> None:
    limiter(tmp_path, clock).take()
    clock.moment -= 500_000
    assert limiter(tmp_path, clock).take() == 0
