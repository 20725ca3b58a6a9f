"""Pruning as long as the host lives: when passes come, what one removes, and logs of a bounded size."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from medkg.testing.builders import TENANT
from medkg.testing.ledger_suite.builders import a_submission
from orchestration.assembly import Assembly
from orchestration.contracts import JobState
from orchestration.host.log_sizes import limit_logs
from orchestration.host.pruning import Pruning
from orchestration.settings import Settings, load_settings
from tests.waiting import wait_until

MINUTE_IN_DAYS = 1 / 1440


class Clock:
    def __init__(self) -> None:
        self.seconds = 0.0

    def __call__(self) -> float:
        return self.seconds


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return load_settings(data_dir=tmp_path, artifact_days=MINUTE_IN_DAYS, log_megabytes=1)


@pytest.fixture
def assembly(settings: Settings) -> Iterator[Assembly]:
    assembly = Assembly(settings)
    yield assembly
    assembly.close()


def an_old_artifact(assembly: Assembly, settings: Settings) -> Path:
    assembly.objects.put("artifacts/run/step.parquet", b"x")
    (path,) = settings.data_dir.rglob("step.parquet")
    os.utime(path, (time.time() - 3600,) * 2)
    return path


def test_passes_come_again_and_again_while_the_host_lives(assembly: Assembly, settings: Settings) -> None:
    clock = Clock()
    days: list[float] = []
    pruning = Pruning(assembly, settings, days.append, clock)
    for passes in (1, 2, 3):
        artifact = an_old_artifact(assembly, settings)
        pruning.tick()
        wait_until(lambda: not artifact.exists() and len(days) == passes)  # noqa: B023
        artifact = an_old_artifact(assembly, settings)
        clock.seconds += pruning.pause - 1
        pruning.tick()
        assert artifact.exists()
        clock.seconds += 1
    pruning.close()
    assert days == [MINUTE_IN_DAYS] * 3


def test_the_pause_follows_the_shortest_age_within_bounds(assembly: Assembly, settings: Settings) -> None:
    def pause(artifact_days: float) -> float:
        changed = settings.model_copy(update={"artifact_days": artifact_days})
        return Pruning(assembly, changed, lambda days: None).pause

    assert pause(3) == pause(1) == 3600
    assert pause(0.1) == pytest.approx(864)
    assert pause(MINUTE_IN_DAYS) == 30


def test_a_step_that_fails_does_not_keep_the_others_from_being_done(
    assembly: Assembly, settings: Settings
) -> None:
    def unavailable(days: float) -> None:
        raise OSError(28, "No space left on device")

    settings.logs_dir.mkdir(parents=True, exist_ok=True)
    log = settings.logs_dir / "host.log"
    log.write_bytes(b"x" * 2**21)
    Pruning(assembly, settings, unavailable).prune()
    assert log.stat().st_size == 0


def test_ended_jobs_are_forgotten_but_for_the_newest(assembly: Assembly, settings: Settings) -> None:
    jobs = assembly.ledger.jobs
    for number in range(60):
        jobs.open(a_submission(f"job-{number}"))
        jobs.set_state(f"job-{number}", JobState.DONE)
    Pruning(assembly, settings, lambda days: None).prune()
    assert len(jobs.find(TENANT, None)) == 60
    brief = settings.model_copy(update={"history_days": 1e-9})
    Pruning(assembly, brief, lambda days: None).prune()
    assert len(jobs.find(TENANT, None)) == 50


def test_a_full_log_starts_again_for_the_process_that_has_it_open(tmp_path: Path) -> None:
    path = tmp_path / "worker.log"
    with path.open("ab", buffering=0) as log:
        for number in range(3):
            log.write(b"%d" % number * 1001)
            assert limit_logs(tmp_path, 1000) == 1
            log.write(b"more")
            assert limit_logs(tmp_path, 1000) == 0
    assert path.read_bytes() == b"more"
    assert (tmp_path / "worker.log.1").read_bytes() == b"more" + b"2" * 1001
    assert len(list(tmp_path.iterdir())) == 2
