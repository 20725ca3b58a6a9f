"""Named resilience policies: attempts, waits, time-outs, breakers and rates.

Comes in: resilience.yaml. Leaves: frozen ResiliencePolicyConfigs, or a ConfigurationError that names file,
line and the valid values. All bounds are in these models; the JSON Schema for editors is made from them.
"""

from __future__ import annotations

import hashlib
import logging
from pathlib import Path
from typing import Annotated, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator

from orchestration.errors import ConfigurationError
from orchestration.formats.yaml_source import closest, parse_yaml, read_bytes, schema_json, validate

__all__ = [
    "CircuitBreakerConfig",
    "ExponentialBackoff",
    "LinearBackoff",
    "NoBackoff",
    "RateLimitConfig",
    "ResiliencePolicies",
    "ResiliencePolicyConfig",
    "ResiliencePolicyLoader",
    "resilience_schema_json",
]

POLICY_FILE: Final = "resilience.yaml"

PolicyName = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9]*(-[a-z0-9]+)*$", max_length=60)]


class _Settings(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class NoBackoff(_Settings):
    """No wait between attempts."""

    kind: Literal["none"] = Field(description="No waiting between attempts.")


class LinearBackoff(_Settings):
    """Waits first, first + step, first + 2 steps ... seconds, at most `most_seconds`."""

    kind: Literal["linear"] = Field(description="Waiting grows by the same step each time.")
    first_seconds: Annotated[float, Field(ge=0, le=600)] = Field(
        default=1, description="First wait, seconds."
    )
    step_seconds: Annotated[float, Field(ge=0, le=600)] = Field(default=1, description="Growth, seconds.")
    most_seconds: Annotated[float, Field(ge=0, le=600)] = Field(default=10, description="Longest, seconds.")

    @model_validator(mode="after")
    def _grows(self) -> LinearBackoff:
        _check_order(self.first_seconds, self.most_seconds)
        return self


class ExponentialBackoff(_Settings):
    """Waits first, 2 first, 4 first ... seconds plus up to one `first` at random, at most `most_seconds`."""

    kind: Literal["exponential"] = Field(description="Waiting doubles each time.")
    first_seconds: Annotated[float, Field(gt=0, le=600)] = Field(
        default=0.5, description="First wait, seconds."
    )
    most_seconds: Annotated[float, Field(gt=0, le=600)] = Field(default=30, description="Longest, seconds.")
    jitter: bool = Field(
        default=True, description="Add chance, so that many callers do not come back at once."
    )

    @model_validator(mode="after")
    def _grows(self) -> ExponentialBackoff:
        _check_order(self.first_seconds, self.most_seconds)
        return self


def _check_order(first: float, most: float) -> None:
    if most < first:
        raise ValueError(f"most_seconds ({most:g}) is less than first_seconds ({first:g})")


class CircuitBreakerConfig(_Settings):
    """Leaves a dependency alone for a while after a number of failures in a row."""

    failure_threshold: Annotated[int, Field(ge=1, le=20)] = Field(
        default=5, description="Failed attempts in a row that open the breaker."
    )
    reset_seconds: Annotated[float, Field(ge=1, le=600)] = Field(
        default=60, description="Seconds until one attempt may try whether the dependency is back."
    )


class RateLimitConfig(_Settings):
    """Rate of calls to one host, or of one stage that names no host."""

    requests_per_second: Annotated[float, Field(ge=0.1, le=100)] = Field(
        description="Calls a second, on average."
    )
    burst: Annotated[int, Field(ge=1, le=100)] = Field(default=1, description="Calls that may come at once.")


class ResiliencePolicyConfig(_Settings):
    """How the calls of a stage are repeated, timed and limited."""

    description: str = Field(default="", max_length=500, description="What the policy is for.")
    max_attempts: Annotated[int, Field(ge=1, le=20)] = Field(
        default=4, description="Attempts for each document, the first call included."
    )
    backoff_strategy: Annotated[
        NoBackoff | LinearBackoff | ExponentialBackoff, Field(discriminator="kind")
    ] = Field(
        default=ExponentialBackoff(kind="exponential"), description="How long to wait between attempts."
    )
    timeout_seconds: Annotated[float, Field(ge=1, le=600)] = Field(
        default=30,
        description="Seconds of one attempt: of a document in a worker process, of a micro-batch elsewhere.",
    )
    circuit_breaker_config: CircuitBreakerConfig | None = Field(
        default=None, description="When a failing dependency is left alone; default: never."
    )
    rate_limit_config: RateLimitConfig | None = Field(
        default=None, description="How fast a host may be called; default: as fast as it answers."
    )


class ResiliencePolicies(_Settings):
    """The content of resilience.yaml."""

    policies: dict[PolicyName, ResiliencePolicyConfig] = Field(
        min_length=1, max_length=64, description="Policies by name; `default` must be among them."
    )

    @model_validator(mode="after")
    def _has_a_default(self) -> ResiliencePolicies:
        if "default" not in self.policies:
            raise ValueError(
                "no policy is named 'default', which applies to stages that name none; "
                f"the file defines {', '.join(sorted(self.policies))}"
            )
        return self


def resilience_schema_json() -> str:
    """The JSON Schema of resilience.yaml; docs/guides/resilience-schema.json is a copy."""
    return schema_json(ResiliencePolicies, "medkg resilience policies")


class ResiliencePolicyLoader:
    """The policies of one folder's resilience.yaml, read again when its content changes.

    After an edit that breaks the file the last valid policies stay in use; `problem` is the error.
    """

    def __init__(self, folder: Path) -> None:
        self._path = folder / POLICY_FILE
        self._sha256 = ""
        self._policies: dict[str, ResiliencePolicyConfig] = {}
        self.problem: ConfigurationError | None = None

    def names(self) -> tuple[str, ...]:
        """Names of all policies, sorted; raises ConfigurationError when the file was never valid."""
        return tuple(sorted(self._current()))

    def load(self, name: str) -> ResiliencePolicyConfig:
        """The policy of that name; raises ConfigurationError that lists the defined ones."""
        policies = self._current()
        if name not in policies:
            raise ConfigurationError(
                f"{self._path} defines no policy {name!r}; it defines {', '.join(sorted(policies))}."
                f"{closest(name, sorted(policies))}"
            )
        return policies[name]

    def _current(self) -> dict[str, ResiliencePolicyConfig]:
        try:
            content = read_bytes(self._path, ConfigurationError)
            sha256 = hashlib.sha256(content).hexdigest()
            if sha256 != self._sha256:
                source = parse_yaml(content, self._path, ConfigurationError)
                self._policies = dict(validate(source, ResiliencePolicies).policies)
                self._sha256 = sha256
            self.problem = None
        except ConfigurationError as error:
            self._note(error)
        return self._policies

    def _note(self, error: ConfigurationError) -> None:
        if not self._policies:
            raise error
        if self.problem is None or self.problem.message != error.message:
            logging.getLogger(__name__).warning("the changed policies are not used: %s", error.message)
        self.problem = error
