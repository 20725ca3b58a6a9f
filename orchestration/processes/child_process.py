"""Processes that end when they should, and names for processes that outlive a pid.

Input: a command line, or the identity of a process that holds a lease or serves a socket. Output: a child
that the kernel kills with its parent, a detached process with a log file, or whether the process of an
identity is alive. Linux only (/proc and PR_SET_PDEATHSIG); imports neither dagster nor ray.

`python -m orchestration.processes.child_process PARENT_PID COMMAND...` binds itself to its parent, then
becomes the command: so any program can be bound, and nothing runs between fork and exec of a threaded parent.
"""

from __future__ import annotations

import ctypes
import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO, Any, Final, Protocol

PR_SET_PDEATHSIG: Final = 1
"""prctl(2): signal that the kernel sends this process when the thread that started it ends."""

COLOURS: Final = re.compile(r"\x1b\[[0-9;]*m")

TAIL_BYTES: Final = 1 << 16
"""Bytes at the end of a log that its last lines are looked for in."""
"""What Dagster's processes colour their log lines with."""

PROJECT_ROOT: Final = Path(__file__).resolve().parents[2]
"""Where `orchestration` is imported from; children find it however they are started."""


# --- identity ---------------------------------------------------------------------------------------


def own_identity() -> str:
    """This process as "host/boot_id/pid/starttime": unique across hosts, reboots and reused pids."""
    return identity_of(os.getpid())


def identity_of(pid: int) -> str:
    """The identity of a live process of this host; raises ProcessLookupError when there is none."""
    started = _start_time(pid)
    if started is None:
        raise ProcessLookupError(f"there is no process {pid}")
    return f"{_host()}/{_boot_id()}/{pid}/{started}"


def is_alive(identity: str) -> bool:
    """Whether the process is alive; True for a process of another machine, where we cannot know.

    False for a zombie, and for a text that is no identity.
    """
    try:
        host, boot_id, pid, started = identity.rsplit("/", 3)
        number = int(pid)
    except ValueError:
        return False
    if host != _host():
        return True
    return boot_id == _boot_id() and _start_time(number) == started


def pid_of(identity: str) -> int:
    """The pid within an identity."""
    return int(identity.rsplit("/", 3)[2])


def _host() -> str:
    return socket.gethostname()


def _boot_id() -> str:
    return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()


def _start_time(pid: int) -> str | None:
    """Field 22 of /proc/PID/stat in clock ticks since boot (proc(5)); None when dead or a zombie."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except (FileNotFoundError, ProcessLookupError):
        return None
    state, *fields = stat[stat.rindex(")") + 2 :].split()
    return None if state in "ZX" else fields[18]


def is_running(pid: int) -> bool:
    """Whether a process of this number runs; False for a zombie."""
    return _start_time(pid) is not None


# --- binding ----------------------------------------------------------------------------------------


def die_with_parent(parent_pid: int, with_signal: signal.Signals = signal.SIGKILL) -> None:
    """Have the kernel send this process `with_signal` when `parent_pid` ends; survives exec.

    Raises SystemExit when the parent is gone already, which the kernel would never report.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(PR_SET_PDEATHSIG, int(with_signal), 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl(PR_SET_PDEATHSIG) failed")
    if os.getppid() != parent_pid:
        raise SystemExit(128 + int(with_signal))


def background_command(*arguments: str) -> tuple[str, ...]:
    """The command line of a medkg command in this environment, at a low priority."""
    start = "from orchestration.cli import medkg; medkg()"
    return ("nice", "-n", "10", sys.executable, "-P", "-c", start, *arguments)


def spawn_child(
    command: Sequence[str],
    *,
    log_path: Path | None = None,
    environment: Mapping[str, str] | None = None,
    inherit: Sequence[int] = (),
) -> subprocess.Popen[bytes]:
    """Start a command that is killed when this process ends, kill -9 included.

    It runs in its own session, so that Ctrl-C on the terminal reaches only us. The kernel watches the
    *thread* that calls this, so call it from one that lives as long as the child should. `environment` is
    added to ours; `inherit` are file descriptors it keeps; output goes to `log_path`, else to our stderr.
    """
    binder = [sys.executable, "-m", "orchestration.processes.child_process", str(os.getpid()), *command]
    return spawn_session(binder, log_path, environment, inherit)


def spawn_detached(
    command: Sequence[str], *, log_path: Path, environment: Mapping[str, str] | None = None
) -> subprocess.Popen[bytes]:
    """Start a command that outlives this process and its terminal; its output is appended to `log_path`."""
    return spawn_session(command, log_path, environment, ())


class Child(Protocol):
    """The methods of subprocess.Popen that a started process has, however it was started."""

    pid: int
    returncode: int | Any

    def poll(self) -> int | None: ...
    def wait(self, timeout: float | None = None) -> int: ...
    def terminate(self) -> None: ...
    def kill(self) -> None: ...


def end_child(child: Child, seconds: float) -> None:
    """Have a child end, kill it if it has not within `seconds`; returns when it is gone."""
    child.terminate()
    try:
        child.wait(seconds)
    except subprocess.TimeoutExpired:
        child.kill()
        child.wait()


def spawn_session(
    command: Sequence[str],
    log_path: Path | None,
    environment: Mapping[str, str] | None,
    inherit: Sequence[int],
) -> subprocess.Popen[bytes]:
    """Start a command in its own session; nothing ends it with this process."""
    log = open_log(log_path) if log_path is not None else None
    try:
        return subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=log if log is not None else sys.stderr.fileno(),
            stderr=subprocess.STDOUT if log is not None else None,
            env={**os.environ, **_import_path(), **(environment or {})},
            pass_fds=tuple(inherit),
            start_new_session=True,
        )
    finally:
        if log is not None:
            log.close()


def open_log(path: Path) -> IO[bytes]:
    """The log file, opened for appending; its folder is created."""
    path.parent.mkdir(parents=True, exist_ok=True)
    return path.open("ab")


def log_tail(path: Path, lines: int = 3) -> str:
    """The last lines of a log, for an error message."""
    try:
        with path.open("rb") as log:
            log.seek(max(0, path.stat().st_size - TAIL_BYTES))
            end = log.read().decode("utf-8", errors="replace")
    except OSError:
        return "(no log)"
    written = COLOURS.sub("", end).strip().splitlines()
    return " / ".join(written[-lines:]) or "(empty log)"


def _import_path() -> dict[str, str]:
    """PYTHONPATH that finds this package when it runs from a checkout instead of an installation."""
    path = os.environ.get("PYTHONPATH", "")
    folders = [folder for folder in path.split(os.pathsep) if folder]
    if str(PROJECT_ROOT) not in folders:
        folders.append(str(PROJECT_ROOT))
    return {"PYTHONPATH": os.pathsep.join(folders)}


def main() -> None:
    """Bind this process to its parent and become the command."""
    parent_pid, *command = sys.argv[1:]
    die_with_parent(int(parent_pid))
    os.execvp(command[0], command)


if __name__ == "__main__":
    main()
