"""Errors of Dagster runs as medkg's own.

Comes in: a finished run and the instance that holds its events. Leaves: the error that its step raised.
"""

from __future__ import annotations

from dagster import DagsterEventType, DagsterInstance

from orchestration.dagster.workers.window_workers import FinishedRun
from orchestration.disk_space import quotes_full_disk
from orchestration.errors import MedkgError, StageFailedError, StoreUnwritableError, rebuilt_error

__all__ = ["run_error"]


def run_error(instance: DagsterInstance, run: FinishedRun) -> MedkgError:
    """Why a run did not succeed: the error that its step raised, as its own class where it is ours."""
    failures = instance.all_logs(run.run_id, of_type=DagsterEventType.STEP_FAILURE)
    for entry in failures:
        error = entry.get_dagster_event().step_failure_data.error
        while error is not None:
            raised = rebuilt_error(str(error.cls_name), error.message.split(": ", 1)[-1].strip())
            if raised is not None:
                return raised
            if quotes_full_disk(error.message):
                return StoreUnwritableError(_without_disk(run, error.message))
            error = error.cause
    if quotes_full_disk(run.message or ""):
        return StoreUnwritableError(_without_disk(run, run.message or ""))
    return StageFailedError(f"run {run.run_id} ended as {run.status}: {run.message or 'no reason given'}")


def _without_disk(run: FinishedRun, cause: str) -> str:
    return (
        f"run {run.run_id} ended on a full disk: {cause.strip()}. Free space on the disks of the data folder "
        "and of the temporary files, then run the same command again; its documents are queued."
    )
