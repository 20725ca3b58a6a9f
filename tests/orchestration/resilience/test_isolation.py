"""Code that hangs in C or crashes fails its own document only; worker processes end with their owner."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import anyio
import psutil
import pytest

from orchestration.contracts import Isolation
from orchestration.errors import (
    ConfigurationError,
    DagsterStageTimeoutError,
    MalformedDocumentError,
    MedkgError,
    StageCrashedError,
    StageFailedError,
)
from orchestration.records import StageContext
from orchestration.resilience.batch import BatchResult, run_batch
from orchestration.resilience.guard import Guard
from orchestration.resilience.isolation import IsolatedExecution, StageHandle
from orchestration.resilience.policies import ResiliencePolicyConfig
from tests.orchestration.resilience.stages_for_isolation import Misbehaving, broken_stage, written
from tests.waiting import PATIENCE

pytestmark = pytest.mark.anyio

Items = Sequence[tuple[StageContext, Any]]
Documents = Callable[..., Items]

HANDLE = StageHandle("parse", Isolation.PROCESS, factory=Misbehaving)


@pytest.fixture
def execution() -> Iterator[IsolatedExecution]:
    with IsolatedExecution(workers=2) as execution:
        yield execution


@pytest.fixture
def run(execution: IsolatedExecution) -> Callable[..., Any]:
    async def running(items: Items, max_attempts: int = 1, handle: StageHandle = HANDLE) -> BatchResult:
        policy = ResiliencePolicyConfig.model_validate(
            {"max_attempts": max_attempts, "timeout_seconds": 1, "backoff_strategy": {"kind": "none"}}
        )
        return await run_batch(handle, items, Guard("parse", policy, 0, observers=[]), execution)

    return running


@pytest.mark.parametrize("hang", ["hang-in-c", "hang-in-regex", "hang-ignoring-sigterm"])
async def test_a_document_that_hangs_is_killed_and_fails_alone(
    run: Callable[..., Any], documents: Documents, hang: str
) -> None:
    result = await run(documents("a", hang, *"bcdefgh"))
    assert isinstance(result.outcomes[1], DagsterStageTimeoutError)
    assert "d1: stage parse: stopped after 1 s" in str(result.outcomes[1])
    others = [outcome for number, outcome in enumerate(result.outcomes) if number != 1]
    assert not any(isinstance(outcome, MedkgError) for outcome in others)


async def test_a_document_that_crashes_its_worker_fails_alone(
    run: Callable[..., Any], documents: Documents
) -> None:
    result = await run(documents(*"abc", "crash", *"defgh"))
    assert isinstance(result.outcomes[3], StageCrashedError)
    assert "exit code -11" in str(result.outcomes[3])
    assert sum(isinstance(outcome, MedkgError) for outcome in result.outcomes) == 1


async def test_a_crash_is_transient_so_the_document_gets_another_attempt(
    run: Callable[..., Any], documents: Documents, tmp_path: Path
) -> None:
    result = await run(documents("a", f"crash-once:{tmp_path / 'crashed'}"), max_attempts=2)
    assert result.attempts == (1, 2)
    assert not any(isinstance(outcome, MedkgError) for outcome in result.outcomes)


async def test_errors_come_back_from_the_worker_as_they_are(
    run: Callable[..., Any], documents: Documents
) -> None:
    malformed, left, unpicklable = (await run(documents("malformed", "exit", "unpicklable"))).outcomes
    assert isinstance(malformed, MalformedDocumentError)
    assert str(malformed) == "d0 is malformed"
    assert isinstance(left, StageFailedError)
    assert "SystemExit" in str(left)
    assert isinstance(unpicklable, StageFailedError)


async def test_a_stage_that_cannot_be_made_fails_its_documents_with_the_cause(
    run: Callable[..., Any], documents: Documents
) -> None:
    handle = StageHandle("parse", Isolation.PROCESS, factory=broken_stage)
    (outcome,) = (await run(documents("a"), handle=handle)).outcomes
    assert "no module named thermometer" in str(outcome)


async def test_worker_processes_stay_warm_between_batches(
    run: Callable[..., Any], documents: Documents
) -> None:
    first = await run(documents(*"abcdefgh"))
    second = await run(documents(*"abcdefgh"))
    assert set(second.outcomes) <= set(first.outcomes) | set(worker_pids())
    assert os.getpid() not in first.outcomes


async def test_workers_that_died_while_idle_are_replaced(
    run: Callable[..., Any], documents: Documents
) -> None:
    (before,) = set((await run(documents("a"))).outcomes)
    for pid in worker_pids():
        os.kill(pid, signal.SIGKILL)
        with suppress(ChildProcessError):  # its pool has noticed already
            os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)  # dead, but left for its pool to notice
    (after,) = (await run(documents("a"), max_attempts=3)).outcomes
    assert isinstance(after, int)
    assert after != before


async def test_cancelling_a_batch_kills_the_worker_that_runs_it(
    run: Callable[..., Any], documents: Documents, tmp_path: Path
) -> None:
    pid_file = tmp_path / "pid"
    items = documents(f"hang-and-write-pid:{pid_file}")
    async with anyio.create_task_group() as group:
        group.start_soon(run, items)
        pid = await written(pid_file)
        worker = psutil.Process(pid)
        group.cancel_scope.cancel()
    worker.wait(timeout=PATIENCE)


def test_workers_and_their_replacements_die_with_a_process_that_is_killed(tmp_path: Path) -> None:
    pid_file = tmp_path / "pid"
    program = f"""
import anyio
from orchestration.contracts import Isolation
from orchestration.records import StageContext
from orchestration.resilience.isolation import IsolatedExecution, StageHandle
from tests.orchestration.resilience.stages_for_isolation import Misbehaving

context = StageContext(tenant_id="t", job_id="j", doc_id="d", correlation_id="c", pipeline_name="p",
                       pipeline_version="v")
handle = StageHandle("parse", Isolation.PROCESS, factory=Misbehaving)


async def main():
    execution = IsolatedExecution(workers=2)
    await execution.run(handle, [(context, "crash")] * 4, 600)
    await execution.run(handle, [(context, "hang-and-write-pid:{pid_file}")], 600)


anyio.run(main)
"""
    root = Path(__file__).parents[3]
    environment = {**os.environ, "PYTHONPATH": str(root)}
    owner = subprocess.Popen([sys.executable, "-c", program], env=environment)
    try:
        worker = psutil.Process(anyio.run(written, pid_file))
        workers = [
            child for child in psutil.Process(owner.pid).children() if "spawn_main" in str(child.cmdline())
        ]
        assert worker in workers
    finally:
        owner.send_signal(signal.SIGKILL)
        owner.wait()
    gone, alive = psutil.wait_procs(workers, timeout=PATIENCE)
    assert (len(gone), alive) == (2, [])


def test_a_handle_without_what_its_isolation_needs_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="a factory that makes it in a worker process"):
        StageHandle("parse", Isolation.PROCESS)
    with pytest.raises(ConfigurationError, match="a stage object"):
        StageHandle("index", Isolation.INLINE)


def worker_pids() -> list[int]:
    """Live worker processes; a zombie has no command line."""
    pids = []
    for child in psutil.Process().children():
        with contextlib.suppress(psutil.Error):
            if "spawn_main" in str(child.cmdline()):
                pids.append(child.pid)
    return pids
