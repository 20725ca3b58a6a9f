"""Housekeeping with an unavailable store: reported, tried again, and no obstacle to the other steps."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from orchestration.assembly import Assembly
from orchestration.errors import DagsterResourceUnavailableError
from orchestration.host import housekeeping as module
from orchestration.host.housekeeping import Housekeeping
from orchestration.settings import load_settings
from orchestration.stores.dual_write import DualWrite


class Store:
    """What `recover` meets."""

    def __init__(self) -> None:
        self.error: Exception | None = None
        self.recovered = 0

    def recover(self, *_: object) -> int:
        if self.error is not None:
            raise self.error
        self.recovered += 1
        return 0


@pytest.fixture
def store(monkeypatch: pytest.MonkeyPatch) -> Store:
    store = Store()
    monkeypatch.setattr(DualWrite, "recover", store.recover)
    monkeypatch.setattr(module, "RECOVER_AGAIN_SECONDS", 0.0)
    return store


@pytest.fixture
def ticked() -> list[str]:
    return []


@pytest.fixture
def housekeeping(tmp_path: Path, ticked: list[str]) -> Iterator[Housekeeping]:
    assembly = Assembly(settings := load_settings(data_dir=tmp_path))
    tick_others: Callable[[], None] = lambda: ticked.append("others")  # noqa: E731
    yield Housekeeping(assembly, settings, tick_others, lambda days: None)
    assembly.close()


def after_a_tick(housekeeping: Housekeeping) -> str | None:
    """The problem that its next tick leaves."""
    housekeeping.tick()
    return housekeeping.problem


AWAY = DagsterResourceUnavailableError("OpenSearch at http://search:9200 does not answer.")


def test_an_unavailable_store_is_reported_and_cleaned_when_it_is_back(
    housekeeping: Housekeeping, store: Store, ticked: list[str]
) -> None:
    store.error = AWAY
    housekeeping.clean()
    assert housekeeping.problem == f"MEDKG-404 {AWAY.message}"
    housekeeping.tick()
    assert (housekeeping.problem, ticked) == (f"MEDKG-404 {AWAY.message}", ["others"])
    store.error = None
    assert (after_a_tick(housekeeping), store.recovered) == (None, 1)
    housekeeping.tick()
    assert store.recovered == 1, "once"


def test_what_a_failed_run_left_is_removed_when_the_store_is_back(
    housekeeping: Housekeeping, store: Store
) -> None:
    housekeeping.clean()
    housekeeping.run_ended(succeeded=False)
    store.error = AWAY
    housekeeping.tick()
    assert housekeeping.problem == f"MEDKG-404 {AWAY.message}"
    store.error = None
    assert (after_a_tick(housekeeping), store.recovered) == (None, 2)


def test_a_full_disk_is_reported_and_a_defect_is_raised(housekeeping: Housekeeping, store: Store) -> None:
    store.error = OSError(28, "No space left on device", "/data/run/x")
    housekeeping.clean()
    assert housekeeping.problem is not None
    assert housekeeping.problem.startswith(
        "MEDKG-502 /data/run/x cannot be written: No space left on device, the disk of / is full"
    )
    store.error = ZeroDivisionError("a defect")
    with pytest.raises(ZeroDivisionError):
        housekeeping.clean()
