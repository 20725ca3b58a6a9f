"""Children end with their parents, and an identity names one process for good."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from orchestration.processes.child_process import (
    identity_of,
    is_alive,
    own_identity,
    pid_of,
    spawn_child,
    spawn_detached,
)


def a_parent(code: str) -> subprocess.Popen[str]:
    """A separate process that runs `code` with spawn_child and os at hand."""
    prelude = "import os, signal, sys\nfrom orchestration.processes.child_process import *\n"
    return subprocess.Popen(
        [sys.executable, "-c", prelude + textwrap.dedent(code)], stdout=subprocess.PIPE, text=True
    )


def line_of(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline().strip()


def wait_for_end(identity: str) -> None:
    """Return when the process is gone, zombies of a foreign parent included."""
    try:
        death = os.pidfd_open(pid_of(identity))
    except ProcessLookupError:
        return
    try:
        import select

        assert select.select([death], [], [], 20)[0], f"{identity} still lives"
    finally:
        os.close(death)


def test_this_process_is_alive_under_its_identity() -> None:
    assert is_alive(own_identity())
    assert pid_of(own_identity()) == os.getpid()


def test_a_dead_process_and_a_zombie_are_not_alive() -> None:
    child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    identity = identity_of(child.pid)
    assert is_alive(identity)
    child.kill()
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
    assert not is_alive(identity), "a zombie holds its pid, but works on nothing"
    child.wait()
    assert not is_alive(identity)
    with pytest.raises(ProcessLookupError):
        identity_of(child.pid)


@pytest.mark.parametrize(
    ("part", "value"), [(1, "00000000-0000-0000-0000-000000000000"), (3, "1")], ids=["reboot", "reused pid"]
)
def test_another_process_under_the_same_pid_is_not_the_one_that_was_named(part: int, value: str) -> None:
    parts = own_identity().split("/")
    parts[part] = value
    assert not is_alive("/".join(parts))


def test_a_process_of_another_host_counts_as_alive() -> None:
    assert is_alive("/".join(["elsewhere", *own_identity().split("/")[1:]]))


@pytest.mark.parametrize("text", ["", "host/boot/1", "host/boot/pid/1"])
def test_a_text_that_is_no_identity_is_no_live_process(text: str) -> None:
    assert not is_alive(text)


def test_kill_9_of_a_parent_leaves_no_child() -> None:
    parent = a_parent(
        """
        child = spawn_child([sys.executable, "-c", "import signal; signal.pause()"])
        print(identity_of(child.pid), flush=True)
        signal.pause()
        """
    )
    child = line_of(parent)
    assert is_alive(child)
    parent.kill()
    parent.wait()
    wait_for_end(child)
    assert not is_alive(child)


def test_a_child_of_a_parent_that_is_gone_already_does_not_start() -> None:
    bound = [
        sys.executable,
        "-m",
        "orchestration.processes.child_process",
        "1",
        sys.executable,
        "-c",
        "print('up')",
    ]
    started = subprocess.run(bound, capture_output=True, text=True, check=False)
    assert started.returncode == 128 + signal.SIGKILL
    assert started.stdout == ""


def test_a_detached_process_outlives_its_parent_and_writes_its_log(tmp_path: Path) -> None:
    log = tmp_path / "logs" / "host.log"
    parent = a_parent(
        f"""
        from pathlib import Path
        code = "import signal; print('hello', flush=True); signal.pause()"
        child = spawn_detached([sys.executable, "-c", code], log_path=Path({str(log)!r}))
        print(identity_of(child.pid), flush=True)
        os.kill(os.getpid(), signal.SIGKILL)
        """
    )
    child = line_of(parent)
    parent.wait()
    try:
        assert is_alive(child)
    finally:
        os.kill(pid_of(child), signal.SIGTERM)
    wait_for_end(child)
    assert log.exists()


def test_a_child_keeps_the_descriptors_it_is_given_and_gets_the_environment(tmp_path: Path) -> None:
    reading, writing = os.pipe()
    code = f"import os; os.write({writing}, os.environ['COLOUR'].encode())"
    child = spawn_child(
        [sys.executable, "-c", code],
        log_path=tmp_path / "log",
        environment={"COLOUR": "green"},
        inherit=[writing],
    )
    os.close(writing)
    with os.fdopen(reading, "rb") as pipe:
        assert pipe.read() == b"green"
    assert child.wait() == 0


def test_a_child_is_not_interrupted_with_its_parents_terminal() -> None:
    child = spawn_child([sys.executable, "-c", "import signal; signal.pause()"])
    try:
        assert os.getpgid(child.pid) == child.pid != os.getpgid(0)
    finally:
        child.kill()
        child.wait()


def test_detached_output_is_appended(tmp_path: Path) -> None:
    log = tmp_path / "log"
    for word in ("one", "two"):
        spawn_detached([sys.executable, "-c", f"print({word!r})"], log_path=log).wait()
    assert log.read_text().split() == ["one", "two"]
