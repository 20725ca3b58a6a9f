"""The example of a consumer, as a user starts it, on a real Kafka."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from medkg.testing.ledger_suite.builders import (
    a_broken_item,
    a_failure,
    a_job,
    an_item,
    claimed,
    commit_all,
    taken,
)
from orchestration.events.factory import CloudEventFactory
from orchestration.events.kafka import KafkaSink
from orchestration.ledger import open_ledger
from tests.orchestration.kafka import BROKERS, own_topic, the_cluster

pytestmark = pytest.mark.needs_service("kafka")


def job_accounts(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "ops.examples.job_accounts", *arguments]
    return subprocess.run(command, check=False, capture_output=True, text=True, timeout=300)


def test_it_prints_the_accounts_of_the_ledger_also_of_events_that_came_twice(tmp_path: Path) -> None:
    ledger = open_ledger(f"sqlite:///{tmp_path / 'ledger.sqlite'}")
    job = a_job(ledger, an_item("1"), an_item("2"), an_item("3"), a_broken_item("4"))
    window = claimed(ledger, job, 2)
    ledger.outcomes.advance(window, "parse", [], [a_failure(ctx) for ctx in taken(ledger, window)][:1], {})
    ledger.windows.release(window, "the run ended")
    commit_all(ledger, claimed(ledger, job, 1))
    with own_topic() as topic:
        sink = KafkaSink(the_cluster(), CloudEventFactory().events, topic)
        for _ in range(2):
            sink.publish(ledger.outbox.read(0, 100), "")
        printed = job_accounts(BROKERS, topic)
    sink.close()
    (account,) = map(json.loads, printed.stdout.splitlines())
    expected = ledger.jobs.account(job).documents.model_dump()
    assert account == {"job": job} | {name: expected[name] for name in account if name != "job"}
    assert (account["committed"], account["failed"], account["pending"], account["total"]) == (1, 2, 1, 4)
    ledger.close()


def test_a_topic_that_is_not_there_is_named() -> None:
    printed = job_accounts(BROKERS, "no-such-topic")
    assert (printed.returncode, printed.stdout) == (3, "")
    assert "no-such-topic" in printed.stderr


def test_without_brokers_it_states_its_usage() -> None:
    assert job_accounts().returncode == 2
