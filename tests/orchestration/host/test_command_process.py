"""The process that follows the ledger beside a host: restarted when it ends, ended with the host."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from orchestration.contracts.host import ChildHealth, ChildState
from orchestration.host import command_process
from orchestration.host.command_process import CommandProcess
from orchestration.processes.child_process import is_running
from tests.waiting import wait_until

SLEEPING = (sys.executable, "-c", "import time; time.sleep(600)")


@pytest.fixture
def process(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[CommandProcess]:
    monkeypatch.setattr(command_process, "RESTART_SECONDS", 0.0)
    running = CommandProcess("graph-projection", SLEEPING, {}, tmp_path / "graph-projection.log")
    assert running.health() == []
    running.start()
    yield running
    running.close()


def health(process: CommandProcess) -> ChildHealth:
    (of_child,) = process.health()
    return of_child


def test_it_is_restarted_when_it_ends_and_ends_with_the_host(process: CommandProcess) -> None:
    first = health(process)
    assert (first.name, first.state) == ("graph-projection", ChildState.RUNNING)
    assert first.pid is not None
    os.kill(first.pid, signal.SIGKILL)
    wait_until(lambda: first.pid is not None and not is_running(first.pid))
    assert health(process).state is ChildState.RESTARTING
    process.tick()
    second = health(process)
    assert second.pid not in (None, first.pid)
    assert (second.state, second.restarts) == (ChildState.RUNNING, 1)
    process.close()
    assert second.pid is not None and not is_running(second.pid)
