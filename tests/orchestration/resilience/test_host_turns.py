"""A host's rate across processes: turns come one interval after another, whoever takes them."""

from __future__ import annotations

from pathlib import Path

import pytest

from orchestration.resilience.host_turns import HostTurns
from orchestration.resilience.policies import RateLimitConfig


class Clock:
    def __init__(self) -> None:
        self.moment = 1_000.0

    def __call__(self) -> float:
        return self.moment


@pytest.fixture
def clock() -> Clock:
    return Clock()


def turns(
    folder: Path, clock: Clock, rate: float = 5, burst: int = 1, host: str = "api.example"
) -> HostTurns:
    return HostTurns(folder, host, RateLimitConfig(requests_per_second=rate, burst=burst), clock)


def test_two_processes_share_a_hosts_rate(tmp_path: Path, clock: Clock) -> None:
    mine, other = turns(tmp_path, clock), turns(tmp_path, clock)
    assert [mine.take(), other.take(), mine.take()] == pytest.approx([0, 0.2, 0.4])


def test_another_host_has_a_rate_of_its_own(tmp_path: Path, clock: Clock) -> None:
    turns(tmp_path, clock).take()
    assert turns(tmp_path, clock, host="other.example:8080").take() == 0


def test_time_that_passed_is_not_saved_up(tmp_path: Path, clock: Clock) -> None:
    one = turns(tmp_path, clock)
    one.take()
    clock.moment += 100
    assert [one.take(), one.take()] == pytest.approx([0, 0.2])


def test_a_burst_comes_at_once(tmp_path: Path, clock: Clock) -> None:
    one = turns(tmp_path, clock, burst=3)
    assert [one.take() for _ in range(4)] == pytest.approx([0, 0, 0, 0.2])


def test_a_clock_that_was_set_back_stops_nobody(tmp_path: Path, clock: Clock) -> None:
    turns(tmp_path, clock).take()
    clock.moment -= 500_000
    assert turns(tmp_path, clock).take() == 0
