"""The requests that a data folder's host answers: one Protocol, which the host implements and clients call.

Input and output are JSON values and records. The names of the methods are the verbs on the wire; what the
host serves and what a client sends are both derived from this Protocol (processes/typed_service.py).
"""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum
from typing import Any, ClassVar, Final, Protocol, TypeVar

from pydantic import Field

from orchestration.contracts.gates import UnavailableConverter
from orchestration.errors import ExitCode
from orchestration.records import Record

__all__ = [
    "ALREADY_SERVED",
    "HOST_SERVICE",
    "ChildHealth",
    "ChildState",
    "DenseRows",
    "HostService",
    "HostStatus",
    "JobProgress",
    "ModelChoice",
    "RunState",
    "SparseRows",
    "seconds_to_answer",
]

HOST_SERVICE: Final = "host"
"""Name of the host's local service in its data folder."""

ALREADY_SERVED: Final = 75
"""Exit code of a host that finds another one for its data folder (sysexits.h: EX_TEMPFAIL)."""

Function = TypeVar("Function", bound=Callable[..., Any])


class RunState(StrEnum):
    """Where a window run is at the host."""

    QUEUED = "queued"
    RUNNING = "running"
    ABSENT = "absent"
    """Never submitted here, or finished."""


class JobProgress(Record):
    """The progress of a job at the host."""

    NOT_STARTED: ClassVar[JobProgress]

    working: bool = Field(description="Whether the host still claims or runs windows of it.")
    running: bool = Field(default=False, description="Whether runs of its windows have not ended yet.")
    news: int = Field(default=0, description="Number of changes so far; what a waiting command has seen.")
    stopping: bool = Field(default=False, description="Whether the host ends before the job does.")
    reason: str | None = Field(default=None, description="Why it stopped with documents pending.")
    exit_code: int = Field(default=ExitCode.UNAVAILABLE, description="What a command returns for that.")


JobProgress.NOT_STARTED = JobProgress(working=False)


class ChildState(StrEnum):
    """Where a child process of the host is."""

    STARTING = "starting"
    RUNNING = "running"
    RESTARTING = "restarting"
    """It ended, or does not answer; another is started."""
    FAILED = "failed"
    """It ends again and again, does not answer for long, or cannot be started."""


class ChildHealth(Record):
    """The health of one child process of the host."""

    name: str = Field(description="code-server, webserver, daemon, fork-server, window-worker-0, ...")
    pid: int | None = Field(description="The process; None while there is none, or on another machine.")
    state: ChildState = Field(description="starting, running, restarting or failed.")
    restarts: int = Field(default=0, description="How often it ended by itself since the host started.")
    problem: str | None = Field(default=None, description="What is wrong, with the last line of its log.")


class HostStatus(Record):
    """What runs for a data folder."""

    pid: int = Field(description="The host's process.")
    kept: bool = Field(description="Started by `medkg up`, so it outlives commands.")
    ui: bool = Field(default=False, description="Started with the Dagster UI and the Ray dashboard.")
    profile: str = Field(description="Profile of its plane.")
    models: dict[str, str] = Field(default_factory=dict, description="Model id by leg, once loaded.")
    rerank_model: str | None = Field(default=None, description="Id of the cross-encoder, once loaded.")
    extraction_model: str | None = Field(
        default=None, description="Id of the extractor's model, once loaded."
    )
    plane: str = Field(description="starting, ready or failed.")
    swapping: bool = Field(default=False, description="Whether runs with previous models still execute.")
    plane_error: str | None = Field(default=None, description="Why the plane failed.")
    plane_health: dict[str, Any] = Field(default_factory=dict, description="Of each replica, on request.")
    workers: list[dict[str, Any]] = Field(default_factory=list, description="Window workers: pid, run.")
    unavailable_converters: tuple[UnavailableConverter, ...] = Field(
        default=(), description="PDF converters with tasks that take none now."
    )
    children: tuple[ChildHealth, ...] = Field(default=(), description="Health of each child process.")
    store_problem: str | None = Field(
        default=None, description="Why the host's housekeeping cannot use a store now."
    )
    ray_dashboard: str | None = Field(default=None, description="Address of the Ray dashboard.")
    dagster_ui: str | None = Field(default=None, description="Address of the Dagster UI.")

    def problems(self) -> list[str]:
        """What is wrong with the host and its children now, one line each."""
        return [*self.failures(), *self._lines(ChildState.STARTING, ChildState.RESTARTING)]

    def failures(self) -> list[str]:
        """The problems that do not pass by themselves."""
        plane = [f"plane: {self.plane_error}"] if self.plane == "failed" else []
        store = [f"store: {self.store_problem}"] if self.store_problem else []
        return [*plane, *store, *self._lines(ChildState.RUNNING, ChildState.FAILED)]

    def unusable(self) -> dict[str, str]:
        """Why each resource cannot be used now, by name; none that works, or is about to start.

        Processes and replicas are among them where the health of children was asked for.
        """
        problems = {
            child.name: child.problem
            for child in self.children
            if child.problem and child.state is not ChildState.STARTING
        }
        if self.plane == "failed":
            problems["plane"] = self.plane_error or "it failed"
        if self.store_problem:
            problems["store"] = self.store_problem
        return problems | self._converter_obstacles()

    def replica_faults(self) -> dict[str, str]:
        """Faults of the plane's replicas, by the names that they have among the children."""
        return {
            f"{pool} replica {number}": str(health["fault"])
            for pool, replicas in self.plane_health.items()
            if isinstance(replicas, list)
            for number, health in enumerate(replicas)
            if health.get("fault")
        }

    def _converter_obstacles(self) -> dict[str, str]:
        return {
            converter.resource: f"{converter.obstacle.code} {converter.obstacle.message}"
            for converter in self.unavailable_converters
        }

    def _lines(self, *states: ChildState) -> list[str]:
        return [
            f"{child.name}: {child.problem}"
            for child in self.children
            if child.problem and child.state in states
        ]


class ModelChoice(Record):
    """The settings that choose a plane's models; None: the profile's default."""

    embedding_model: str | None = Field(default=None, description="MEDKG_EMBEDDING_MODEL.")
    embedding_dimensions: int | None = Field(default=None, description="MEDKG_EMBEDDING_DIMENSIONS.")
    sparse_model: str | None = Field(default=None, description="MEDKG_SPARSE_MODEL.")
    rerank_model: str | None = Field(default=None, description="MEDKG_RERANK_MODEL.")
    extraction_model: str | None = Field(default=None, description="MEDKG_EXTRACTION_MODEL.")
    engine: str | None = Field(default=None, description="MEDKG_ENGINE.")
    vllm_command: str | None = Field(default=None, description="MEDKG_VLLM_COMMAND.")


class DenseRows(Record):
    """Vectors of texts, in order."""

    vectors: list[list[float]] = Field(description="[n, d], unit length.")
    model_id: str = Field(description="Model that made them.")


class SparseRows(Record):
    """Term weights of texts, in order."""

    rows: list[tuple[list[int], list[float]]] = Field(description="Term ids and weights, per text.")
    vocabulary: int = Field(description="Number of terms of the model.")
    model_id: str = Field(description="Model that made them.")


def seconds_to_answer(seconds: float) -> Callable[[Function], Function]:
    """Set how long a client waits for a verb; a `seconds` argument of the verb is added to it."""

    def mark(function: Function) -> Function:
        vars(function)["seconds_to_answer"] = seconds
        return function

    return mark


class HostService(Protocol):
    """The verbs of a host, for processes of its user.

    Guarantees: calls of several clients are answered at the same time, in no order. `work_on`, `stop_job`,
    `launch`, `cancel` and `stop` are idempotent. A verb that returned has taken effect; what it started ends
    with the host at the latest. Every verb raises the error that the host raised, as its own class, and
    HostUnavailableError when no host runs or none answers in time.
    """

    def status(self, with_health: bool = False) -> HostStatus:
        """The state of the host; `with_health` also of its replicas, for 5 s if one hangs."""
        ...

    def work_on(self, job_id: str) -> JobProgress:
        """Claim and run the job's windows until none is left; returns at once."""
        ...

    def wait_for_news(self, job_id: str, last_news: int, seconds: float) -> JobProgress:
        """The job's progress once its `news` differ from `last_news`, or after `seconds`."""
        ...

    @seconds_to_answer(60)
    def stop_job(self, job_id: str) -> None:
        """Cancel the job's runs; returns when their documents are queued again."""
        ...

    def plane_address(self) -> str:
        """Address of the Ray cluster; raises PlaneUnavailableError until the models are loaded."""
        ...

    @seconds_to_answer(60)
    def embed_texts(self, texts: list[str]) -> DenseRows:
        """Vectors of chunks from the hot plane."""
        ...

    @seconds_to_answer(10)
    def embed_queries(self, texts: list[str]) -> DenseRows:
        """Vectors of queries from the hot plane."""
        ...

    @seconds_to_answer(60)
    def encode_sparse_texts(self, texts: list[str]) -> SparseRows:
        """Term weights of chunks from the hot plane."""
        ...

    @seconds_to_answer(10)
    def encode_sparse_queries(self, texts: list[str]) -> SparseRows:
        """Term weights of queries from the hot plane."""
        ...

    @seconds_to_answer(10)
    def rerank(self, question: str, passages: list[str]) -> list[float]:
        """One score per passage, in order, by the hot plane's cross-encoder."""
        ...

    @seconds_to_answer(600)
    def swap_models(self, models: ModelChoice) -> HostStatus:
        """Load these models beside the present ones and switch to them.

        Runs that execute keep the previous models until they end. Raises the error that keeps the models from
        loading; then nothing has changed.
        """
        ...

    def stop(self) -> None:
        """End the host; returns before it has ended."""
        ...

    @seconds_to_answer(10)
    def launch(self, run_id: str) -> None:
        """Queue a Dagster run for the window workers, unless it is queued or running; returns at once."""
        ...

    @seconds_to_answer(10)
    def cancel(self, run_id: str) -> bool:
        """Cancel a run and its job; False if the run is not here. Returns before the run has ended."""
        ...

    @seconds_to_answer(10)
    def run_state(self, run_id: str) -> RunState:
        """Where a run is."""
        ...
