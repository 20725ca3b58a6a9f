"""The cluster files are what Ray's launcher takes, and run what is in this repository."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import pytest
from pydantic.warnings import PydanticDeprecatedSince20
from ray.autoscaler._private.util import prepare_config, validate_config
from ruamel.yaml import YAML

ROOT = Path(__file__).parents[2]


def read(name: str) -> dict[str, Any]:
    config: dict[str, Any] = YAML(typ="safe").load(ROOT / name)
    return config


def options_of_ray_start() -> set[str]:
    """Imported here: Ray's commands load Ray Serve, which takes 0.5 s and warns about itself."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", PydanticDeprecatedSince20)
        from ray.scripts.scripts import start

    return {option for parameter in start.params for option in parameter.opts}


@pytest.mark.parametrize("name", ["ray_cluster.yaml", "ops/ray_one_machine.yaml"])
def test_rays_launcher_takes_the_file(name: str) -> None:
    validate_config(prepare_config(read(name)))


@pytest.mark.parametrize("name", ["ray_cluster.yaml", "ops/ray_one_machine.yaml"])
def test_ray_start_knows_every_option(name: str) -> None:
    known = options_of_ray_start()
    config = read(name)
    words = " ".join(config["head_start_ray_commands"] + config["worker_start_ray_commands"]).split()

    options = {word.split("=")[0] for word in words if word.startswith("--")}

    assert options and options <= known


def test_gpu_workers_come_and_go_and_the_head_has_none() -> None:
    types = read("ray_cluster.yaml")["available_node_types"]

    assert types["head"]["resources"]["GPU"] == 0
    assert types["gpu_worker"]["min_workers"] < types["gpu_worker"]["max_workers"]
