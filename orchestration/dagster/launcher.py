"""The run launcher that dagster.yaml names: it hands runs to the warm workers of the host.

Input: a run that the daemon dequeued, in any process that opens the instance. Output: the run's id, sent to
the host of the data folder over its socket and acknowledged at once.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

from dagster import Field, StringSource
from dagster._config.config_schema import UserConfigSchema
from dagster._core.launcher import CheckRunHealthResult, LaunchRunContext, RunLauncher, WorkerStatus
from dagster._core.storage.dagster_run import DagsterRun
from dagster._serdes import ConfigurableClass, ConfigurableClassData

from orchestration.contracts.host import HOST_SERVICE, RunState
from orchestration.errors import HostUnavailableError
from orchestration.jobs.host_client import host_service
from orchestration.processes.local_service import LocalClient


class WindowRunLauncher(RunLauncher, ConfigurableClass):
    """Hands runs to the warm workers of the host of `data_dir`."""

    def __init__(self, data_dir: str, inst_data: ConfigurableClassData | None = None) -> None:
        self._inst_data = inst_data
        self._data_dir = Path(data_dir)
        self._client = LocalClient(self._data_dir, HOST_SERVICE)
        self._host = host_service(self._client)
        super().__init__()  # type: ignore[no-untyped-call]

    @property
    def inst_data(self) -> ConfigurableClassData | None:
        return self._inst_data

    @classmethod
    def config_type(cls) -> UserConfigSchema:
        return {"data_dir": Field(StringSource, description="medkg data folder whose host executes runs.")}

    @classmethod
    def from_config_value(cls, inst_data: ConfigurableClassData, config_value: Mapping[str, Any]) -> Self:
        return cls(inst_data=inst_data, data_dir=config_value["data_dir"])

    def launch_run(self, context: LaunchRunContext) -> None:
        """Queue the run at the host; raises HostUnavailableError, which fails the run and says what to do."""
        self._host.launch(context.dagster_run.run_id)

    def terminate(self, run_id: str) -> bool:
        """Ask the host to cancel the run; without a host no process executes it, so it is canceled here.

        False when the run has ended already.
        """
        run = self._instance.get_run_by_id(run_id)
        if run is None or run.is_finished:
            return False
        if self._client.is_served() and self._host.cancel(run_id):
            return True
        self._instance.report_run_canceled(run, "Canceled: no worker executed this run.")
        return True

    @property
    def supports_check_run_worker_health(self) -> bool:
        return True

    def check_run_worker_health(self, run: DagsterRun) -> CheckRunHealthResult:
        """RUNNING while the run is queued or executed at the host; NOT_FOUND without a host or such a run."""
        try:
            state = self._host.run_state(run.run_id)
        except HostUnavailableError as error:
            served = self._client.is_served()
            status = WorkerStatus.RUNNING if served else WorkerStatus.NOT_FOUND
            return CheckRunHealthResult(status, msg=error.message, transient=served)
        if state is RunState.ABSENT:
            return CheckRunHealthResult(WorkerStatus.NOT_FOUND, msg="the host has no such run")
        return CheckRunHealthResult(WorkerStatus.RUNNING, msg=f"{state} at the host of {self._data_dir}")
