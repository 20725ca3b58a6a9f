"""Errors of Dagster runs as medkg's own.

Comes in: a finished run and the instance that holds its events. Leaves: the error that its step raised.
"""

from __future__ import annotations

from dagster import DagsterEventType, DagsterInstance

from orchestration.dagster.workers.window_workers import FinishedRun
from orchestration.errors import MedkgError, StageFailedError, rebuilt_error

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
            error = error.cause
    return StageFailedError(f"run {run.run_id} ended as {run.status}: {run.message or 'no reason given'}")
