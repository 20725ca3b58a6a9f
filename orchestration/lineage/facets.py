"""Facets of medkg: GPUs, models, attempts and documents of a run.

Comes in: values of a run. Leaves: facets, whose schemas are docs/schemas/openlineage. A published schema is
never changed: a change gets another version, with another address. Source: OpenLineage specification, "Custom
facet naming".
"""

from __future__ import annotations

from typing import Final

import attr
from openlineage.client.facet_v2 import RunFacet

__all__ = [
    "SCHEMA_VERSION",
    "DocumentCountsFacet",
    "GPUUtilizationFacet",
    "GpuReading",
    "ModelVersionFacet",
    "NamedModel",
    "RetryAttemptFacet",
]

SCHEMA_VERSION: Final = "1-0-0"
SCHEMAS: Final = f"https://medicalkg.org/schemas/openlineage/{SCHEMA_VERSION}"
"""Where the files of docs/schemas/openlineage/1-0-0 are published."""


def _schema(name: str) -> str:
    return f"{SCHEMAS}/{name}.json#/$defs/{name}"


@attr.define
class GpuReading:
    """One GPU during a run; percent of the time, GiB."""

    index: int
    uuid: str
    name: str
    meanPercent: float  # noqa: N815 - names of OpenLineage's facets
    peakPercent: float  # noqa: N815
    usedGib: float  # noqa: N815


@attr.define
class GPUUtilizationFacet(RunFacet):
    """How busy the machine's GPUs were while the run worked; key `medkg_gpuUtilization`."""

    gpus: list[GpuReading]
    modelCpuSeconds: float  # noqa: N815
    """CPU seconds of the models' processes."""

    @staticmethod
    def _get_schema() -> str:
        return _schema("MedkgGpuUtilizationRunFacet")


@attr.define
class NamedModel:
    """A model and what it was used for: `dense`, `sparse`, `extraction` ..."""

    role: str
    id: str


@attr.define
class ModelVersionFacet(RunFacet):
    """The models, with their revisions, that shaped what the run made; key `medkg_modelVersion`."""

    models: list[NamedModel]

    @staticmethod
    def _get_schema() -> str:
        return _schema("MedkgModelVersionRunFacet")


@attr.define
class RetryAttemptFacet(RunFacet):
    """What was tried again; key `medkg_retryAttempt`."""

    attempt: int
    """Of the run itself: of a window, or of a stage in its window; from 1."""
    documentAttempts: int | None = None  # noqa: N815
    """Most attempts that one document took."""
    retried: int | None = None
    """Repeated attempts, summed over documents."""
    failedAttempt: int | None = None  # noqa: N815
    """Number of the attempt that failed, in an event that reports it."""
    backoffMs: float | None = None  # noqa: N815
    """Milliseconds until the next one."""
    codes: dict[str, int] | None = None
    """How often each error code occurred."""

    @staticmethod
    def _get_schema() -> str:
        return _schema("MedkgRetryAttemptRunFacet")


@attr.define
class DocumentCountsFacet(RunFacet):
    """Documents of the run by outcome; key `medkg_documentCounts`."""

    total: int
    passed: int
    """Committed; of a stage: passed on."""
    failed: int
    skipped: int
    waiting: int
    pending: int
    reused: int
    failedByCode: dict[str, int]  # noqa: N815

    @staticmethod
    def _get_schema() -> str:
        return _schema("MedkgDocumentCountsRunFacet")
