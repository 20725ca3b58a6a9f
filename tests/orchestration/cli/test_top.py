"""`medkg top`: one reading as JSON and as text, without a host, a relay or Prometheus."""

from __future__ import annotations

from pathlib import Path

import pytest

from medkg.testing.ledger_suite.builders import a_failure, a_job, an_item, claimed, taken
from orchestration.cli.top import RATE_SECONDS, reading, stage_rates
from orchestration.ledger import open_ledger
from tests.orchestration.command_line import Medkg
from tests.orchestration.metrics.facts import a_report
from tests.orchestration.metrics.hosts import a_status


@pytest.fixture
def medkg(tmp_path: Path) -> Medkg:
    """A data folder with a failed, a running and a queued document."""
    (tmp_path / "data").mkdir()
    ledger = open_ledger(f"sqlite:///{tmp_path / 'data' / 'ledger.sqlite'}")
    window = claimed(ledger, a_job(ledger, *map(an_item, ("1", "2", "3"))), 2)
    first, _ = taken(ledger, window)
    ledger.outcomes.advance(window, "parse", [], [a_failure(first)], {})
    ledger.close()
    return Medkg(tmp_path / "data")


def test_a_reading_has_states_leases_and_dead_letters(medkg: Medkg) -> None:
    value = medkg("top", "--once")
    states = {state: number for state, number in value["documents"]["auto"].items() if number}
    assert states == {"failed": 1, "running": 1, "queued": 1}
    assert (value["windows"], value["leases"]) == (1, 1)
    assert value["dead_letters"][0]["documents"] == 1
    assert value["host"]["runs"] is False
    text = medkg.text("top", "--once")
    assert "no host runs" in text
    assert "1 dead letters: parse" in text


def test_rates_are_those_of_five_minutes() -> None:
    (row,) = stage_rates([a_report(seconds=2.0, passed=30), a_report(seconds=4.0, passed=25, failed=5)])
    assert row["documents_per_second"] == 60 / RATE_SECONDS
    assert (row["failed"], row["mean_seconds"], row["longest_seconds"]) == (5, 3.0, 4.0)


def test_gpus_of_the_host_are_shown_once(tmp_path: Path) -> None:
    ledger = open_ledger(f"sqlite:///{tmp_path / 'ledger.sqlite'}")
    host = reading(ledger, a_status(with_gpu=True), 1.0)["host"]
    assert [gpu["name"] for gpu in host["gpus"]] == ["NVIDIA H100"]
    assert (host["busy_workers"], host["workers"]) == (1, 2)
    ledger.close()
