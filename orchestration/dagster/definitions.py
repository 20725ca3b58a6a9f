"""What Dagster loads: one job a topology, the sensors and the resources, over the data folder's settings.

Comes in: the environment (MEDKG_DATA_DIR and the rest). Leaves: `defs`. Importing this loads neither torch
nor ray: models live in the plane, which the resources reach when an op first needs it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from dagster import AssetSpec, Definitions, ResourceDefinition

from orchestration.assembly import Assembly
from orchestration.contracts import Submission
from orchestration.dagster.compile import compile_jobs
from orchestration.dagster.io_manager import WindowArtifactIOManager
from orchestration.dagster.names import dagster_names
from orchestration.dagster.sensors import job_sensors
from orchestration.settings import load_settings

__all__ = ["build_definitions", "defs"]


def build_definitions(assembly: Assembly) -> Definitions:
    """Jobs of every valid topology; an invalid one is left out and named by `medkg topology list`."""
    topologies = assembly.topologies
    resources: dict[str, Any] = {
        "artifacts": WindowArtifactIOManager(lambda: assembly.objects),
        "plugin_manager": _resource(lambda: assembly.stages, "Installed stages by name."),
        "job_ledger": _resource(lambda: assembly.ledger, "Where each document stands."),
        "haystack_pipeline": _resource(lambda: assembly.plane, "The actor plane that holds the models."),
        "window_runs": _resource(lambda: assembly.window_runs, "Runs the stages of windows."),
    }
    graphs = [topologies.load(name) for name in topologies.valid_names()]
    jobs = [job for graph in graphs for job in compile_jobs(graph, resources)]

    def names_of(submission: Submission, resumed: bool) -> tuple[str, str]:
        graph = assembly.topology_of(submission.pipeline_name, submission.pipeline_version)
        return dagster_names(graph, resumed=resumed)

    return Definitions(
        assets=[_index_asset(name) for name in topologies.valid_names()],
        jobs=jobs,
        sensors=job_sensors(
            jobs,
            lambda: assembly.ledger,
            lambda: assembly.submissions,
            lambda: assembly.gate_looks,
            names_of,
            most_outstanding=2 * assembly.settings.window_workers,
        ),
        resources=resources,
    )


def _index_asset(topology: str) -> AssetSpec:
    """What a topology's windows write to, so that the UI plots documents, chunks and rates over time."""
    return AssetSpec(
        ["search_index", topology],
        description=f"Documents and chunks that windows of topology {topology} wrote to the index.",
    )


def _resource(get: Callable[[], Any], description: str) -> ResourceDefinition:
    """A part of the assembly, made when an op first needs it and kept by this process."""
    return ResourceDefinition(lambda _: get(), description=description)


_assembly = Assembly(load_settings())
defs = build_definitions(_assembly)
warm_up = _assembly.warm_up
"""What a window worker calls before its first run."""
