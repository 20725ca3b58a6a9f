"""The instance of a data folder: written once, opened anywhere, pruned of old runs."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pytest
import yaml
from dagster import (
    AssetCheckEvaluation,
    AssetKey,
    DagsterEvent,
    DagsterEventType,
    DagsterInstance,
    DagsterInvalidConfigError,
    DagsterRunStatus,
    RunsFilter,
)
from dagster._core.definitions.job_base import InMemoryJob
from dagster._core.execution.api import execute_run_iterator
from dagster._core.remote_origin import (
    GrpcServerCodeLocationOrigin,
    RemoteInstigatorOrigin,
    RemoteRepositoryOrigin,
)
from dagster._core.scheduler.instigation import (
    InstigatorState,
    InstigatorStatus,
    InstigatorType,
    SensorInstigatorData,
)
from dagster._core.storage.event_log.schema import AssetCheckExecutionsTable
from dagster._core.storage.tags import TagType, get_tag_type
from sqlalchemy import select

from orchestration.dagster.compute_logs import WindowComputeLogManager
from orchestration.dagster.instance import (
    MEDKG_DEFINITIONS,
    CodeLocation,
    create_window_run,
    open_instance,
    settle_abandoned_runs,
    write_instance_config,
)
from orchestration.dagster.launcher import WindowRunLauncher
from orchestration.dagster.names import CODE_LOCATION, PREVIOUS_WINDOW_TAG, WINDOW_TAG, window_of
from orchestration.dagster.previous_location import PREVIOUS_LOCATION
from orchestration.dagster.pruning import prune_runs
from orchestration.dagster.workers.worker_process import WorkerCommand
from orchestration.errors import UsageError
from orchestration.settings import Settings
from tests.exhaustive import fewer
from tests.orchestration.dagster.conftest import WINDOW_JOBS
from tests.orchestration.postgresql import BOTH_DATABASES, own_schema
from tests.present import present


@pytest.fixture(params=BOTH_DATABASES)
def settings(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Settings]:
    if request.param == "sqlite":
        yield Settings(data_dir=tmp_path / "data")
        return
    with own_schema() as url:
        yield Settings(data_dir=tmp_path / "data", ledger_url=url)


def a_run(instance: DagsterInstance, job_name: str = "window_job") -> str:
    return create_window_run(instance, job_name, str(uuid4()), {}, {}, WINDOW_JOBS)


def a_finished_run(instance: DagsterInstance) -> str:
    run_id = a_run(instance)
    run = instance.get_run_by_id(run_id)
    assert run is not None
    list(execute_run_iterator(InMemoryJob(WINDOW_JOBS.load().get_job("window_job")), run, instance))
    return run_id


def report(instance: DagsterInstance, run_id: str, event: DagsterEventType) -> None:
    """Report an event of a run, which sets its status."""
    instance.report_dagster_event(DagsterEvent(event.value, "window_job"), run_id)


def files_of(settings: Settings, run_id: str) -> list[Path]:
    return [path for path in settings.dagster_home.rglob("*") if run_id in str(path) and path.is_file()]


def test_the_instance_is_ours_whatever_the_environment_says(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path / "elsewhere"))
    with open_instance(settings) as instance:
        assert isinstance(instance.run_launcher, WindowRunLauncher)
        assert isinstance(instance.compute_log_manager, WindowComputeLogManager)
        assert not instance.telemetry_enabled
        assert instance.run_monitoring_enabled
        assert Path(instance.root_directory) == settings.dagster_home
    assert not (tmp_path / "elsewhere").exists()


def test_a_data_folder_with_an_odd_name_gives_valid_yaml(tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path / 'a: "b" #c ü')
    home = write_instance_config(settings)
    written = yaml.safe_load((home / "dagster.yaml").read_text(encoding="utf-8"))
    assert written["run_launcher"]["config"]["data_dir"] == str(settings.data_dir)


def test_the_configuration_follows_the_settings_and_is_otherwise_left_alone(settings: Settings) -> None:
    path = write_instance_config(settings) / "dagster.yaml"
    os.utime(path, (1, 1))
    write_instance_config(settings)
    assert path.stat().st_mtime == 1
    write_instance_config(settings.model_copy(update={"window_workers": 7}))
    assert yaml.safe_load(path.read_text())["concurrency"]["runs"]["max_concurrent_runs"] == 8


def test_a_window_has_one_run(instance: DagsterInstance, folder: Path) -> None:
    window_id = str(uuid4())
    for _ in range(2):
        assert create_window_run(instance, "window_job", window_id, {"a": "b"}, {}, WINDOW_JOBS) == window_id
    (run,) = instance.get_runs()
    assert run.status is DagsterRunStatus.NOT_STARTED
    assert run.tags[WINDOW_TAG] == window_id
    assert run.remote_job_origin is not None
    assert run.remote_job_origin.location_name == WINDOW_JOBS.module


def test_an_unknown_job_and_a_wrong_config_are_refused_before_there_is_a_run(
    instance: DagsterInstance,
) -> None:
    with pytest.raises(UsageError, match="window_job"):
        a_run(instance, "no_such_job")
    with pytest.raises(DagsterInvalidConfigError):
        create_window_run(instance, "window_job", str(uuid4()), {}, {"ops": {"no_op": {}}}, WINDOW_JOBS)
    assert instance.get_runs_count() == 0


def test_a_dead_hosts_runs_are_settled_and_the_others_left_alone(
    instance: DagsterInstance, folder: Path
) -> None:
    not_started, started, canceling, queued = (a_run(instance) for _ in range(4))
    finished = a_finished_run(instance)
    report(instance, started, DagsterEventType.RUN_START)
    report(instance, canceling, DagsterEventType.RUN_START)
    report(instance, canceling, DagsterEventType.RUN_CANCELING)
    report(instance, queued, DagsterEventType.RUN_ENQUEUED)
    assert set(settle_abandoned_runs(instance)) == {not_started, started, canceling}
    statuses = {run.run_id: run.status for run in instance.get_runs()}
    assert statuses[not_started] is statuses[started] is DagsterRunStatus.FAILURE
    assert statuses[canceling] is DagsterRunStatus.CANCELED
    assert statuses[queued] is DagsterRunStatus.QUEUED
    assert statuses[finished] is DagsterRunStatus.SUCCESS
    assert settle_abandoned_runs(instance) == []


def test_pruning_removes_old_runs_with_every_file_of_theirs(
    instance: DagsterInstance, settings: Settings, folder: Path
) -> None:
    finished = [a_finished_run(instance) for _ in range(3)]
    unfinished = a_run(instance)
    assert all(files_of(settings, run_id) for run_id in finished)
    assert prune_runs(instance, older_than_days=1) == 0
    assert prune_runs(instance, older_than_days=0, batch=2) == 3
    assert [run.run_id for run in instance.get_runs()] == [unfinished]
    assert [files_of(settings, run_id) for run_id in finished] == [[], [], []]
    assert instance.get_runs(RunsFilter(run_ids=finished)) == []


def test_what_a_step_prints_is_kept_with_its_run(
    instance: DagsterInstance, folder: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    run_id = a_finished_run(instance)
    (captured,) = [
        entry.dagster_event.logs_captured_data
        for entry in instance.all_logs(run_id)
        if entry.dagster_event is not None and entry.dagster_event.event_type_value == "LOGS_CAPTURED"
    ]
    data = instance.compute_log_manager.get_log_data([run_id, "compute_logs", captured.file_key])
    assert data.stdout is not None
    assert b"embedding [1, 2, 3]" in data.stdout
    assert "embedding" not in capfd.readouterr().out
    assert instance.compute_log_manager.is_capture_complete([run_id, "compute_logs", captured.file_key])


def test_runs_and_states_under_the_previous_name_of_the_code_location_are_adopted(
    instance: DagsterInstance, folder: Path
) -> None:
    previous = CodeLocation(WINDOW_JOBS.module, name=PREVIOUS_LOCATION)
    queued = create_window_run(instance, "window_job", str(uuid4()), {}, {}, previous)
    finished = a_finished_run(instance)
    report(instance, queued, DagsterEventType.RUN_ENQUEUED)
    origin = RemoteInstigatorOrigin(
        repository_origin=RemoteRepositoryOrigin(
            GrpcServerCodeLocationOrigin("localhost", socket="/run/code", location_name=PREVIOUS_LOCATION),
            "__repository__",
        ),
        instigator_name="submission_sensor",
    )
    cursor = SensorInstigatorData(cursor="42")
    instance.add_instigator_state(
        InstigatorState(origin, InstigatorType.SENSOR, InstigatorStatus.STOPPED, cursor)
    )
    assert settle_abandoned_runs(instance) == [queued]
    run = instance.get_run_by_id(queued)
    assert run is not None and run.status is DagsterRunStatus.FAILURE
    messages = [str(entry) for entry in instance.all_logs(queued)]
    assert any("its documents are queued again" in message for message in messages), messages
    (state,) = instance.all_instigator_state()
    assert (state.origin.location_name, state.name) == ("medkg", "submission_sensor")
    assert (state.status, state.instigator_data) == (InstigatorStatus.STOPPED, cursor)
    assert settle_abandoned_runs(instance) == []
    assert present(instance.get_run_by_id(finished)).status is DagsterRunStatus.SUCCESS


def test_the_code_location_has_the_same_name_in_a_run_s_origin_and_in_the_workspace() -> None:
    origin = MEDKG_DEFINITIONS.remote_origin("auto_pipeline_job", "__repository__")
    assert origin.location_name == CODE_LOCATION == "medkg"
    assert MEDKG_DEFINITIONS.module == "orchestration.dagster.definitions"
    command = WorkerCommand(Path("/home"))
    assert list(command.task(3).arguments)[-3:] == ["orchestration.dagster.definitions", "defs", "medkg"]


def test_a_run_shows_short_tags_only_and_its_window_is_found_also_under_the_previous_tag(
    instance: DagsterInstance, folder: Path
) -> None:
    run = instance.get_run_by_id(a_run(instance))
    assert run is not None
    assert window_of(run.tags) == run.run_id
    assert not [
        name
        for name, value in run.tags.items()
        if len(value) > 24 and get_tag_type(name) is TagType.USER_PROVIDED
    ]
    assert window_of({PREVIOUS_WINDOW_TAG: "w"}) == window_of({WINDOW_TAG: "w"}) == "w"
    assert window_of({"medkg/job": "j"}) is None


def test_rows_and_files_are_flat_over_many_runs_that_are_pruned(
    instance: DagsterInstance, settings: Settings, folder: Path
) -> None:
    def a_pruned_round() -> tuple[int, int, int]:
        for _ in range(3):
            run_id = a_finished_run(instance)
            result = AssetCheckEvaluation(
                asset_key=AssetKey("index"), check_name="account", passed=True, metadata={}
            )
            event = DagsterEvent(
                DagsterEventType.ASSET_CHECK_EVALUATION.value, "window_job", event_specific_data=result
            )
            instance.report_dagster_event(event, run_id)
        prune_runs(instance, older_than_days=-1)
        with instance.event_log_storage.index_connection() as connection:  # type: ignore[attr-defined]
            results = connection.execute(select(AssetCheckExecutionsTable.c.id)).all()
        return instance.get_runs_count(), len(results), len(list(settings.dagster_home.rglob("*")))

    first = a_pruned_round()
    assert first[:2] == (0, 1), "the newest result of a check stays"
    assert [a_pruned_round() for _ in range(fewer(2, 20))] == [first] * fewer(2, 20)
