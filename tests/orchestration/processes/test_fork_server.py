"""Fork servers: children have what the server imported, end with its owner, and are always collected."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from orchestration.processes.child_process import PROJECT_ROOT, identity_of, is_alive
from orchestration.processes.fork_server import ForkedChild, ForkServer, ForkServers, Task
from tests.present import present
from tests.waiting import PATIENCE, wait_until

TASKS = "tests.orchestration.processes.forked_tasks"


@pytest.fixture
def server() -> Iterator[ForkServer]:
    started = ForkServer.started([TASKS], {"COLOUR": "red"})
    yield started
    started.close()


def spawn(server: ForkServer, function: str, log_path: Path | None = None, *arguments: str) -> ForkedChild:
    return server.spawn(Task(f"{TASKS}:{function}", "test-child", arguments, {}, log_path))


def test_a_child_has_its_arguments_environment_session_name_and_log(
    server: ForkServer, tmp_path: Path
) -> None:
    child = spawn(server, "report", tmp_path / "logs" / "child.log", "one", "two words")
    assert child.wait(PATIENCE) == 0
    assert (tmp_path / "logs" / "child.log").read_text() == "red one two words True\n"
    sleeping = spawn(server, "wait_for_signal")
    process = psutil.Process(sleeping.pid)
    wait_until(lambda: process.name() == "test-child")


def test_a_child_has_the_environment_that_its_caller_has_then(
    server: ForkServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SHAPE", "round")
    assert spawn(server, "print_shape", tmp_path / "set.log").wait(PATIENCE) == 0
    monkeypatch.delenv("SHAPE")
    assert spawn(server, "print_shape", tmp_path / "unset.log").wait(PATIENCE) == 0
    assert [(tmp_path / name).read_text() for name in ("set.log", "unset.log")] == ["round\n", "None\n"]


def test_exit_codes_and_signals_are_reported_as_popen_reports_them(server: ForkServer) -> None:
    assert spawn(server, "end_with_three").wait(PATIENCE) == 3
    sleeping = spawn(server, "wait_for_signal")
    assert sleeping.poll() is None
    with pytest.raises(subprocess.TimeoutExpired):
        sleeping.wait(0)
    sleeping.terminate()
    assert (sleeping.wait(PATIENCE), sleeping.poll(), sleeping.returncode) == (-signal.SIGTERM,) * 3
    sleeping.kill()  # its pid may be another process's by now: nothing is sent


def test_an_error_ends_the_child_alone_with_a_traceback_in_its_log(
    server: ForkServer, tmp_path: Path
) -> None:
    assert spawn(server, "fail", tmp_path / "child.log").wait(PATIENCE) == 1
    assert "No space left on device" in (tmp_path / "child.log").read_text()
    assert spawn(server, "end_with_three").wait(PATIENCE) == 3


def test_a_log_that_cannot_be_opened_is_an_error_of_the_caller(server: ForkServer, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(OSError, match=r"File exists|Not a directory"):
        spawn(server, "report", tmp_path / "file" / "child.log")
    assert spawn(server, "end_with_three").wait(PATIENCE) == 3


def test_a_killed_fork_server_takes_its_children_along_and_is_replaced() -> None:
    servers = ForkServers(lambda: ForkServer.started([TASKS], {"COLOUR": "red"}))
    sleeping = spawn(servers.of(1), "wait_for_signal")
    present(psutil.Process(sleeping.pid).parent()).kill()
    assert sleeping.wait(PATIENCE) == -signal.SIGKILL
    wait_until(lambda: not present(servers._server).is_alive())
    assert spawn(servers.of(1), "end_with_three").wait(PATIENCE) == 3
    servers.close()


def test_an_outdated_fork_server_ends_with_its_last_child() -> None:
    servers = ForkServers(lambda: ForkServer.started([TASKS], {"COLOUR": "red"}))
    sleeping = spawn(servers.of(1), "wait_for_signal")
    outdated = psutil.Process(sleeping.pid).parent()
    assert outdated is not None
    assert servers.of(1) is servers.of(1)
    newer = spawn(servers.of(2), "wait_for_signal")
    assert psutil.Process(newer.pid).ppid() != outdated.pid
    assert outdated.is_running() and sleeping.poll() is None
    sleeping.kill()
    sleeping.wait(PATIENCE)
    assert not outdated.is_running()
    servers.close()
    assert newer.wait(PATIENCE) == -signal.SIGKILL


OWNER = f"""
import sys
sys.path.insert(0, {str(PROJECT_ROOT)!r})
from orchestration.processes.fork_server import ForkServer, Task
server = ForkServer.{{how}}
child = server.spawn(Task("{TASKS}:wait_for_signal", "test-child"))
print(server._process if isinstance(server._process, int) else server._process.pid, child.pid, flush=True)
sys.stdin.read()
"""


@pytest.mark.parametrize("how", ["forked()", f"started(['{TASKS}'], {{}})"])
def test_no_fork_server_and_no_child_survives_a_kill_of_their_owner(how: str) -> None:
    owner = subprocess.Popen(
        [sys.executable, "-c", OWNER.format(how=how)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=PROJECT_ROOT,
    )
    assert owner.stdout is not None
    identities = [identity_of(int(pid)) for pid in owner.stdout.readline().split()]
    assert all(is_alive(identity) for identity in identities)
    owner.kill()
    owner.communicate()
    wait_until(lambda: not any(is_alive(identity) for identity in identities))
