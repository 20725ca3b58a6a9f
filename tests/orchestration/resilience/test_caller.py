"""Calls of whole stages from synchronous code; breakers and worker processes last from call to call."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import anyio
import psutil
import pytest

from orchestration.contracts import Isolation
from orchestration.errors import ConfigurationError, ServiceError
from orchestration.resilience.caller import GuardedCaller
from orchestration.resilience.guard import Guards
from orchestration.resilience.isolation import IsolatedExecution, StageHandle
from orchestration.resilience.policies import ResiliencePolicyConfig, ResiliencePolicyLoader
from orchestration.topology.shipped import shipped_folder
from tests.orchestration.resilience.stages_for_isolation import Misbehaving, written

Documents = Callable[..., Any]


@dataclass(frozen=True)
class Step:
    name: str
    policy: str
    pipeline: str = "auto"
    optional: bool = False


class Failing:
    def execute_batch(self, items: Sequence[Any]) -> Sequence[Any]:
        return [ServiceError("500") for _ in items]


HANDLES = {
    "parse": StageHandle("parse", Isolation.PROCESS, factory=Misbehaving),
    "embed": StageHandle("embed", Isolation.PLANE, stage=Failing()),
}


def policies(name: str) -> ResiliencePolicyConfig:
    if name != "fragile":
        return ResiliencePolicyLoader(shipped_folder()).load(name)
    breaker = {"failure_threshold": 2, "reset_seconds": 60}
    return ResiliencePolicyConfig.model_validate({"max_attempts": 1, "circuit_breaker_config": breaker})


@pytest.fixture
def caller() -> Iterator[GuardedCaller]:
    with GuardedCaller(
        lambda step: HANDLES[step.name],
        Guards(policies, unavailable_seconds=0, observers=[]),
        IsolatedExecution(workers=1),
    ) as caller:
        yield caller


def test_a_stage_runs_in_the_same_warm_process_call_after_call(
    caller: GuardedCaller, documents: Documents
) -> None:
    step = Step("parse", "default")
    first, second = (caller.call(step, documents("a", "b")) for _ in range(2))
    assert len({*first.outcomes, *second.outcomes}) == 1


def test_a_breaker_keeps_its_state_over_calls(caller: GuardedCaller, documents: Documents) -> None:
    step = Step("embed", "fragile")
    codes = [caller.call(step, documents("a")).outcomes[0].code for _ in range(3)]
    assert codes == ["MEDKG-400", "MEDKG-400", "MEDKG-403"]


def test_an_interrupt_ends_the_call_and_the_worker_that_runs_it(
    caller: GuardedCaller, documents: Documents, tmp_path: Path
) -> None:
    pid_file = tmp_path / "pid"
    main = threading.get_ident()

    def interrupt() -> None:
        anyio.run(written, pid_file)
        signal.pthread_kill(main, signal.SIGINT)  # the kernel, too, interrupts the main thread

    threading.Thread(target=interrupt).start()
    with pytest.raises(KeyboardInterrupt):
        caller.call(Step("parse", "gpu-bound"), documents(f"hang-and-write-pid:{pid_file}"))
    pid = int(pid_file.read_text())
    caller.close()
    assert not psutil.pid_exists(pid)


def test_an_unknown_policy_is_a_configuration_error(caller: GuardedCaller, documents: Documents) -> None:
    with pytest.raises(ConfigurationError, match="defines no policy 'none'"):
        caller.call(Step("parse", "none"), documents("a"))
