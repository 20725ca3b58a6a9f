"""The private operators of torch that the fused BERT calls, as they were when it was written.

When this fails after an upgrade of torch: read what TorchInductor emits now, adapt gpu_actors/cpu_bert/{bert,
int8}.py, run the tests of this folder, then write down the new schemas and the new bound in pyproject.toml.
"""

from __future__ import annotations

import tomllib
from importlib.metadata import version
from pathlib import Path

import pytest
import torch
from packaging.requirements import Requirement

SCHEMAS = {
    "mkldnn::_linear_pointwise": (
        "(Tensor X, Tensor W, Tensor? B, str attr, Scalar?[] scalars, str? algorithm) -> Tensor Y"
    ),
    "mkldnn::_linear_pointwise.binary": (
        "(Tensor X, Tensor other, Tensor W, Tensor? B, str attr) -> Tensor Y"
    ),
    "onednn::qlinear_prepack": "(Tensor weight, int[]? x_shape) -> Tensor",
    "onednn::qlinear_pointwise": (
        "(Tensor qx, float x_scale, int x_zero_point, Tensor qw, Tensor w_scale, Tensor w_zero_point, "
        "Tensor? bias, float output_scale, int output_zero_point, ScalarType? output_dtype, "
        "str post_op_name, Scalar?[] post_op_args, str post_op_algorithm) -> Tensor"
    ),
    "onednn::qlinear_pointwise.binary": (
        "(Tensor qx, float x_scale, int x_zero_point, Tensor qw, Tensor w_scale, Tensor w_zero_point, "
        "Tensor? other, Tensor? bias, float output_scale, int output_zero_point, ScalarType? output_dtype, "
        "float other_scale, int other_zp, str binary_post_op, float binary_alpha, str unary_post_op, "
        "Scalar?[] unary_post_op_args, str unary_post_op_algorithm) -> Tensor"
    ),
}


@pytest.mark.parametrize("name", SCHEMAS)
def test_a_private_operator_of_torch_has_the_schema_that_we_call(name: str) -> None:
    namespace, _, operator = name.partition("::")
    packet, _, overload = operator.partition(".")
    callee = getattr(getattr(getattr(torch.ops, namespace), packet), overload or "default")

    assert str(callee._schema) == name + SCHEMAS[name]


def test_torch_is_bounded_to_versions_whose_operators_are_known() -> None:
    project = tomllib.loads(Path("pyproject.toml").read_text(encoding="utf-8"))["project"]
    (torch_requirement,) = (
        requirement
        for requirement in map(Requirement, project["dependencies"])
        if requirement.name == "torch"
    )

    assert torch_requirement.specifier.contains(version("torch"), prereleases=True)
    assert not torch_requirement.specifier.contains("2.14.0")
