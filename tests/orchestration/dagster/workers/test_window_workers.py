"""Warm workers execute runs, survive nothing silently, and end every run they were given."""

from __future__ import annotations

import json
import os
import signal
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from uuid import uuid4

import pytest
from dagster import DagsterEventType, DagsterInstance, DagsterRunStatus, RunsFilter

from orchestration.contracts.host import ChildState, RunState
from orchestration.dagster.instance import CodeLocation, create_window_run, open_instance
from orchestration.dagster.run_errors import run_error
from orchestration.dagster.step_failures import step_failures
from orchestration.dagster.workers.window_workers import NewRun
from orchestration.errors import DagsterResourceUnavailableError
from orchestration.processes.child_process import identity_of, is_alive
from orchestration.settings import Settings
from tests.exhaustive import fewer
from tests.orchestration.dagster.conftest import WINDOW_JOBS, Pool
from tests.waiting import PATIENCE, wait_for_file, wait_until

StartPool = Callable[..., Pool]


def a_run(instance: DagsterInstance, job_name: str) -> str:
    return create_window_run(instance, job_name, str(uuid4()), {}, {}, WINDOW_JOBS)


def status_of(instance: DagsterInstance, run_id: str) -> DagsterRunStatus:
    run = instance.get_run_by_id(run_id)
    assert run is not None
    return run.status


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    return Settings(data_dir=tmp_path_factory.mktemp("workers") / "data")


@pytest.fixture(scope="module")
def instance(settings: Settings) -> Iterator[DagsterInstance]:
    """One instance for all tests here: each has its own runs."""
    with open_instance(settings) as opened:
        yield opened


@pytest.fixture(scope="module")
def shared_pool(
    instance: DagsterInstance, settings: Settings, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Pool]:
    """One worker for the tests that neither kill it nor ask for options."""
    pool = Pool(instance, settings, tmp_path_factory.mktemp("traces"))
    pool.workers.wait_until_ready(PATIENCE)
    yield pool
    pool.workers.close()


@pytest.fixture
def pool(shared_pool: Pool, monkeypatch: pytest.MonkeyPatch) -> Iterator[Pool]:
    monkeypatch.setenv("MEDKG_TEST_FOLDER", str(shared_pool.folder))  # runs are created in this process
    yield shared_pool
    assert shared_pool.finished.empty()


def test_a_run_succeeds_in_a_warm_worker_and_the_next_one_in_the_same_process(
    instance: DagsterInstance, pool: Pool
) -> None:
    runs = [a_run(instance, "window_job") for _ in range(2)]
    for run_id in runs:
        pool.workers.submit(run_id)
    assert [pool.success().run_id for _ in runs] == runs
    assert all(status_of(instance, run) is DagsterRunStatus.SUCCESS for run in runs)
    assert {(pool.folder / f"committed-{run}").read_text() for run in runs} == {str(pool.pids()[0])}


def test_a_worker_creates_the_run_of_a_window_that_has_none(instance: DagsterInstance, pool: Pool) -> None:
    window_id = str(uuid4())
    pool.workers.submit(window_id, NewRun("window_job", {"medkg/job": "J"}, {}))
    pool.success()
    run = instance.get_run_by_id(window_id)
    assert run is not None
    assert run.tags["medkg/job"] == "J"
    assert run.remote_job_origin is not None


def test_a_job_that_does_not_exist_is_a_failure_that_names_the_jobs_there_are(pool: Pool) -> None:
    pool.workers.submit(str(uuid4()), NewRun("no_such_job", {}, {}))
    outcome = pool.outcome()
    assert outcome.status == "FAILURE"
    assert outcome.message is not None
    assert "window_job" in outcome.message


def test_a_failing_op_fails_the_run_and_leaves_the_worker_as_it_is(
    instance: DagsterInstance, pool: Pool
) -> None:
    pid = pool.pids()[0]
    run_id = a_run(instance, "flaky_job")
    pool.workers.submit(run_id)
    outcome = pool.outcome()
    assert outcome.status == "FAILURE"
    assert outcome.message is not None
    assert outcome.message.endswith("embed_fails_once: ValueError: the model is unavailable")
    assert step_failures(instance, run_id) == ["embed_fails_once: ValueError: the model is unavailable"]
    assert run_error(instance, outcome).message.endswith("ValueError: the model is unavailable")
    assert status_of(instance, run_id) is DagsterRunStatus.FAILURE
    assert pool.pids() == [pid]


def test_retries_of_a_run_are_in_the_log_of_its_worker_and_on_the_page_of_the_run(
    instance: DagsterInstance, start_pool: StartPool
) -> None:
    pool = start_pool()
    run_id = a_run(instance, "guarded_job")
    pool.workers.submit(run_id)
    pool.success()
    events = instance.all_logs(run_id, of_type=DagsterEventType.LOGS_CAPTURED)
    (captured,) = [entry.dagster_event.logs_captured_data.file_key for entry in events if entry.dagster_event]
    page = instance.compute_log_manager.get_log_data([run_id, "compute_logs", captured]).stderr
    assert page is not None
    (worker_log,) = pool.log_dir.glob("window-worker-*.log")
    for output in (page.decode(), worker_log.read_text()):
        lines = [json.loads(line) for line in output.splitlines() if "stage_retry" in line]
        assert [(line["attempt"], line["code"], line["job"]) for line in lines] == [
            (1, "MEDKG-400", run_id),
            (2, "MEDKG-400", run_id),
        ]
        assert lines[0]["documents"] == ["d1", "d2", "d3"]
        assert lines[0]["correlations"] == ["c1", "c2", "c3"]


def test_a_cancelled_run_is_canceled_and_a_new_worker_takes_the_next_one(
    instance: DagsterInstance, start_pool: StartPool, folder: Path
) -> None:
    pool = start_pool()
    hanging, next_run = a_run(instance, "hanging_job"), a_run(instance, "window_job")
    pool.workers.submit(hanging)
    wait_for_file(folder / "hanging")
    pid = pool.pids()[0]
    identity = identity_of(pid)
    pool.workers.submit(next_run)
    assert pool.workers.state(hanging) is RunState.RUNNING
    assert pool.workers.state(next_run) is RunState.QUEUED
    assert pool.workers.cancel(hanging)
    assert pool.outcome().status == "CANCELED"
    pool.success()
    assert status_of(instance, hanging) is DagsterRunStatus.CANCELED
    assert pool.workers.state(hanging) is RunState.ABSENT
    assert (folder / f"committed-{next_run}").read_text() != str(pid)  # torn anywhere, it is not trusted
    assert not is_alive(identity)


def test_a_waiting_run_is_canceled_without_a_worker(
    instance: DagsterInstance, start_pool: StartPool, folder: Path
) -> None:
    pool = start_pool()
    hanging, waiting = a_run(instance, "hanging_job"), a_run(instance, "window_job")
    pool.workers.submit(hanging)
    wait_for_file(folder / "hanging")
    pool.workers.submit(waiting)
    assert pool.workers.cancel(waiting)
    outcome = pool.outcome()
    assert (outcome.run_id, outcome.status) == (waiting, "CANCELED")
    assert status_of(instance, waiting) is DagsterRunStatus.CANCELED
    assert not (folder / f"committed-{waiting}").exists()


def test_a_run_that_ignores_its_cancellation_is_killed_with_its_worker_and_canceled(
    instance: DagsterInstance, start_pool: StartPool, folder: Path
) -> None:
    pool = start_pool(cancel_seconds=0.2)
    stubborn = a_run(instance, "stubborn_job")
    pool.workers.submit(stubborn)
    wait_for_file(folder / "hanging")
    pool.workers.cancel(stubborn)
    assert pool.outcome().status == "CANCELED"
    assert status_of(instance, stubborn) is DagsterRunStatus.CANCELED


def test_a_worker_killed_in_a_run_fails_the_run_and_a_new_worker_takes_the_next(
    instance: DagsterInstance, start_pool: StartPool, folder: Path
) -> None:
    pool = start_pool()
    hanging = a_run(instance, "hanging_job")
    pool.workers.submit(hanging)
    wait_for_file(folder / "hanging")
    os.kill(pool.pids()[0], signal.SIGKILL)
    outcome = pool.outcome()
    assert outcome.status == "FAILURE"
    assert outcome.message is not None
    assert "SIGKILL" in outcome.message
    assert status_of(instance, hanging) is DagsterRunStatus.FAILURE
    pool.workers.submit(run_id := a_run(instance, "window_job"))
    pool.success()
    assert status_of(instance, run_id) is DagsterRunStatus.SUCCESS


def test_a_run_that_kills_its_process_each_time_fails_once_and_is_not_tried_again(
    instance: DagsterInstance, start_pool: StartPool, folder: Path
) -> None:
    pool = start_pool()
    pool.workers.submit(run_id := a_run(instance, "crashing_job"))
    assert pool.outcome().status == "FAILURE"
    assert status_of(instance, run_id) is DagsterRunStatus.FAILURE
    assert (folder / "ingested").read_text().splitlines() == [run_id]


def test_a_killed_worker_gives_back_its_place_in_a_concurrency_pool(
    instance: DagsterInstance, start_pool: StartPool, folder: Path
) -> None:
    pool = start_pool()
    pool.workers.submit(a_run(instance, "pooled_job"))
    wait_for_file(folder / "hanging")
    os.kill(pool.pids()[0], signal.SIGKILL)
    assert pool.outcome().status == "FAILURE"
    pool.workers.submit(a_run(instance, "pooled_job"))
    pool.success()


def test_a_cancellation_at_any_moment_ends_its_run_and_no_other(
    instance: DagsterInstance, start_pool: StartPool
) -> None:
    pool = start_pool()
    pool.workers.wait_until_ready(PATIENCE)
    for number in range(fewer(4, exhaustive=16)):
        cancelled, next_run = a_run(instance, "window_job"), a_run(instance, "window_job")
        pool.workers.submit(cancelled)
        pool.workers.submit(next_run)
        threading.Event().wait(number * fewer(0.06, exhaustive=0.015))  # another moment of the run each time
        pool.workers.cancel(cancelled)
        outcomes = {outcome.run_id: outcome.status for outcome in (pool.outcome(), pool.outcome())}
        assert outcomes[cancelled] in ("CANCELED", "SUCCESS")
        assert outcomes[next_run] == "SUCCESS"
        assert status_of(instance, cancelled).value == outcomes[cancelled]


def test_a_run_cancelled_before_its_worker_came_to_it_never_begins(
    instance: DagsterInstance, start_pool: StartPool, folder: Path
) -> None:
    (folder / "warm-up-waits").touch()
    pool = start_pool()
    run_id = a_run(instance, "window_job")
    pool.workers.submit(run_id)
    wait_for_file(folder / "warming-up")
    wait_until(lambda: pool.workers.describe()[0]["run"] == run_id)  # the order is sent, before the next one
    pool.workers.cancel(run_id)
    (folder / "warming-up").unlink()
    assert pool.outcome().status == "CANCELED"
    assert not (folder / "ingested").exists()


def test_an_idle_worker_that_was_killed_costs_no_run(
    instance: DagsterInstance, start_pool: StartPool
) -> None:
    pool = start_pool()
    pool.workers.wait_until_ready(PATIENCE)
    os.kill(pool.pids()[0], signal.SIGKILL)
    pool.workers.submit(a_run(instance, "window_job"))
    pool.success()


def test_an_idle_worker_that_was_killed_is_replaced_before_a_run_needs_it(start_pool: StartPool) -> None:
    pool = start_pool()
    pool.workers.wait_until_ready(PATIENCE)
    (killed,) = pool.pids()
    os.kill(killed, signal.SIGKILL)

    def replaced() -> bool:
        pool.workers.tick()
        return pool.pids() != [killed] and pool.workers.health()[0].state is ChildState.RUNNING

    wait_until(replaced)
    assert pool.workers.health()[0].pid == pool.pids()[0]


def test_changed_code_is_executed_by_a_new_worker(
    instance: DagsterInstance, start_pool: StartPool, tmp_path: Path
) -> None:
    watched = tmp_path / "topologies"
    watched.mkdir()
    pool = start_pool(watch=[watched])
    pool.workers.submit(a_run(instance, "window_job"))
    pool.outcome()
    first = pool.pids()
    pool.workers.submit(a_run(instance, "window_job"))
    pool.outcome()
    assert pool.pids() == first
    (watched / "auto.yaml").write_text("name: auto")
    pool.workers.submit(a_run(instance, "window_job"))
    pool.success()
    assert pool.pids() != first


def test_definitions_that_cannot_be_imported_fail_the_start_and_runs_with_the_log_to_read(
    instance: DagsterInstance, start_pool: StartPool
) -> None:
    pool = start_pool(location=CodeLocation("tests.orchestration.dagster.no_such_module"))
    with pytest.raises(DagsterResourceUnavailableError, match=r"window-worker-0\.log"):
        pool.workers.wait_until_ready(PATIENCE)
    (health,) = pool.workers.health()
    assert (health.name, health.pid, health.state) == ("window-worker-0", None, ChildState.FAILED)
    assert health.problem is not None and health.problem.endswith(
        "ModuleNotFoundError: No module named 'tests.orchestration.dagster.no_such_module'"
    )
    pool.workers.submit(run_id := a_run(instance, "window_job"))
    assert pool.outcome().status == "FAILURE"
    assert status_of(instance, run_id) is DagsterRunStatus.FAILURE


def test_two_workers_execute_two_runs_at_once_and_closing_cancels_what_runs(
    instance: DagsterInstance, start_pool: StartPool, folder: Path
) -> None:
    pool = start_pool(size=2)
    hanging, next_run = a_run(instance, "hanging_job"), a_run(instance, "window_job")
    pool.workers.submit(hanging)
    wait_for_file(folder / "hanging")
    pool.workers.submit(next_run)
    assert pool.outcome().run_id == next_run
    identities = [identity_of(pid) for pid in pool.pids()]
    pool.workers.close()
    assert pool.outcome().status == "CANCELED"
    assert not instance.get_runs(RunsFilter(statuses=[DagsterRunStatus.STARTED]))
    assert not any(is_alive(identity) for identity in identities)
