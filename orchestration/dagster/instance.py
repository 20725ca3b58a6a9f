"""The Dagster instance of a data folder, and window runs in it.

Input: settings, and a window that needs a run. Output: an opened instance whose dagster.yaml names our
launcher, and runs that the UI and GraphQL show, terminate and re-execute like any other. It also settles
the unfinished runs of a dead host.

A run's origins, snapshots and plan are private API of dagster (pinned exactly; tests/orchestration/
dagster/test_private_api.py fails when an upgrade moves them).
"""

from __future__ import annotations

import importlib
import json
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from string import Template
from typing import Any, Final

from dagster import DagsterInstance, DagsterRunStatus, JobDefinition, RunsFilter
from dagster._core.code_pointer import CodePointer
from dagster._core.definitions.reconstruct import repository_def_from_target_def
from dagster._core.definitions.repository_definition import RepositoryDefinition
from dagster._core.origin import JobPythonOrigin, RepositoryPythonOrigin, get_python_environment_entry_point
from dagster._core.remote_origin import (
    ManagedGrpcPythonEnvCodeLocationOrigin,
    RemoteJobOrigin,
    RemoteRepositoryOrigin,
)
from dagster._core.types.loadable_target_origin import LoadableTargetOrigin

from orchestration.dagster.names import CODE_LOCATION, DEFINITIONS_MODULE, WINDOW_TAG, window_of
from orchestration.dagster.previous_location import adopt_previous_location
from orchestration.dagster.storage import storage_config
from orchestration.errors import UsageError
from orchestration.settings import Settings

UNFINISHED: Final = (
    DagsterRunStatus.NOT_STARTED,
    DagsterRunStatus.STARTING,
    DagsterRunStatus.STARTED,
    DagsterRunStatus.CANCELING,
)
"""Statuses of a run that a worker should execute; queued runs are the daemon's."""


# --- the instance -----------------------------------------------------------------------------------


def write_instance_config(settings: Settings) -> Path:
    """Write dagster.yaml into settings.dagster_home and return that folder; idempotent."""
    home = settings.dagster_home
    home.mkdir(parents=True, exist_ok=True)
    values = {
        "data_dir": settings.data_dir,
        "storage": storage_config(settings),
        "compute_logs": _compute_logs_config(settings),
        "max_concurrent_runs": settings.window_workers + 1,
    }
    template = files("orchestration.dagster").joinpath("dagster.yaml").read_text(encoding="utf-8")
    text = Template(template).substitute({name: _yaml(value) for name, value in values.items()})
    path = home / "dagster.yaml"
    if not path.exists() or path.read_text(encoding="utf-8") != text:
        temporary = path.with_suffix(".yaml.new")
        temporary.write_text(text, encoding="utf-8")
        temporary.replace(path)
    return home


def open_instance(settings: Settings) -> DagsterInstance:
    """The instance of the data folder, created when it is new; close it with `dispose()`."""
    return open_instance_at(write_instance_config(settings))


def open_instance_at(home: Path) -> DagsterInstance:
    """The instance whose dagster.yaml is in `home`; DAGSTER_HOME is ignored.

    With storage on PostgreSQL, this process must have inherited its URL from one that wrote that file.
    """
    return DagsterInstance.from_config(str(home))


def _compute_logs_config(settings: Settings) -> dict[str, Any]:
    folder = {"base_dir": str(settings.dagster_home / "compute_logs")}
    if not settings.objects_on_s3:
        module, kind, config = "compute_logs", "WindowComputeLogManager", folder
    else:
        config = {**folder, "objects_url": settings.objects_url}
        module, kind = "uploaded_logs", "UploadedComputeLogManager"
    return {"module": f"orchestration.dagster.{module}", "class": kind, "config": config}


def _yaml(value: object) -> str:
    """The value as JSON, which is YAML and quotes every character of a path."""
    return json.dumps(value, default=str)


# --- definitions and where they come from -----------------------------------------------------------


@dataclass(frozen=True)
class CodeLocation:
    """A module with a Definitions object, under the name that the UI's workspace gives it."""

    module: str
    attribute: str = "defs"
    name: str = ""
    """Default: the module's name, as in Dagster's own workspaces."""

    @property
    def location_name(self) -> str:
        return self.name or self.module

    def warm_up(self) -> None:
        """Call the module's `warm_up`, if it has one, so that the first run is as fast as the second."""
        getattr(importlib.import_module(self.module), "warm_up", lambda: None)()

    def load(self) -> RepositoryDefinition:
        """Import the module (once per process) and return its repository of jobs."""
        repository = repository_def_from_target_def(
            getattr(importlib.import_module(self.module), self.attribute)
        )
        if repository is None:
            raise UsageError(f"{self.module}.{self.attribute} has no Dagster definitions.")
        return repository

    def python_origin(self, job_name: str) -> JobPythonOrigin:
        """How a process loads the job."""
        return RepositoryPythonOrigin(
            executable_path=sys.executable,
            code_pointer=CodePointer.from_module(self.module, self.attribute, None),
            entry_point=get_python_environment_entry_point(sys.executable),
        ).get_job_origin(job_name)

    def remote_origin(self, job_name: str, repository_name: str) -> RemoteJobOrigin:
        """Where the UI and the daemon find the job."""
        return RemoteRepositoryOrigin(
            ManagedGrpcPythonEnvCodeLocationOrigin(
                LoadableTargetOrigin(module_name=self.module), location_name=self.location_name
            ),
            repository_name,
        ).get_job_origin(job_name)


MEDKG_DEFINITIONS: Final = CodeLocation(DEFINITIONS_MODULE, name=CODE_LOCATION)
"""medkg's own definitions."""


def job_of(repository: RepositoryDefinition, job_name: str) -> JobDefinition:
    """A job by name; raises UsageError that lists the existing jobs."""
    if not repository.has_job(job_name):
        raise UsageError(
            f"There is no Dagster job '{job_name}'; existing: {', '.join(sorted(repository.job_names))}. "
            "A topology names its job; see `medkg topology list`."
        )
    return repository.get_job(job_name)


# --- runs -------------------------------------------------------------------------------------------


def create_window_run(
    instance: DagsterInstance,
    job_name: str,
    window_id: str,
    tags: Mapping[str, str],
    run_config: Mapping[str, Any],
    location: CodeLocation = MEDKG_DEFINITIONS,
) -> str:
    """Record a run of a window as not started; its id is the window's (a UUID).

    Idempotent: an existing run is left as it is. Raises UsageError for an unknown job, and
    dagster.DagsterInvalidConfigError for a run_config that the job does not take.
    """
    if instance.has_run(window_id):
        return window_id
    repository = location.load()
    job = job_of(repository, job_name)
    run = instance.create_run_for_job(
        job_def=job,
        run_id=window_id,
        run_config=run_config,
        tags={**job.tags, **tags, WINDOW_TAG: window_id},
        status=DagsterRunStatus.NOT_STARTED,
        remote_job_origin=location.remote_origin(job_name, repository.name),
        job_code_origin=location.python_origin(job_name),
    )
    return run.run_id


def settle_abandoned_runs(instance: DagsterInstance) -> list[str]:
    """Mark the runs that a dead host left behind as failed or canceled; returns their ids.

    For the host's start, before it takes runs: no worker executes any run of the data folder then. Runs that
    another process is about to queue are left alone, and queued ones are too, unless they were queued under
    the code location's previous name.
    """
    unknown = adopt_previous_location(instance)
    abandoned = [
        run
        for run in instance.get_runs(RunsFilter(statuses=list(UNFINISHED)))
        if run.status is not DagsterRunStatus.NOT_STARTED or window_of(run.tags) is not None
    ]
    for run in abandoned:
        if run.status is DagsterRunStatus.CANCELING:
            instance.report_run_canceled(run, "Canceled: the host process that executed it has ended.")
        else:
            instance.report_run_failed(
                run, "The host process that executed this run has ended. Its documents are queued again."
            )
        instance.event_log_storage.free_concurrency_slots_for_run(run.run_id)
    return [*unknown, *(run.run_id for run in abandoned)]
