"""The bounds of the outbox hold where no sink reads: facts get positions in several transactions."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from orchestration.contracts.facts import OutboxDropped, RateLimited
from orchestration.contracts.outbox import Observation
from orchestration.ledger import SqlLedger, open_ledger
from orchestration.ledger.outbox import store


@pytest.fixture
def ledger(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[SqlLedger]:
    monkeypatch.setattr(store, "NUMBERED_AT_ONCE", 3)
    opened = open_ledger(f"sqlite:///{tmp_path / 'ledger.sqlite'}")
    yield opened
    opened.close()


def note(ledger: SqlLedger, number: int) -> None:
    waited = Observation(RateLimited(stage="web", waits=(1.0,)), 1.0)
    ledger.outbox.note([waited] * number)


def test_more_facts_than_one_transaction_numbers_are_pruned(ledger: SqlLedger) -> None:
    note(ledger, 20)
    assert ledger.outbox.prune(0, 5, []) == {}
    assert [fact.position for fact in ledger.outbox.read(0, 100)] == [16, 17, 18, 19, 20]


def test_the_newest_facts_are_found_among_many_new_ones(ledger: SqlLedger) -> None:
    note(ledger, 20)
    assert [fact.position for fact in ledger.outbox.recent(["ratelimit.waited"], 0, 2)] == [20, 19]
    assert ledger.outbox.position_at(2.0) == 20


def test_a_reader_that_came_on_meanwhile_dropped_nothing(ledger: SqlLedger) -> None:
    note(ledger, 10)
    ledger.outbox.lease("kafka", "a process")
    for _ in range(4):
        facts = ledger.outbox.read(0, 100)
    ledger.outbox.advance("kafka", "a process", facts[-1].position)
    assert ledger.outbox.prune(0, 2, ["kafka"]) == {}
    assert not any(isinstance(fact.body, OutboxDropped) for fact in ledger.outbox.read(0, 100))
