"""Small jobs that stand in for topologies: each behaves in one way that a window run may behave.

Where a job needs to know what it did before (fail the first time), or a test needs to know that it is
under way, both look into the folder that the environment variable MEDKG_TEST_FOLDER names.
"""

import os
import signal
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from dagster import (
    Definitions,
    EnvVar,
    FilesystemIOManager,
    JobDefinition,
    OpExecutionContext,
    in_process_executor,
    job,
    op,
)

from orchestration.contracts import Isolation, Outcome, values_of
from orchestration.errors import ServiceError
from orchestration.records import StageContext
from orchestration.resilience.caller import GuardedCaller
from orchestration.resilience.decision_log import log_decision
from orchestration.resilience.guard import Guards
from orchestration.resilience.isolation import IsolatedExecution, StageHandle
from orchestration.resilience.policies import ResiliencePolicyConfig
from tests.waiting import wait_until


def folder() -> Path:
    return Path(os.environ["MEDKG_TEST_FOLDER"])


def once(name: str) -> bool:
    """True for the first caller in the folder only."""
    try:
        (folder() / name).touch(exist_ok=False)
    except FileExistsError:
        return False
    return True


def warm_up() -> None:
    """What a worker does before its first run: nothing, or, where a test wants it, waiting for the test."""
    if (folder() / "warm-up-waits").exists():
        (folder() / "warm-up-waits").rename(folder() / "warming-up")
        wait_until(lambda: not (folder() / "warming-up").exists())


@op
def ingest(context: OpExecutionContext) -> list[int]:
    context.log.info("ingesting")
    with (folder() / "ingested").open("a") as file:
        file.write(f"{context.run_id}\n")
    return [1, 2, 3]


@op
def embed(documents: list[int]) -> list[int]:
    print("embedding", documents)  # noqa: T201
    return [number * 2 for number in documents]


@op
def commit(context: OpExecutionContext, vectors: list[int]) -> int:
    (folder() / f"committed-{context.run_id}").write_text(f"{os.getpid()}")
    return sum(vectors)


@op
def embed_fails_once(documents: list[int]) -> list[int]:
    if once("embed-failed"):
        raise ValueError("the model is unavailable")
    return [number * 2 for number in documents]


@dataclass(frozen=True)
class Embed:
    """A step of a topology."""

    name: str = "embed"
    policy: str = "default"
    pipeline: str = "window"
    optional: bool = False


class FailsTwice:
    """A stage whose service answers at the third call."""

    def __init__(self) -> None:
        self.calls = 0

    def execute_batch(self, items: Sequence[tuple[StageContext, int]]) -> Sequence[Outcome[int]]:
        self.calls += 1
        return [ServiceError("HTTP 503") if self.calls < 3 else number * 2 for _, number in items]


@op
def embed_behind_a_guard(context: OpExecutionContext, documents: list[int]) -> list[int]:
    policy = ResiliencePolicyConfig.model_validate({"backoff_strategy": {"kind": "none"}})
    handle = StageHandle("embed", Isolation.INLINE, stage=FailsTwice())
    items = [
        (
            StageContext(
                tenant_id="default",
                job_id=context.run_id,
                doc_id=f"d{number}",
                correlation_id=f"c{number}",
                pipeline_name="window",
                pipeline_version="2026-11-23",
            ),
            number,
        )
        for number in documents
    ]
    guards = Guards(lambda _: policy, 0, [log_decision])
    with GuardedCaller(lambda _: handle, guards, IsolatedExecution(workers=1)) as caller:
        return values_of(caller.call(Embed(), items).outcomes)


@op
def hangs(documents: list[int]) -> list[int]:
    (folder() / "hanging").touch()
    threading.Event().wait()
    return documents


@op(pool="one-host")
def hangs_once_in_a_pool(documents: list[int]) -> list[int]:
    if once("hanging"):
        threading.Event().wait()
    return documents


@op
def ignores_interrupts(documents: list[int]) -> list[int]:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    (folder() / "hanging").touch()
    threading.Event().wait()
    return documents


@op
def kills_its_process(documents: list[int]) -> list[int]:
    os.kill(os.getpid(), signal.SIGKILL)
    return documents


@job
def window_job() -> None:
    commit(embed(ingest()))


@job
def flaky_job() -> None:
    commit(embed_fails_once(ingest()))


@job
def guarded_job() -> None:
    commit(embed_behind_a_guard(ingest()))


@job
def hanging_job() -> None:
    commit(hangs(ingest()))


@job
def pooled_job() -> None:
    commit(hangs_once_in_a_pool(ingest()))


@job
def stubborn_job() -> None:
    commit(ignores_interrupts(ingest()))


@job
def crashing_job() -> None:
    commit(kills_its_process(ingest()))


def _pass_on(number: int) -> JobDefinition:
    """A job of `number` trivial ops in a row."""

    @op(name="first")
    def first() -> int:
        return 0

    @op(name="next")
    def following(value: int) -> int:
        return value + 1

    @job(name=f"chain_of_{number}_job")
    def chain() -> None:
        value = first()
        for _ in range(number - 1):
            value = following(value)

    return chain


defs = Definitions(
    jobs=[
        window_job,
        flaky_job,
        guarded_job,
        hanging_job,
        pooled_job,
        stubborn_job,
        crashing_job,
        _pass_on(8),
    ],
    resources={"io_manager": FilesystemIOManager(base_dir=EnvVar("MEDKG_TEST_FOLDER"))},
    executor=in_process_executor,
)
