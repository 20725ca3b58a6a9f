"""Upgrade of a data folder whose runs and sensor states name the code location before it was called medkg.

Input: an opened instance, at the host's start. Output: states of sensors and schedules under the present
name, with their cursors and whether a user switched them off; queued runs of the previous name have failed,
since no workspace has their job, and their documents are queued again. Finished runs stay as they are: the
UI shows them until they are pruned, but cannot re-execute them.
"""

from __future__ import annotations

from typing import Final

from dagster import DagsterInstance, DagsterRunStatus, RunsFilter
from dagster._core.remote_origin import RemoteInstigatorOrigin, RemoteRepositoryOrigin
from dagster._core.scheduler.instigation import InstigatorState
from dagster_shared.record import replace

from orchestration.dagster.names import CODE_LOCATION

__all__ = ["PREVIOUS_LOCATION", "adopt_previous_location"]

PREVIOUS_LOCATION: Final = "orchestration.dagster.definitions"


def adopt_previous_location(instance: DagsterInstance) -> list[str]:
    """Move states to the present name, fail queued runs of the previous one; returns their ids."""
    for state in instance.all_instigator_state():
        if state.origin.location_name == PREVIOUS_LOCATION:
            _adopt(instance, state)
    queued = [
        run
        for run in instance.get_runs(RunsFilter(statuses=[DagsterRunStatus.QUEUED]))
        if run.remote_job_origin is not None and run.remote_job_origin.location_name == PREVIOUS_LOCATION
    ]
    for run in queued:
        instance.report_run_failed(
            run,
            f"The run was queued under the code location's previous name, {PREVIOUS_LOCATION}. Nothing is "
            f"lost: its documents are queued again, for runs of {CODE_LOCATION}.",
        )
    return [run.run_id for run in queued]


def _adopt(instance: DagsterInstance, state: InstigatorState) -> None:
    repository = state.origin.repository_origin
    origin = RemoteInstigatorOrigin(
        repository_origin=RemoteRepositoryOrigin(
            replace(repository.code_location_origin, location_name=CODE_LOCATION), repository.repository_name
        ),
        instigator_name=state.origin.instigator_name,
    )
    adopted = InstigatorState(origin, state.instigator_type, state.status, state.instigator_data)
    if instance.get_instigator_state(adopted.instigator_origin_id, adopted.selector_id) is None:
        instance.add_instigator_state(adopted)
    instance.delete_instigator_state(state.instigator_origin_id, state.selector_id)
