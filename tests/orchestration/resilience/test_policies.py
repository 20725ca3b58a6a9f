"""Policies have bounds, and the error of a wrong file names file, line and the valid values."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from orchestration.errors import ConfigurationError
from orchestration.resilience.policies import (
    ExponentialBackoff,
    LinearBackoff,
    NoBackoff,
    ResiliencePolicyConfig,
    ResiliencePolicyLoader,
)
from orchestration.topology.shipped import shipped_folder


def loader(folder: Path, text: str) -> ResiliencePolicyLoader:
    (folder / "resilience.yaml").write_text(text, encoding="utf-8")
    return ResiliencePolicyLoader(folder)


def test_the_shipped_policies_are_those_of_the_design() -> None:
    shipped = ResiliencePolicyLoader(shipped_folder())
    default, gpu, polite = (shipped.load(name) for name in ("default", "gpu-bound", "polite-api"))
    assert (default.max_attempts, default.timeout_seconds) == (4, 30)
    assert default.backoff_strategy == ExponentialBackoff(
        kind="exponential", first_seconds=0.5, most_seconds=30
    )
    assert (gpu.max_attempts, gpu.timeout_seconds, gpu.backoff_strategy) == (2, 60, NoBackoff(kind="none"))
    assert (polite.max_attempts, polite.timeout_seconds) == (11, 10)
    assert polite.backoff_strategy == LinearBackoff(
        kind="linear", first_seconds=1, step_seconds=1, most_seconds=10
    )
    assert polite.rate_limit_config is not None
    assert polite.rate_limit_config.requests_per_second == 5
    for policy in (default, gpu):
        assert policy.circuit_breaker_config is not None
        assert policy.circuit_breaker_config.failure_threshold == 5
        assert policy.circuit_breaker_config.reset_seconds == 60


@pytest.mark.parametrize(
    ("field", "low", "high"),
    [
        ("max_attempts", 1, 20),
        ("timeout_seconds", 1, 600),
        ("circuit_breaker_config.failure_threshold", 1, 20),
        ("circuit_breaker_config.reset_seconds", 1, 600),
        ("rate_limit_config.requests_per_second", 0.1, 100),
    ],
)
def test_bounds_hold(field: str, low: float, high: float) -> None:
    def policy(value: float) -> ResiliencePolicyConfig:
        *around, name = field.split(".")
        fields: dict[str, Any] = {name: value}
        return ResiliencePolicyConfig.model_validate({around[0]: fields} if around else fields)

    policy(low)
    policy(high)
    for value in (low / 2, -1, high + 1):
        with pytest.raises(ValidationError):
            policy(value)


def test_the_error_of_an_unknown_policy_lists_the_defined_ones() -> None:
    with pytest.raises(
        ConfigurationError,
        match=r"no policy 'polite'.*default, download, gpu-bound, language-model, many-hosts, ncbi-api",
    ):
        ResiliencePolicyLoader(shipped_folder()).load("polite")


@pytest.mark.parametrize(
    ("text", "error"),
    [
        (
            "policies:\n  default:\n    max_attempts: 50\n",
            "resilience.yaml:3: 'policies.default.max_attempts' is 50",
        ),
        ("policies:\n  default:\n    max_atempts: 5\n", "Did you mean 'max_attempts'?"),
        ("policies:\n  polite:\n    max_attempts: 5\n", "no policy is named 'default'"),
        (
            "policies:\n  default:\n    backoff_strategy: {kind: linear, factor: 2}\n",
            "Valid here: first_seconds, kind, most_seconds, step_seconds",
        ),
        (
            "policies:\n  default:\n    backoff_strategy: {kind: fibonacci}\n",
            "'none', 'linear', 'exponential'",
        ),
        (
            "policies:\n  default:\n    backoff_strategy: {kind: linear, first_seconds: 9, most_seconds: 2}",
            "most_seconds (2) is less than first_seconds (9)",
        ),
    ],
)
def test_a_wrong_file_is_refused_with_the_valid_values(tmp_path: Path, text: str, error: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        loader(tmp_path, text).names()
    assert error in str(caught.value)


def test_an_edit_is_used_and_a_broken_one_is_not(tmp_path: Path) -> None:
    policies = loader(tmp_path, "policies:\n  default: {max_attempts: 3}\n")
    assert policies.load("default").max_attempts == 3
    (tmp_path / "resilience.yaml").write_text("policies:\n  default: {max_attempts: 5}\n")
    assert policies.load("default").max_attempts == 5
    (tmp_path / "resilience.yaml").write_text("policies: [")
    assert policies.load("default").max_attempts == 5
    assert policies.problem is not None
    assert "resilience.yaml:1" in policies.problem.message


@given(st.integers(1, 20), st.floats(1, 600), st.integers(1, 20), st.floats(0.1, 100))
def test_a_policy_within_bounds_survives_a_round_trip(
    attempts: int, timeout: float, threshold: int, rate: float
) -> None:
    policy = ResiliencePolicyConfig.model_validate(
        {
            "max_attempts": attempts,
            "timeout_seconds": timeout,
            "circuit_breaker_config": {"failure_threshold": threshold},
            "rate_limit_config": {"requests_per_second": rate},
        }
    )
    assert ResiliencePolicyConfig.model_validate_json(policy.model_dump_json()) == policy
