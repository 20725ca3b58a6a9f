"""The relay: facts in order to each sink, whatever happens to the others, to itself and to other relays."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from orchestration.contracts.facts import Fact, RateLimited
from orchestration.contracts.outbox import Observation
from orchestration.errors import ConfigurationError, DagsterResourceUnavailableError
from orchestration.events import relay as relay_module
from orchestration.events.factory import CloudEventFactory
from orchestration.events.file import FileSink
from orchestration.events.late_sink import LateSink
from orchestration.events.relay import Relay
from orchestration.ledger import SqlLedger, open_ledger
from orchestration.processes.child_process import own_identity
from tests.waiting import wait_until


class Sink:
    """Keeps the positions that it was given; refuses while `broken` is set."""

    def __init__(self, name: str = "memory") -> None:
        self.name = name
        self.positions: list[int] = []
        self.broken = threading.Event()
        self.refused = 0
        self.closed = False

    def publish(self, facts: Sequence[Fact], state: str) -> str:
        if self.broken.is_set():
            self.refused += 1
            raise DagsterResourceUnavailableError(f"{self.name} does not answer. Start it.")
        self.positions += [fact.position for fact in facts]
        return str(len(facts) + int(state or 0))

    def close(self) -> None:
        self.closed = True


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[SqlLedger]:
    opened = open_ledger(f"sqlite:///{tmp_path}/ledger.sqlite")
    yield opened
    opened.close()


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("IDLE_SECONDS", "FIRST_PAUSE", "LEASE_AGAIN_SECONDS"):
        monkeypatch.setattr(relay_module, name, 0.02)


def note(ledger: SqlLedger, number: int) -> None:
    waited = Observation(RateLimited(stage="web", waits=(1.0,)), 1.0, "default")
    ledger.outbox.note([waited] * number)


def test_each_sink_gets_everything_in_order_and_keeps_its_state(ledger: SqlLedger) -> None:
    note(ledger, 120)
    first, second = Sink("first"), Sink("second")
    assert Relay(ledger.outbox, [first, second], own_identity()).publish_all() == {}
    assert first.positions == second.positions == list(range(1, 121))
    assert ledger.outbox.lease("first", "another process") == (120, "120")
    assert first.closed


def test_a_sink_that_does_not_answer_keeps_no_other_back(ledger: SqlLedger) -> None:
    broken, working = Sink("broken"), Sink("working")
    broken.broken.set()
    relay = Relay(ledger.outbox, [broken, working], own_identity())
    relay.start()
    note(ledger, 60)
    wait_until(lambda: working.positions == list(range(1, 61)) and broken.refused > 1)
    (reader, _) = ledger.outbox.state().readers
    assert (reader.name, reader.behind) == ("broken", 60)
    assert reader.problem is not None
    assert "broken does not answer" in reader.problem
    broken.broken.clear()
    wait_until(lambda: broken.positions == list(range(1, 61)))
    wait_until(lambda: ledger.outbox.state().readers[0].problem is None)
    relay.close()


def test_a_second_relay_goes_on_where_the_first_one_ends(ledger: SqlLedger) -> None:
    first, second = Sink(), Sink()
    running = Relay(ledger.outbox, [first], own_identity())
    waiting = Relay(ledger.outbox, [second], own_identity() + "x")
    running.start()
    note(ledger, 5)
    wait_until(lambda: first.positions == [1, 2, 3, 4, 5])
    running.close()
    note(ledger, 2)
    waiting.start()
    wait_until(lambda: second.positions == [6, 7])
    waiting.close()
    assert first.positions == [1, 2, 3, 4, 5]


def test_what_is_there_when_it_ends_is_published(ledger: SqlLedger) -> None:
    sink = Sink()
    relay = Relay(ledger.outbox, [sink], own_identity())
    relay.start()
    note(ledger, 1)
    wait_until(lambda: sink.positions == [1])
    note(ledger, 200)
    relay.close(drain_seconds=60)
    assert sink.positions == list(range(1, 202))


def test_a_replayed_sink_gets_everything_again(ledger: SqlLedger) -> None:
    sink = Sink()
    relay = Relay(ledger.outbox, [sink], own_identity())
    relay.start()
    note(ledger, 3)
    wait_until(lambda: sink.positions == [1, 2, 3])
    ledger.outbox.rewind("memory", 1)
    wait_until(lambda: sink.positions == [1, 2, 3, 2, 3])
    relay.close()


def test_a_sink_that_cannot_be_opened_has_that_as_its_problem(ledger: SqlLedger) -> None:
    note(ledger, 3)
    opened: list[Sink] = []

    def opening() -> Sink:
        if not opened:
            opened.append(Sink("late"))
            raise ConfigurationError("its address is wrong. Correct it.")
        return opened[0]

    working = Sink("working")
    relay = Relay(ledger.outbox, [LateSink("late", opening), working], own_identity())
    relay.start()
    wait_until(lambda: working.positions == [1, 2, 3] and opened and opened[0].positions == [1, 2, 3])
    relay.close()
    assert opened[0].closed


def test_a_file_has_a_line_per_event_also_behind_one_that_was_cut_off(
    ledger: SqlLedger, tmp_path: Path
) -> None:
    note(ledger, 2)
    path = tmp_path / "folder" / "events.jsonl"
    path.parent.mkdir()
    path.write_text('{"cut')
    factory = CloudEventFactory()
    Relay(ledger.outbox, [FileSink(path, factory.events)], own_identity()).publish_all()
    cut, *lines = path.read_text().splitlines()
    assert cut == '{"cut'
    expected = [e.structured().decode() for fact in ledger.outbox.read(0, 10) for e in factory.events(fact)]
    assert lines == expected


def test_a_file_that_cannot_be_written_is_named(ledger: SqlLedger, tmp_path: Path) -> None:
    note(ledger, 1)
    (tmp_path / "events.jsonl").mkdir()
    sink = FileSink(tmp_path / "events.jsonl", CloudEventFactory().events)
    problems = Relay(ledger.outbox, [sink], own_identity()).publish_all()
    assert "events.jsonl" in problems["file"]
    assert "MEDKG_EVENTS_FILE" in problems["file"]
