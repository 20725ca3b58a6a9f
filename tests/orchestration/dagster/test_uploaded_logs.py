"""What runs print is in the object store, where any machine's UI reads it; it goes with its run."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from dagster import DagsterInstance
from dagster._core.storage.compute_log_manager import ComputeIOType

from orchestration.dagster.instance import open_instance
from orchestration.dagster.pruning import prune_runs
from orchestration.dagster.uploaded_logs import UploadedComputeLogManager
from orchestration.errors import DagsterResourceUnavailableError
from orchestration.settings import Settings
from orchestration.stores.objects.opening import open_objects
from tests.orchestration.dagster.test_instance import a_finished_run

pytestmark = pytest.mark.needs_service("s3")


def settings_of(machine: Path, s3_url: str) -> Settings:
    return Settings(data_dir=machine / "data", objects_url=s3_url)


@pytest.fixture
def settings(tmp_path: Path, s3_url: str) -> Settings:
    return settings_of(tmp_path, s3_url)


@pytest.fixture
def instance(settings: Settings) -> Iterator[DagsterInstance]:
    with open_instance(settings) as opened:
        yield opened


def captured(instance: DagsterInstance, run_id: str) -> list[str]:
    """The key of what the run's steps printed."""
    (event,) = [
        entry.dagster_event.logs_captured_data
        for entry in instance.all_logs(run_id)
        if entry.dagster_event is not None and entry.dagster_event.event_type_value == "LOGS_CAPTURED"
    ]
    return [run_id, "compute_logs", event.file_key]


def test_another_machine_reads_what_a_run_printed(
    instance: DagsterInstance, settings: Settings, s3_url: str, tmp_path: Path, folder: Path
) -> None:
    run_id = a_finished_run(instance)
    key = captured(instance, run_id)
    with open_instance(settings_of(tmp_path / "other", s3_url)) as other:
        logs = other.compute_log_manager
        assert isinstance(logs, UploadedComputeLogManager)
        assert logs.is_capture_complete(key)
        data = logs.get_log_data(key)
        assert data.stdout is not None and b"embedding [1, 2, 3]" in data.stdout
        rest, end = logs.get_log_data_for_type(key, ComputeIOType.STDOUT, 5, 4)
        assert (rest, end) == (data.stdout[5:9], 9)
        assert logs.get_log_keys_for_log_key_prefix(key[:-1], ComputeIOType.STDOUT) == [key]
        assert logs.get_log_data([run_id, "compute_logs", "unknown"]).stdout is None
        assert logs.get_log_metadata(key).stdout_location == f"{s3_url}/compute_logs/{'/'.join(key)}.out"
        assert not list((tmp_path / "other").rglob("*.out"))
    assert not list(settings.data_dir.rglob("*.out"))


def test_pruned_runs_take_what_they_printed_with_them(
    instance: DagsterInstance, settings: Settings, s3_url: str, folder: Path
) -> None:
    a_finished_run(instance)
    assert list(open_objects(s3_url).list("compute_logs"))
    with pytest.MonkeyPatch.context() as away:
        away.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
        with open_instance(settings) as broken, pytest.raises(DagsterResourceUnavailableError):
            prune_runs(broken, older_than_days=0)
    assert prune_runs(instance, older_than_days=0) == 1
    assert list(open_objects(s3_url).list("compute_logs")) == []


def test_output_that_cannot_be_uploaded_stays_and_fails_no_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, folder: Path
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
    with open_instance(settings_of(tmp_path, "s3://bucket/p")) as instance:
        run_id = a_finished_run(instance)
        run = instance.get_run_by_id(run_id)
        assert run is not None and run.is_success
        data = instance.compute_log_manager.get_log_data(captured(instance, run_id))
        assert data.stdout is not None and b"embedding [1, 2, 3]" in data.stdout
