"""The Dagster API shows, terminates and re-executes runs of medkg like any other, on our workers.

The workspace is a real code server, the daemon's own iteration launches queued runs, and the host is this
process: a LocalService over a pool of workers.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from dagster import DagsterInstance, DagsterRunStatus
from dagster._core.launcher import WorkerStatus
from dagster._core.workspace.context import WorkspaceProcessContext
from dagster._core.workspace.load_target import ModuleTarget
from dagster._daemon.run_coordinator.queued_run_coordinator_daemon import QueuedRunCoordinatorDaemon
from dagster_graphql.cli import execute_query
from dagster_graphql.client.query import LAUNCH_PIPELINE_REEXECUTION_MUTATION

from orchestration.contracts.host import HOST_SERVICE
from orchestration.dagster.instance import create_window_run
from orchestration.dagster.launcher import WindowRunLauncher
from orchestration.dagster.names import WINDOW_TAG
from orchestration.processes.child_process import PROJECT_ROOT
from orchestration.processes.local_service import LocalService
from orchestration.settings import Settings
from tests.orchestration.dagster.conftest import WINDOW_JOBS, Pool
from tests.orchestration.dagster.workers.test_window_workers import status_of
from tests.waiting import wait_for_file

RUN_QUERY = """
query($run: ID!) { runOrError(runId: $run) { __typename ... on Run {
    status canTerminate pipelineName parentRunId executionPlan { steps { key } }
    repositoryOrigin { repositoryName repositoryLocationName }
} } }
"""
TERMINATE = """
mutation($run: String!) { terminateRun(runId: $run) { __typename ... on TerminateRunFailure { message } } }
"""


class Api:
    """Dagster's GraphQL API and daemon over one instance."""

    def __init__(self, context: WorkspaceProcessContext) -> None:
        self._context = context

    def ask(self, query: str, **variables: object) -> Mapping[str, Any]:
        answer = execute_query(self._context, query, variables)
        assert "errors" not in answer, answer
        (value,) = answer["data"].values()
        assert isinstance(value, Mapping)
        return value

    def launch_queued_runs(self) -> list[Any]:
        """Run one iteration of the daemon that launches queued runs; returns its errors."""
        with QueuedRunCoordinatorDaemon(interval_seconds=1) as daemon:
            return [problem for problem in daemon.run_iteration(self._context) if problem is not None]


@pytest.fixture
def api(instance: DagsterInstance, folder: Path) -> Iterator[Api]:
    target = ModuleTarget(WINDOW_JOBS.module, None, str(PROJECT_ROOT), None)
    with WorkspaceProcessContext(instance, target) as context:
        yield Api(context)


@pytest.fixture
def host(start_pool: Callable[..., Pool], settings: Settings) -> Iterator[Pool]:
    pool = start_pool()
    verbs: dict[str, Callable[..., Any]] = {
        "launch": pool.workers.submit,
        "cancel": pool.workers.cancel,
        "run_state": lambda run_id: str(pool.workers.state(run_id)),
    }
    with LocalService(HOST_SERVICE, settings.data_dir, verbs):
        yield pool


def a_window_run(instance: DagsterInstance, job_name: str) -> str:
    return create_window_run(instance, job_name, str(uuid4()), {"medkg/job": "J"}, {}, WINDOW_JOBS)


def test_a_failed_window_is_re_executed_from_its_failure_by_the_api_on_our_workers(
    instance: DagsterInstance, host: Pool, api: Api, folder: Path
) -> None:
    first = a_window_run(instance, "flaky_job")
    host.workers.submit(first)
    assert host.outcome().status == "FAILURE"

    shown = api.ask(RUN_QUERY, run=first)
    assert shown["repositoryOrigin"] == {
        "repositoryName": "__repository__",
        "repositoryLocationName": WINDOW_JOBS.module,
    }
    assert len(shown["executionPlan"]["steps"]) == 3

    launched = api.ask(
        LAUNCH_PIPELINE_REEXECUTION_MUTATION,
        reexecutionParams={"parentRunId": first, "strategy": "FROM_FAILURE"},
    )
    assert launched["__typename"] == "LaunchRunSuccess", launched
    second = launched["run"]["runId"]
    assert status_of(instance, second) is DagsterRunStatus.QUEUED
    assert api.launch_queued_runs() == []

    outcome = host.outcome()
    assert (outcome.run_id, outcome.status) == (second, "SUCCESS"), outcome.message
    assert (folder / "ingested").read_text().splitlines() == [first], "what had succeeded was not repeated"
    assert (folder / f"committed-{second}").exists()
    run = instance.get_run_by_id(second)
    assert run is not None
    assert run.tags["medkg/job"] == "J"
    assert run.tags[WINDOW_TAG] == first


def test_a_window_run_is_terminated_through_the_api(
    instance: DagsterInstance, host: Pool, api: Api, folder: Path
) -> None:
    run_id = a_window_run(instance, "hanging_job")
    host.workers.submit(run_id)
    wait_for_file(folder / "hanging")
    assert api.ask(RUN_QUERY, run=run_id)["canTerminate"]
    assert api.ask(TERMINATE, run=run_id) == {"__typename": "TerminateRunSuccess"}
    assert host.outcome().status == "CANCELED"
    assert status_of(instance, run_id) is DagsterRunStatus.CANCELED


def test_a_queued_run_without_a_host_fails_and_says_what_to_do(
    instance: DagsterInstance, api: Api, folder: Path
) -> None:
    parent = a_window_run(instance, "window_job")
    instance.report_run_failed(_run(instance, parent))
    launched = api.ask(
        LAUNCH_PIPELINE_REEXECUTION_MUTATION,
        reexecutionParams={"parentRunId": parent, "strategy": "ALL_STEPS"},
    )
    run_id = launched["run"]["runId"]
    api.launch_queued_runs()
    assert status_of(instance, run_id) is DagsterRunStatus.FAILURE
    messages = [str(entry) for entry in instance.all_logs(run_id)]
    assert any("Start it with `medkg up`" in entry for entry in messages), messages


def test_run_health_follows_the_pool(instance: DagsterInstance, host: Pool, folder: Path) -> None:
    launcher = instance.run_launcher
    assert isinstance(launcher, WindowRunLauncher)
    assert launcher.supports_check_run_worker_health
    run_id = a_window_run(instance, "hanging_job")
    assert launcher.check_run_worker_health(_run(instance, run_id)).status is WorkerStatus.NOT_FOUND
    host.workers.submit(run_id)
    assert launcher.check_run_worker_health(_run(instance, run_id)).status is WorkerStatus.RUNNING
    host.workers.cancel(run_id)
    host.outcome()
    assert launcher.check_run_worker_health(_run(instance, run_id)).status is WorkerStatus.NOT_FOUND


def test_without_a_host_a_run_has_no_worker_and_can_be_terminated(
    instance: DagsterInstance, folder: Path
) -> None:
    launcher = instance.run_launcher
    run_id = a_window_run(instance, "window_job")
    health = launcher.check_run_worker_health(_run(instance, run_id))
    assert health.status is WorkerStatus.NOT_FOUND
    assert health.msg is not None
    assert "medkg up" in health.msg
    assert launcher.terminate(run_id)
    assert status_of(instance, run_id) is DagsterRunStatus.CANCELED
    assert not launcher.terminate(run_id)


def _run(instance: DagsterInstance, run_id: str) -> Any:
    run = instance.get_run_by_id(run_id)
    assert run is not None
    return run
