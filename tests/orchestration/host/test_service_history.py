"""The health of a process that the host restarts: what is passing, and what has failed."""

from __future__ import annotations

import os
import socket
import subprocess
from pathlib import Path

import pytest

from orchestration.contracts.host import ChildHealth, ChildState
from orchestration.host.service_history import SILENT_SECONDS, STABLE_SECONDS, ServiceHistory, accepts


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def history(clock: Clock) -> ServiceHistory:
    return ServiceHistory(clock)


@pytest.fixture
def log(tmp_path: Path) -> Path:
    path = tmp_path / "code-server.log"
    path.write_text(
        "Traceback (most recent call last):\nModuleNotFoundError: \x1b[31mNo module named 'mine'\x1b[0m\n"
    )
    return path


@pytest.fixture(scope="module")
def ended() -> int:
    """The pid of a process that has ended."""
    process = subprocess.Popen(["true"])
    process.wait()
    return process.pid


def health(history: ServiceHistory, log: Path, pid: int | None = None, answers: bool = True) -> ChildHealth:
    return history.health("code-server", pid or os.getpid(), log, answers)


def test_one_that_runs_and_answers_has_no_problem(history: ServiceHistory, log: Path) -> None:
    assert health(history, log) == ChildHealth(name="code-server", pid=os.getpid(), state=ChildState.RUNNING)


def test_one_that_does_not_answer_yet_starts_and_fails_when_it_takes_too_long(
    history: ServiceHistory, clock: Clock, log: Path
) -> None:
    assert health(history, log, answers=False).state is ChildState.STARTING
    clock.now = SILENT_SECONDS
    silent = health(history, log, answers=False)
    assert silent.state is ChildState.FAILED
    assert silent.problem == (
        f"it has not answered for {SILENT_SECONDS:.0f} s. Its log {log} ends with: "
        "ModuleNotFoundError: No module named 'mine'"
    )


def test_silence_counts_from_the_last_answer(history: ServiceHistory, clock: Clock, log: Path) -> None:
    clock.now = 10 * SILENT_SECONDS
    history.has_answered()
    clock.now += SILENT_SECONDS - 1
    assert health(history, log, answers=False).state is ChildState.STARTING
    clock.now += 1
    silent = health(history, log, answers=False)
    assert silent.state is ChildState.FAILED
    assert silent.problem is not None and f"it has not answered for {SILENT_SECONDS:.0f} s" in silent.problem


def test_one_that_the_host_replaces_is_starting_while_the_previous_process_ends(
    history: ServiceHistory, clock: Clock, log: Path
) -> None:
    clock.now = 2 * SILENT_SECONDS
    history.will_be_replaced()
    assert health(history, log, answers=False).state is ChildState.STARTING


def test_one_end_is_passing_and_named(history: ServiceHistory, log: Path, ended: int) -> None:
    history.has_ended(-9)
    gone = health(history, log, ended)
    assert (gone.state, gone.pid, gone.restarts) == (ChildState.RESTARTING, None, 1)
    assert gone.problem is not None and gone.problem.startswith(
        "it ended with exit code -9, and is restarted."
    )
    history.has_started()
    assert health(history, log).problem is None


def test_one_that_ends_again_and_again_has_failed_even_while_it_runs(
    history: ServiceHistory, clock: Clock, log: Path
) -> None:
    for _ in range(3):
        clock.now += 10
        history.has_ended(1)
        history.has_ended(1)
        history.has_started()
    dying = health(history, log)
    assert (dying.state, dying.restarts) == (ChildState.FAILED, 3)
    assert dying.problem == (
        f"it ended 3 times in succession with exit code 1, and is restarted each time. Its log {log} ends "
        "with: ModuleNotFoundError: No module named 'mine'"
    )


def test_one_that_the_host_replaces_after_a_change_is_no_problem(
    history: ServiceHistory, log: Path, ended: int
) -> None:
    history.will_be_replaced()
    assert health(history, log, ended).state is ChildState.STARTING
    history.has_started()
    history.has_ended(1)
    assert health(history, log, ended).state is ChildState.RESTARTING


def test_one_that_ran_for_long_has_recovered(history: ServiceHistory, clock: Clock, log: Path) -> None:
    for _ in range(2):
        history.has_ended(1)
        history.has_started()
    clock.now += STABLE_SECONDS
    assert health(history, log).state is ChildState.RUNNING
    history.has_ended(1)
    history.has_started()
    assert health(history, log).problem is None, "one end after a long run is no succession"


def test_a_socket_accepts_as_long_as_it_is_listened_to(tmp_path: Path) -> None:
    path = str(tmp_path / "socket")
    assert not accepts(socket.AF_UNIX, path)
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(path)
        server.listen()
        assert accepts(socket.AF_UNIX, path)
    assert not accepts(socket.AF_UNIX, path)
