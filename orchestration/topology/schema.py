"""The JSON Schema of topology files, for checks and completion in editors.

Comes in: the models. Leaves: docs/guides/pipeline-schema.json, and `check_fresh`, which fails when that file
does not match the models.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

from orchestration.errors import ConfigurationError
from orchestration.formats.yaml_source import schema_json
from orchestration.topology.models import PipelineTopologyConfig

__all__ = ["PIPELINE_SCHEMA", "check_fresh", "pipeline_schema_json"]

PIPELINE_SCHEMA: Final = "pipeline-schema.json"


def pipeline_schema_json() -> str:
    """The JSON Schema of topology files."""
    return schema_json(PipelineTopologyConfig, "medkg topology")


def check_fresh(folder: Path) -> None:
    """Raise ConfigurationError when the schema file in `folder` does not match the models."""
    path = folder / PIPELINE_SCHEMA
    if not path.is_file() or path.read_text(encoding="utf-8") != pipeline_schema_json():
        raise ConfigurationError(
            f"{path} does not match the models. Write it again: medkg topology schema > {path}"
        )
