"""Dagster IO manager over window artifacts: one Parquet object per op output.

The key is the run's id and the op's name, so a re-execution from failure finds the outputs of the ops that
the first run finished.
"""

from __future__ import annotations

from collections.abc import Callable

from dagster import InputContext, IOManager, OutputContext

from orchestration.contracts.objects import ObjectStore
from orchestration.runs.artifacts import WindowBatch, artifact_key, read_artifact, write_artifact


class WindowArtifactIOManager(IOManager):
    """Keeps WindowBatch values under artifacts/RUN/OP.parquet; the store is opened for the first one."""

    def __init__(self, objects: Callable[[], ObjectStore]) -> None:
        self._objects = objects

    def handle_output(self, context: OutputContext, obj: WindowBatch) -> None:
        """Write the batch; reports its size to the UI."""
        size = write_artifact(self._objects(), _key(context), obj)
        context.add_output_metadata({"documents": len(obj.items), "bytes": size})

    def load_input(self, context: InputContext) -> WindowBatch:
        """Read what the upstream op wrote, in this run or in the run that it re-executes."""
        assert context.upstream_output is not None
        return read_artifact(self._objects(), _key(context.upstream_output))


def _key(context: OutputContext) -> str:
    run_id, *step = context.get_identifier()
    return artifact_key(run_id, ".".join(step))
