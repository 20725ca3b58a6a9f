"""What Dagster loads of one data folder: jobs, assets, checks, sensors, schedules and resources.

Input: the environment (MEDKG_DATA_DIR and the rest). Output: `defs`. Importing this loads neither torch nor
ray: models live in the plane, which the resources reach when an op first needs it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import structlog
from dagster import Definitions, ResourceDefinition, in_process_executor

from orchestration.assembly import Assembly
from orchestration.contracts import Phase, Submission
from orchestration.dagster.assets import asset_specs
from orchestration.dagster.checks import StoreVerification, account_check, stores_check, verify_job
from orchestration.dagster.compile import compile_jobs
from orchestration.dagster.io_manager import WindowArtifactIOManager
from orchestration.dagster.names import dagster_names
from orchestration.dagster.schedules import sync_schedule, verify_schedule
from orchestration.dagster.sensors import job_sensors
from orchestration.jobs.schedules import Schedule, read_schedules
from orchestration.settings import load_settings

__all__ = ["build_definitions", "defs"]


def build_definitions(assembly: Assembly) -> Definitions:
    """Definitions of every valid topology and schedule.

    An invalid topology or schedule is left out; `medkg topology list` and `medkg doctor` name it.
    """
    settings, topologies = assembly.settings, assembly.topologies
    resources = _resources(assembly)
    graphs = {name: topologies.load(name) for name in topologies.valid_names()}
    jobs = {job.name: job for graph in graphs.values() for job in compile_jobs(graph, resources)}
    schedules = _schedules(assembly, graphs)
    check = stores_check()
    verify = verify_job(check)

    def names_of(submission: Submission, phase: Phase) -> tuple[str, str]:
        graph = assembly.topology_of(submission.pipeline_name, submission.pipeline_version)
        return dagster_names(graph, phase)

    return Definitions(
        assets=asset_specs(list(graphs.values()), schedules, settings),
        asset_checks=[*(account_check(name) for name in graphs), check],
        jobs=[*jobs.values(), verify],
        schedules=[
            *(
                sync_schedule(name, schedule, graphs[schedule.topology], jobs[graphs[schedule.topology].job])
                for name, schedule in schedules.items()
            ),
            verify_schedule(verify),
        ],
        sensors=job_sensors(
            list(jobs.values()),
            lambda: assembly.ledger,
            lambda: assembly.submissions,
            lambda: assembly.gate_sweeps,
            names_of,
            most_outstanding=2 * settings.window_workers,
        ),
        resources=resources,
        executor=in_process_executor,
    )


def _resources(assembly: Assembly) -> dict[str, Any]:
    return {
        "artifacts": WindowArtifactIOManager(lambda: assembly.objects),
        "plugin_manager": _resource(lambda: assembly.stages, "Installed stages by name."),
        "job_ledger": _resource(lambda: assembly.ledger, "Where each document stands."),
        "haystack_pipeline": _resource(lambda: assembly.plane, "The actor plane that holds the models."),
        "kafka": _resource(
            lambda: assembly.kafka,
            "The Kafka cluster of MEDKG_KAFKA_BROKERS: its brokers and topics, and `check`.",
        ),
        "store_verification": _resource(
            lambda: StoreVerification(
                assembly.ledger, lambda: assembly.verification, assembly.settings.tenant
            ),
            "Compares ledger, search store, vectors and documents.",
        ),
        "window_runs": _resource(
            lambda: assembly.window_runs, "Runs the stages of windows and commits them."
        ),
    }


def _schedules(assembly: Assembly, topologies: Mapping[str, object]) -> Mapping[str, Schedule]:
    schedules = read_schedules(assembly.settings.schedules_folder, topologies.keys())
    for error in schedules.problems.values():
        structlog.get_logger(__name__).error("schedule left out", code=error.code, message=error.message)
    return schedules.valid


def _resource(get: Callable[[], Any], description: str) -> ResourceDefinition:
    """A part of the assembly, created when an op first needs it and kept by this process."""
    return ResourceDefinition(lambda _: get(), description=description)


_assembly = Assembly(load_settings())
defs = build_definitions(_assembly)
warm_up = _assembly.warm_up
"""Called by a window worker before its first run."""
