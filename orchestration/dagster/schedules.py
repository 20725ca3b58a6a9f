"""Dagster schedules, all switched off until a user switches them on: synchronisation of sources, and verify.

Input: schedules that a user configured, and the jobs of topologies. Output: ScheduleDefinitions. A tick only
requests a run: its first op lists the source in a window worker and submits what it lists, as a launch from
the UI does, so neither the daemon nor the code server waits for a source.
"""

from __future__ import annotations

from typing import Any, Final

from dagster import (
    DefaultScheduleStatus,
    JobDefinition,
    RunRequest,
    RunsFilter,
    ScheduleDefinition,
    ScheduleEvaluationContext,
    SkipReason,
)

from orchestration.dagster.names import op_name
from orchestration.dagster.sensors import UNFINISHED
from orchestration.jobs.schedules import Schedule
from orchestration.topology.graph import TopologyGraph

__all__ = ["VERIFY_CRON", "sync_schedule", "verify_schedule"]

VERIFY_CRON: Final = "0 4 * * *"
SCHEDULE_TAG: Final = "dagster/schedule_name"
"""Set by Dagster on the runs of a schedule."""


def sync_schedule(
    name: str, schedule: Schedule, graph: TopologyGraph, job: JobDefinition
) -> ScheduleDefinition:
    """A schedule that launches the topology's job on the source's new and changed documents.

    A tick is skipped while the run of an earlier one still waits or works.
    """
    schedule_name = f"sync_{name.replace('-', '_')}"
    first_op = op_name(next(node.name for node in graph.nodes if node.is_source))
    run_config = {"ops": {first_op: {"config": _request(schedule)}}}

    def evaluate(context: ScheduleEvaluationContext) -> RunRequest | SkipReason:
        earlier = context.instance.get_runs(
            RunsFilter(statuses=UNFINISHED, tags={SCHEDULE_TAG: schedule_name}), limit=1
        )
        if earlier:
            return SkipReason(f"run {earlier[0].run_id} of an earlier tick is unfinished")
        return RunRequest(run_config=run_config)

    search = f" for {schedule.query!r}" if schedule.query else ""
    return ScheduleDefinition(
        name=schedule_name,
        job=job,
        cron_schedule=schedule.cron,
        execution_timezone=schedule.timezone,
        execution_fn=evaluate,
        default_status=DefaultScheduleStatus.STOPPED,
        description=schedule.description
        or f"Reads source {schedule.source}{search} into {schedule.topology}.",
        metadata={"topology": schedule.topology, "source": schedule.source, "file": f"{name}.yaml"},
    )


def verify_schedule(job: Any) -> ScheduleDefinition:
    """Compares the stores every day at 4:00 UTC."""
    return ScheduleDefinition(
        name="verify_daily",
        job=job,
        cron_schedule=VERIFY_CRON,
        execution_timezone="UTC",
        default_status=DefaultScheduleStatus.STOPPED,
        description="Compares ledger, search index, vectors and document store every day at 4:00 UTC.",
    )


def _request(schedule: Schedule) -> dict[str, Any]:
    """The first op's config; fields that the schedule leaves out are left to their defaults."""
    values = {
        "source": schedule.source,
        "paths": list(schedule.paths) or None,
        "query": schedule.query,
        "limit": schedule.limit,
        "mirror": schedule.mirror or None,
        "tenant": schedule.tenant,
        "window": schedule.window,
    }
    return {name: value for name, value in values.items() if value is not None}
