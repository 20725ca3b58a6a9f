"""Reports of stages name the models and GPUs that they computed with."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from orchestration.assembly.assembled import Assembly
from orchestration.assembly.stage_resources import StageResources
from orchestration.contracts import GpuUse
from orchestration.errors import ConfigurationError
from orchestration.settings import load_settings
from orchestration.topology.graph import StageNode

GPU = GpuUse(index=0, uuid="GPU-0", name="H200", mean_percent=50, peak_percent=90, used_gib=20)


def nodes(tmp_path: Path) -> tuple[Assembly, Mapping[str, StageNode]]:
    """The steps of `auto`."""
    assembly = Assembly(load_settings(data_dir=tmp_path))
    return assembly, {node.name: node for node in assembly.topologies.load("auto").nodes}


def test_embed_and_extract_name_their_models_and_other_stages_none(tmp_path: Path) -> None:
    assembly, steps = nodes(tmp_path)
    models = {name: assembly.stage_resources.models(node) for name, node in steps.items()}
    named = {name: set(ids) for name, ids in models.items() if ids}
    assert named == {"embed": {"dense", "sparse"}, "extract": {"encoder"}}
    assert models["embed"] == dict(assembly.model_ids())
    assert models["extract"]["encoder"] == assembly.extraction_model()


def test_the_cpu_profile_reads_no_gpu(tmp_path: Path) -> None:
    assembly, steps = nodes(tmp_path)
    assert assembly.stage_resources.gpus(steps["embed"], 0.0) == ()


def test_only_stages_that_compute_with_models_have_the_use_of_gpus(tmp_path: Path) -> None:
    _, steps = nodes(tmp_path)
    resources = StageResources(dict, lambda _: {}, lambda since: [GPU] if since == 7.0 else [])
    with_gpus = {name for name, node in steps.items() if resources.gpus(node, 7.0) == (GPU,)}
    assert with_gpus == {"chunk", "embed", "extract"}


def test_a_model_that_cannot_be_had_costs_the_report_of_a_stage_nothing(tmp_path: Path) -> None:
    def missing() -> Any:
        raise ConfigurationError("no such model.")

    _, steps = nodes(tmp_path)
    assert StageResources(missing, lambda _: {}, None).models(steps["embed"]) == {}
