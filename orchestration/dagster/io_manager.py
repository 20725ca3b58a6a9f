"""Dagster IO manager over window artifacts: one Parquet file for each op output.

The path is the run's id and the op's name, so a re-execution from failure finds what the first run's
finished ops left.
"""

from __future__ import annotations

from pathlib import Path

from dagster import ConfigurableIOManager, InputContext, OutputContext

from orchestration.artifacts import WindowBatch, read_artifact, write_artifact


class WindowArtifactIOManager(ConfigurableIOManager):
    """Keeps WindowBatch values as Parquet under `folder`/RUN/OP.parquet."""

    folder: str

    def handle_output(self, context: OutputContext, obj: WindowBatch) -> None:
        """Write the batch; reports its size to the UI."""
        size = write_artifact(self._path(context), obj)
        context.add_output_metadata({"documents": len(obj.items), "bytes": size})

    def load_input(self, context: InputContext) -> WindowBatch:
        """Read what the upstream op wrote, in this run or in the one that is being re-executed."""
        assert context.upstream_output is not None
        return read_artifact(self._path(context.upstream_output))

    def _path(self, context: OutputContext) -> Path:
        run_id, *step = context.get_identifier()
        return Path(self.folder) / run_id / f"{'.'.join(step)}.parquet"
