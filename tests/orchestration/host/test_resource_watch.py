"""Resources that a host loses and gets back, as facts."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from orchestration.contracts.facts import ResourceChanged
from orchestration.contracts.host import ChildHealth, ChildState, HostStatus
from orchestration.contracts.outbox import Observation
from orchestration.errors import StoreUnwritableError
from orchestration.host.resource_watch import ResourceWatch


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


class Ledger:
    """Keeps what is noted; refuses while `full`."""

    def __init__(self) -> None:
        self.changes: list[tuple[str, bool, str]] = []
        self.full = False

    def note(self, observations: Sequence[Observation]) -> None:
        if self.full:
            raise StoreUnwritableError("the disk is full")
        for each in observations:
            assert isinstance(each.body, ResourceChanged)
            self.changes.append((each.body.resource, each.body.available, each.body.code))


def test_a_loss_and_a_return_are_one_fact_each() -> None:
    ledger = Ledger()
    states = iter(
        [
            a_status(),
            a_status("daemon", plane_error="MEDKG-423 no GPU"),
            a_status("daemon", plane_error="MEDKG-423 no GPU"),
            a_status("daemon"),
            a_status(),
        ]
    )
    watch = ResourceWatch(lambda: next(states), ledger.note)
    for _ in range(5):
        watch.read()
    assert ledger.changes == [
        ("daemon", False, ""),
        ("plane", False, "MEDKG-423"),
        ("plane", True, ""),
        ("daemon", True, ""),
    ]


def test_a_process_that_was_restarted_between_two_readings_was_lost_too() -> None:
    ledger = Ledger()
    child = ChildHealth(name="daemon", pid=7, state=ChildState.RUNNING)
    states = iter([(child,), (child.model_copy(update={"restarts": 1}),), (child,)])
    watch = ResourceWatch(lambda: a_status().model_copy(update={"children": next(states)}), ledger.note)
    for _ in range(3):
        watch.read()
    assert ledger.changes == [("daemon", False, ""), ("daemon", True, "")]


def test_what_the_ledger_did_not_take_is_noted_later() -> None:
    ledger = Ledger()
    ledger.full = True
    watch = ResourceWatch(lambda: a_status("daemon"), ledger.note)
    with pytest.raises(StoreUnwritableError):
        watch.read()
    ledger.full = False
    watch.read()
    assert ledger.changes == [("daemon", False, "")]
