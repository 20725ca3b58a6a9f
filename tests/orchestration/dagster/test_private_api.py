"""The parts of dagster's private API that medkg uses, with their signatures; fails loudly on an upgrade.

When this fails after an upgrade: read the new code of what moved, adapt orchestration/dagster/{instance,
previous_location,launcher,compute_logs,uploaded_logs,workers/window_worker}.py, run the tests of this folder,
then change the signature here.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from importlib.metadata import version
from typing import Any

import pytest
from dagster import DagsterInstance
from dagster._core.code_pointer import CodePointer
from dagster._core.definitions.job_base import InMemoryJob
from dagster._core.definitions.reconstruct import repository_def_from_target_def
from dagster._core.execution.api import execute_run_iterator
from dagster._core.execution.compute_logs import redirect_to_file
from dagster._core.launcher import RunLauncher
from dagster._core.origin import JobPythonOrigin, RepositoryPythonOrigin
from dagster._core.remote_origin import (
    ManagedGrpcPythonEnvCodeLocationOrigin,
    RemoteInstigatorOrigin,
    RemoteJobOrigin,
    RemoteRepositoryOrigin,
)
from dagster._core.scheduler.instigation import InstigatorState
from dagster._core.storage.cloud_storage_compute_log_manager import (
    CloudStorageComputeLogManager,
    TruncatingCloudStorageComputeLogManager,
)
from dagster._core.storage.dagster_run import FINISHED_STATUSES
from dagster._core.storage.event_log.sqlite.sqlite_event_log import SqliteEventLogStorage
from dagster._core.storage.local_compute_log_manager import LocalComputeLogManager
from dagster._utils.interrupts import capture_interrupts, pop_captured_interrupt

SIGNATURES: list[tuple[Callable[..., Any], list[str]]] = [
    (execute_run_iterator, ["job", "dagster_run", "instance", "resume_from_failure"]),
    (InMemoryJob, ["job_def"]),
    (repository_def_from_target_def, ["target"]),
    (CodePointer.from_module, ["module_name", "definition", "working_directory"]),
    (
        RepositoryPythonOrigin,
        ["executable_path", "code_pointer", "container_image", "entry_point", "container_context"],
    ),
    (JobPythonOrigin, ["job_name", "repository_origin"]),
    (ManagedGrpcPythonEnvCodeLocationOrigin, ["loadable_target_origin", "location_name"]),
    (RunLauncher.launch_run, ["self", "context"]),
    (RunLauncher.terminate, ["self", "run_id"]),
    (RunLauncher.check_run_worker_health, ["self", "run"]),
    (DagsterInstance.from_config, ["config_dir", "config_filename"]),
    (DagsterInstance.report_run_canceling, ["self", "run", "message"]),
    (DagsterInstance.report_run_canceled, ["self", "dagster_run", "message"]),
    (DagsterInstance.report_run_failed, ["self", "dagster_run", "message", "job_failure_data"]),
    (InstigatorState, ["origin", "instigator_type", "status", "instigator_data"]),
    (DagsterInstance.get_instigator_state, ["self", "origin_id", "selector_id"]),
    (DagsterInstance.add_instigator_state, ["self", "state"]),
    (DagsterInstance.delete_instigator_state, ["self", "origin_id", "selector_id"]),
    (SqliteEventLogStorage.path_for_shard, ["self", "run_id"]),
    (SqliteEventLogStorage.free_concurrency_slots_for_run, ["self", "run_id"]),
    (LocalComputeLogManager.capture_logs, ["self", "log_key"]),
    (LocalComputeLogManager.delete_logs, ["self", "log_key", "prefix"]),
    (CloudStorageComputeLogManager._on_capture_complete, ["self", "log_key"]),
    (
        CloudStorageComputeLogManager.get_log_data_for_type,
        ["self", "log_key", "io_type", "offset", "max_bytes"],
    ),
    (
        TruncatingCloudStorageComputeLogManager._upload_file_obj,
        ["self", "data", "log_key", "io_type", "partial"],
    ),
    (redirect_to_file, ["stream", "filepath"]),
    (capture_interrupts, []),
    (pop_captured_interrupt, []),
]

RECORDS: list[tuple[type, list[str]]] = [
    (RemoteRepositoryOrigin, ["code_location_origin", "repository_name"]),
    (RemoteJobOrigin, ["repository_origin", "job_name"]),
    (RemoteInstigatorOrigin, ["repository_origin", "instigator_name"]),
]
"""Records that have no signature before the first one is created in this process."""


def test_dagster_is_the_version_that_the_window_workers_were_written_against() -> None:
    assert {version(name) for name in ("dagster", "dagster-webserver", "dagster-graphql")} == {"1.13.27"}


@pytest.mark.parametrize(
    ("function", "parameters"), SIGNATURES, ids=lambda value: getattr(value, "__qualname__", "")
)
def test_a_private_function_of_dagster_takes_what_we_pass(
    function: Callable[..., Any], parameters: list[str]
) -> None:
    assert list(inspect.signature(function).parameters) == parameters


@pytest.mark.parametrize(("record", "fields"), RECORDS, ids=lambda value: getattr(value, "__qualname__", ""))
def test_a_private_record_of_dagster_has_the_fields_we_pass(record: type, fields: list[str]) -> None:
    assert list(inspect.get_annotations(record)) == fields


def test_a_run_is_created_with_the_arguments_we_pass() -> None:
    ours = {"job_def", "run_id", "run_config", "tags", "status", "remote_job_origin", "job_code_origin"}
    assert ours <= set(inspect.signature(DagsterInstance.create_run_for_job).parameters)


def test_a_run_has_ended_in_one_of_three_statuses() -> None:
    assert {status.value for status in FINISHED_STATUSES} == {"SUCCESS", "FAILURE", "CANCELED"}
