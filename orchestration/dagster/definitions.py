"""What Dagster loads: one job a topology, the sensors and the resources, over the data folder's settings.

Comes in: the environment (MEDKG_DATA_DIR and the rest). Leaves: `defs`. Importing this loads neither torch
nor ray: models live in the plane, which the resources reach when an op first needs it.
"""

from __future__ import annotations

from dagster import Definitions, ResourceDefinition

from orchestration.assembly import Assembly
from orchestration.contracts import Submission
from orchestration.dagster.compile import compile_job
from orchestration.dagster.io_manager import WindowArtifactIOManager
from orchestration.dagster.names import op_name
from orchestration.dagster.sensors import job_sensors
from orchestration.settings import load_settings
from orchestration.topology.graph import TopologyGraph

__all__ = ["build_definitions", "defs"]


def build_definitions(assembly: Assembly) -> Definitions:
    """Jobs of every valid topology; an invalid one is left out and named by `medkg topology list`."""
    graphs = {name: assembly.topologies.load(name) for name in assembly.topologies.valid_names()}
    jobs = [compile_job(graph) for graph in graphs.values()]
    return Definitions(
        jobs=jobs,
        sensors=job_sensors(
            jobs,
            lambda: assembly.ledger,
            lambda: assembly.submissions,
            lambda submission: dagster_names(graphs[submission.pipeline_name]),
            most_outstanding=2 * assembly.settings.window_workers,
        ),
        resources={
            "artifacts": WindowArtifactIOManager(folder=str(assembly.settings.artifacts_dir)),
            "plugin_manager": _resource(lambda: assembly.plugins, "Installed sources, parsers and stages."),
            "job_ledger": _resource(lambda: assembly.ledger, "Where each document stands."),
            "haystack_pipeline": _resource(lambda: assembly.plane, "The actor plane that holds the models."),
            "window_runs": _resource(lambda: assembly.window_runs, "Runs a window's stages."),
        },
    )
