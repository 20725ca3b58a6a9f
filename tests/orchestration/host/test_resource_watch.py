"""Resources that a host loses and gets back, as facts."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from orchestration.contracts.facts import ResourceChanged
from orchestration.contracts.host import ChildHealth, ChildState, HostStatus
from orchestration.contracts.outbox import Observation
from orchestration.errors import StoreUnwritableError
from orchestration.host.resource_watch import ResourceWatch
from orchestration.ledger import SqlLedger, open_ledger


def a_status(*problems: str, plane_error: str | None = None) -> HostStatus:
    return HostStatus(
        pid=1,
        kept=True,
        profile="cpu",
        plane="failed" if plane_error else "ready",
        plane_error=plane_error,
        children=tuple(
            ChildHealth(name=name, pid=None, state=ChildState.RESTARTING, problem=f"{name} ended")
            for name in problems
        ),
    )


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[SqlLedger]:
    opened = open_ledger(f"sqlite:///{tmp_path / 'ledger.sqlite'}")
    yield opened
    opened.close()


def changes(ledger: SqlLedger) -> list[tuple[str, bool, str]]:
    """Resource, whether it is available and error code of what was noted, in order."""
    bodies = [fact.body for fact in ledger.outbox.read(0, 100)]
    return [
        (body.resource, body.available, body.code) for body in bodies if isinstance(body, ResourceChanged)
    ]


def test_a_loss_and_a_return_are_one_fact_each(ledger: SqlLedger) -> None:
    states = iter(
        [
            a_status(),
            a_status("daemon", plane_error="MEDKG-423 no GPU"),
            a_status("daemon", plane_error="MEDKG-423 no GPU"),
            a_status("daemon"),
            a_status(),
        ]
    )
    watch = ResourceWatch(lambda: next(states), ledger.outbox)
    for _ in range(5):
        watch.read()
    assert changes(ledger) == [
        ("daemon", False, ""),
        ("plane", False, "MEDKG-423"),
        ("plane", True, ""),
        ("daemon", True, ""),
    ]


def test_a_process_that_was_restarted_between_two_readings_was_lost_too(ledger: SqlLedger) -> None:
    child = ChildHealth(name="daemon", pid=7, state=ChildState.RUNNING)
    states = iter([(child,), (child.model_copy(update={"restarts": 1}),), (child,)])
    watch = ResourceWatch(lambda: a_status().model_copy(update={"children": next(states)}), ledger.outbox)
    for _ in range(3):
        watch.read()
    assert changes(ledger) == [("daemon", False, ""), ("daemon", True, "")]


def test_what_the_ledger_did_not_take_is_noted_later(
    ledger: SqlLedger, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(observations: Sequence[Observation]) -> None:
        raise StoreUnwritableError("the disk is full")

    watch = ResourceWatch(lambda: a_status("daemon"), ledger.outbox)
    with monkeypatch.context() as disk:
        disk.setattr(ledger.outbox, "note", full)
        with pytest.raises(StoreUnwritableError):
            watch.read()
    watch.read()
    assert changes(ledger) == [("daemon", False, "")]


def test_what_an_earlier_host_lost_comes_back_with_the_next_one(ledger: SqlLedger) -> None:
    ResourceWatch(lambda: a_status("daemon", "webserver"), ledger.outbox).read()
    later = ResourceWatch(lambda: a_status("webserver"), ledger.outbox)
    later.read()
    later.read()
    assert changes(ledger) == [("daemon", False, ""), ("webserver", False, ""), ("daemon", True, "")]
