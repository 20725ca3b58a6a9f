"""Runs of the lineage as records: what is open, and one change of a run.

Comes in: nothing. Leaves: records. `OpenRuns` is what the emitter keeps between two batches of facts, as JSON
in the state of its reader; `RunChange` becomes one OpenLineage event.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final, NamedTuple
from uuid import NAMESPACE_URL, UUID, uuid5

from pydantic import BaseModel, ConfigDict, Field

from orchestration.contracts.facts import FactDocument, StageRetried
from orchestration.contracts.jobs import DocumentCounts, StageReport

__all__ = [
    "HASH",
    "Counts",
    "DatasetName",
    "JobRun",
    "Level",
    "OpenRuns",
    "RunChange",
    "RunState",
    "WindowRun",
    "counts_of_job",
    "counts_of_stage",
    "hash_of",
    "uuid_of",
]

HASH: Final = 16
"""Hexadecimal digits of a document's hash that are kept: 64 bits."""


class Level(StrEnum):
    """What a run is a run of."""

    JOB = "job"
    WINDOW = "window"
    STAGE = "stage"


class RunState(StrEnum):
    """Types of run events. Source: OpenLineage 2-0-2, RunEvent.eventType."""

    START = "START"
    RUNNING = "RUNNING"
    COMPLETE = "COMPLETE"
    ABORT = "ABORT"
    FAIL = "FAIL"
    OTHER = "OTHER"


class DatasetName(NamedTuple):
    """A dataset, as OpenLineage names it."""

    namespace: str
    name: str


@dataclass(frozen=True, slots=True)
class Counts:
    """Documents of a run by outcome, and what was written of them."""

    total: int = 0
    passed: int = 0
    """Committed; of a stage: passed on."""
    failed: int = 0
    skipped: int = 0
    waiting: int = 0
    """At a gate."""
    pending: int = 0
    """Of a job: queued or running; of a window: queued again."""
    reused: int = 0
    """Of a stage: passed on with the result of an earlier run."""
    by_code: Mapping[str, int] = field(default_factory=dict)
    """Failed documents by error code."""


@dataclass(frozen=True, slots=True)
class RunChange:
    """A run started, goes on or ended."""

    level: Level
    run_id: str
    """UUID."""
    state: RunState
    at: float
    """Seconds since the epoch."""
    tenant: str
    pipeline: str
    version: str
    job_id: str
    """Job of medkg: id of the root run."""
    parent_run_id: str | None = None
    """Run above it; None for a job."""
    stage: str = ""
    source: str = ""
    """Source plugin, of a job."""
    inputs: tuple[DatasetName, ...] = ()
    """Datasets that the job's source reads."""
    error: str | None = None
    counts: Counts | None = None
    written: Mapping[str, int] = field(default_factory=dict)
    """Committed so far by the run: `documents`, `chunks`, `mentions`, `claims`."""
    report: StageReport | None = None
    retried: StageRetried | None = None
    attempt: int = 1
    """Number of the run's attempt at the same window, or of the stage in its window."""

    @property
    def root_run_id(self) -> str:
        """Run id of its job."""
        return uuid_of(self.job_id)


class _State(BaseModel):
    model_config = ConfigDict(extra="ignore")
    """A newer version's state is read by an older one."""


class JobRun(_State):
    """A job that has started."""

    tenant: str
    pipeline: str
    version: str
    source: str = ""
    inputs: list[DatasetName] = Field(default_factory=list)
    written: Counter[str] = Field(default_factory=Counter)
    ended: bool = False
    """It had its last event: kept while it is stalled, or has open windows."""
    cancelled: bool = False


class WindowRun(_State):
    """A window that has started."""

    job_id: str
    run_id: str
    tenant: str
    pipeline: str
    version: str
    attempt: int = 1
    documents: list[str] = Field(default_factory=list)
    """Hashes of those that have not ended in it, in the order in which it got them."""
    total: int = 0
    outcomes: Counter[str] = Field(default_factory=Counter)
    """`passed`, `failed`, `skipped`, `waiting`, `pending`."""
    codes: Counter[str] = Field(default_factory=Counter)
    written: Counter[str] = Field(default_factory=Counter)
    reason: str = ""
    """Why documents were queued again."""
    stages: dict[str, str] = Field(default_factory=dict)
    """Run ids of open stages by name."""
    starts: Counter[str] = Field(default_factory=Counter)
    """How often each stage started."""

    def add(self, documents: Iterable[FactDocument | None]) -> None:
        """Add documents that it does not have; erased ones are left out."""
        known = set(self.documents)
        new = [
            each for each in (hash_of(document) for document in documents if document) if each not in known
        ]
        self.documents += new
        self.total += len(new)


class OpenRuns(_State):
    """All that has started and not ended, and what is needed to continue it."""

    jobs: dict[str, JobRun] = Field(default_factory=dict)
    windows: dict[str, WindowRun] = Field(default_factory=dict)
    handed_back: dict[str, int] = Field(default_factory=dict)
    """Attempts at windows whose documents were queued again: a run may take those documents again."""
    rejected: int = 0
    """Events that the lineage server refused."""


def hash_of(document: FactDocument) -> str:
    """The beginning of the hash by which DocumentErased names a document."""
    key = document.key
    return hashlib.sha256(f"{key.tenant_id}/{key.source}/{key.doc_id}".encode()).hexdigest()[:HASH]


def uuid_of(id_: str) -> str:
    """The id, which is a UUID; jobs of tests and of other writers have others, which give a derived one."""
    try:
        return str(UUID(id_))
    except ValueError:
        return str(uuid5(NAMESPACE_URL, f"medkg:{id_}"))


def counts_of_job(counts: DocumentCounts) -> Counts:
    """The account of a job."""
    return Counts(
        total=counts.total,
        passed=counts.committed,
        failed=counts.failed,
        skipped=counts.skipped,
        waiting=counts.waiting,
        pending=counts.pending,
    )


def counts_of_stage(report: StageReport, codes: Mapping[str, int]) -> Counts:
    """Documents of a stage, with its failures by code."""
    skipped = max(0, report.documents_in - report.documents_out - report.failed)
    return Counts(
        total=report.documents_in,
        passed=report.documents_out,
        failed=report.failed,
        skipped=skipped,
        reused=report.reused,
        by_code=dict(codes),
    )
