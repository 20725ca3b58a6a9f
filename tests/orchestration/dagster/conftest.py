"""One Dagster instance per test, and a pool of warm workers over the jobs in window_jobs."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from queue import Queue
from typing import Any

import pytest
from dagster import DagsterInstance

from orchestration.dagster.instance import CodeLocation, open_instance
from orchestration.dagster.workers.window_workers import FinishedRun, WindowWorkers
from orchestration.dagster.workers.worker_process import SourceWatch, WorkerCommand
from orchestration.settings import Settings
from tests.waiting import PATIENCE

WINDOW_JOBS = CodeLocation("tests.orchestration.dagster.workers.window_jobs")


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(data_dir=tmp_path / "data")


@pytest.fixture
def instance(settings: Settings) -> Iterator[DagsterInstance]:
    with open_instance(settings) as opened:
        yield opened


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Folder that the test jobs write to; code servers that the test starts have it in their environment."""
    folder = tmp_path / "traces"
    folder.mkdir()
    monkeypatch.setenv("MEDKG_TEST_FOLDER", str(folder))
    return folder


class Pool:
    """Workers under test, and the runs that they reported as finished."""

    def __init__(
        self,
        instance: DagsterInstance,
        settings: Settings,
        folder: Path,
        size: int = 1,
        location: CodeLocation = WINDOW_JOBS,
        watch: Sequence[Path] = (),
        **options: Any,
    ) -> None:
        self.finished: Queue[FinishedRun] = Queue()
        self.log_dir = settings.logs_dir
        self.folder = folder
        command = WorkerCommand(
            settings.dagster_home,
            location,
            {"MEDKG_DATA_DIR": str(settings.data_dir), "MEDKG_TEST_FOLDER": str(folder)},
            settings.logs_dir,
        )
        self.workers = WindowWorkers(
            instance, command, size, self.finished.put, SourceWatch(watch), **options
        ).start()

    def outcome(self) -> FinishedRun:
        return self.finished.get(timeout=PATIENCE)

    def success(self) -> FinishedRun:
        """The next outcome; fails with its reason if the run did not succeed."""
        outcome = self.outcome()
        assert outcome.status == "SUCCESS", outcome.message
        return outcome

    def pids(self) -> list[int]:
        return [worker["pid"] for worker in self.workers.describe()]


@pytest.fixture
def start_pool(instance: DagsterInstance, settings: Settings, folder: Path) -> Iterator[Callable[..., Pool]]:
    pools: list[Pool] = []

    def start(size: int = 1, location: CodeLocation = WINDOW_JOBS, **options: Any) -> Pool:
        pools.append(Pool(instance, settings, folder, size, location, **options))
        return pools[-1]

    yield start
    for pool in pools:
        pool.workers.close()
