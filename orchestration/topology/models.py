"""Fields of a topology file: stages, their edges, and gates. Checks the shape; `graph` checks the rest.

Comes in: plain data from YAML. Leaves: frozen models; the JSON Schema for editors is made from them.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, field_validator, model_validator

__all__ = ["GateDefinition", "PipelineTopologyConfig", "StageDefinition", "StageType", "TopologyName"]

TopologyName = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9]*(-[a-z0-9]+)*$", max_length=60)]
"""clinical-trials: words joined by hyphens, so that `clinical_trials_job` belongs to one topology."""

StageName = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9]*(_[a-z0-9]+)*$", max_length=40)]
"""ir_validation: becomes the Dagster op `ir_validation_op`."""

JobName = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]*$", max_length=80)]
EntryPointName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$", max_length=80)]
PolicyName = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9]*(-[a-z0-9]+)*$", max_length=60)]

StageType = Literal[
    "ingest", "download", "pdf-ir", "parse", "ir-validation", "chunk", "embed", "index", "extract", "kg"
]
"""Stage protocol of a step, which determines its input and output."""

GateField = Literal["pdf_downloaded", "pdf_ir_ready"]
"""Ledger fields that a gate may require."""

RESERVED_STAGE_NAMES = frozenset(
    {"commit", "hold", "resume", "context", "window", "config", "input", "output", "type", "result"}
)
"""Names that the Dagster job of a topology uses itself."""


class StageDefinition(BaseModel):
    """One step of a topology."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: StageName = Field(description="Unique in the topology; the Dagster op is <name>_op.")
    type: StageType = Field(description="Stage protocol of the step, which determines its input and output.")
    uses: EntryPointName | None = Field(
        default=None,
        description="Entry point (medkg.stages) of the implementation; default: the one named like `type`.",
    )
    description: str = Field(default="", max_length=500, description="What the step is for, shown in the UI.")
    takes_from: StageName | None = Field(
        default=None, description="Step whose output this one works on; only `ingest` has none."
    )
    after: tuple[StageName, ...] = Field(
        default=(),
        max_length=32,
        description="Steps that must have ended first, whose output is not used.",
    )
    policy: PolicyName = Field(default="default", description="Resilience policy of resilience.yaml.")
    optional: bool = Field(
        default=False,
        description="Its failure, or that of its service, is dead-lettered and the document is committed "
        "without it; the next run or a replay makes up for extract and kg alone.",
    )
    config: dict[str, Any] = Field(
        default_factory=dict, max_length=64, description="Keyword arguments of the implementation."
    )

    @property
    def implementation(self) -> str:
        """Entry point that implements the step."""
        return self.uses or self.type

    @field_validator("name")
    @classmethod
    def _not_reserved(cls, name: str) -> str:
        if name in RESERVED_STAGE_NAMES:
            raise ValueError(f"{name!r} is reserved; choose another name, e.g. '{name}_step'")
        return name


class GateDefinition(BaseModel):
    """Lets documents wait before a stage until ledger fields have the required values."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: StageName = Field(description="Unique in the topology.")
    description: str = Field(default="", max_length=500, description="What documents wait for.")
    conditions: dict[GateField, bool] = Field(
        min_length=1, description="Ledger fields and the values that open the gate, e.g. pdf_ir_ready: true."
    )
    resume_stage: StageName = Field(description="Step that goes on when the gate opens.")
    resume: Literal["automatic", "manual"] = Field(
        default="automatic",
        description="automatic: opens as soon as the conditions hold; manual: by `medkg gate open` alone.",
    )
    timeout_seconds: Annotated[float, Field(ge=1, le=2_592_000)] = Field(
        default=900, description="Seconds a document waits before it fails; at most 30 days."
    )
    poll_interval_seconds: Annotated[float, Field(ge=1, le=3_600)] = Field(
        default=10, description="Seconds between two readings of the ledger."
    )

    @model_validator(mode="after")
    def _polls_before_it_times_out(self) -> GateDefinition:
        if self.poll_interval_seconds > self.timeout_seconds:
            raise ValueError(
                f"poll_interval_seconds ({self.poll_interval_seconds:g}) is longer than timeout_seconds "
                f"({self.timeout_seconds:g}); make it at most that"
            )
        return self


def _default_job(fields: Mapping[str, Any]) -> str:
    return f"{fields['name'].replace('-', '_')}_job"


class PipelineTopologyConfig(BaseModel):
    """One pipeline: the content of topologies/<name>.yaml."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: TopologyName = Field(description="Name of the pipeline; the file is <name>.yaml.")
    version: str = Field(
        pattern=r"^\d{4}-\d{2}-\d{2}$",
        description="Date of this version, YYYY-MM-DD; what its stages change is processed again.",
    )
    description: str = Field(min_length=1, max_length=500, description="What the pipeline is for.")
    job: JobName = Field(
        default_factory=_default_job, description="Name of the Dagster job; default: <name>_job."
    )
    stages: tuple[StageDefinition, ...] = Field(min_length=1, max_length=64, description="The steps.")
    gates: tuple[GateDefinition, ...] = Field(
        default=(),
        max_length=1,
        description="Where documents wait for a condition; it divides the pipeline into two jobs.",
    )

    @field_validator("version")
    @classmethod
    def _is_a_date(cls, version: str) -> str:
        try:
            date.fromisoformat(version)
        except ValueError as error:
            raise ValueError(f"{version} is not a date ({error}); write YYYY-MM-DD") from error
        return version
