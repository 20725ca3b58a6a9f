"""A process that has imported what its children need and forks them: importing is paid for once.

Input: a function by name, with its arguments, environment, log file and open files. Output: a `ForkedChild`,
which is killed when this process ends, kill -9 included. A fork server is a fork of this process, made while
it has no threads, or a new Python that imports some modules. It has one thread, so that a fork copies no lock
which another thread holds, and opens nothing that its children would share.
"""

from __future__ import annotations

import ctypes
import importlib
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import traceback
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from multiprocessing.connection import wait
from pathlib import Path
from typing import Any, Final, NoReturn, Self

from orchestration.processes.child_process import die_with_parent, open_log, spawn_session

__all__ = ["ForkServer", "ForkServers", "ForkedChild", "Task"]

PR_SET_NAME: Final = 15
"""prctl(2): the name of this process, of at most 15 bytes, that top, ps -e and psutil show."""

MAX_REQUEST_BYTES: Final = 1 << 20
MAX_FILES: Final = 8


@dataclass(frozen=True)
class Task:
    """What a forked child does."""

    call: str
    """Function as "module:name"; it takes no arguments and finds its own in sys.argv[1:]."""
    name: str
    """Name of the process, at most 15 bytes."""
    arguments: Sequence[str] = ()
    environment: Mapping[str, str] = field(default_factory=dict)
    """Added to the environment that the caller of `ForkServer.spawn` has then."""
    log_path: Path | None = None
    """File for its output; None: the fork server's stderr."""


class ForkedChild:
    """A child of a fork server, with the methods of subprocess.Popen that medkg uses."""

    def __init__(self, server: ForkServer, pid: int) -> None:
        self._server = server
        self.pid = pid
        self.returncode: int | None = None
        """The exit code, or minus the signal that ended it; None until `poll` or `wait` has collected it."""
        self._end = os.pidfd_open(pid)

    def poll(self) -> int | None:
        """The exit code if the process has ended; its pid is not used again before this returned it."""
        if self.returncode is None and wait([self._end], 0):
            self.returncode = self._server.collect(self.pid)
            os.close(self._end)
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        """The exit code; raises subprocess.TimeoutExpired if it has not ended within `timeout` seconds."""
        if self.returncode is None:
            wait([self._end], timeout)
        code = self.poll()
        if code is None:
            raise subprocess.TimeoutExpired(f"process {self.pid}", timeout or 0.0)
        return code

    def send_signal(self, number: int) -> None:
        """Send a signal unless it has ended."""
        if self.poll() is None:
            signal.pidfd_send_signal(self._end, number)

    def terminate(self) -> None:
        """Send SIGTERM unless it has ended."""
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        """Send SIGKILL unless it has ended."""
        self.send_signal(signal.SIGKILL)


class ForkServer:
    """Our end of a fork server; thread-safe. It ends with this process, and its children end with it."""

    def __init__(
        self,
        control: socket.socket,
        process: subprocess.Popen[bytes] | int,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self._control = control
        self._process = process
        self._environment = environment or {}
        self._lock = threading.Lock()
        self._children: set[int] = set()
        self._retired = False

    @classmethod
    def forked(cls) -> Self:
        """A fork of this process, which must not have started threads; its children have its imports.

        In the new process this call does not return.
        """
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        pid = os.fork()
        if pid == 0:
            ours.close()
            os.setsid()
            _serve(theirs)
        theirs.close()
        return cls(ours, pid)

    @classmethod
    def started(
        cls, modules: Sequence[str], environment: Mapping[str, str], log_path: Path | None = None
    ) -> Self:
        """A new Python that imports these modules with `environment` added to ours; does not wait for it."""
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            # not -m: processes that its children spawn would import its __main__
            start = "from orchestration.processes.fork_server import main; main()"
            process = spawn_session(
                [sys.executable, "-P", "-c", start, str(theirs.fileno()), *modules],
                log_path,
                environment,
                [theirs.fileno()],
            )
        return cls(ours, process, environment)

    def spawn(self, task: Task, inherit: Sequence[int] = ()) -> ForkedChild:
        """Fork a child in its own session; returns when it exists.

        The child has the environment of this process and the task's, as a spawned one would. It gets
        the open files `inherit`, and their numbers as its first arguments. Raises OSError if the fork server
        has ended, or cannot fork.
        """
        request = {
            **vars(task),
            "environment": {**os.environ, **self._environment, **task.environment},
            "log_path": str(task.log_path) if task.log_path is not None else None,
        }
        with self._lock:
            pid = int(self._answer(request, inherit)["pid"])
            self._children.add(pid)
        return ForkedChild(self, pid)

    def collect(self, pid: int) -> int:
        """The exit code of a child that has ended, whose pid becomes free."""
        with self._lock:
            try:
                code = int(self._answer({"collect": pid})["code"])
            except OSError:  # the fork server was killed, which killed the child
                code = -signal.SIGKILL
            self._children.discard(pid)
            self._end_if_unused()
        return code

    @property
    def pid(self) -> int:
        """Of the process that forks."""
        return self._process if isinstance(self._process, int) else self._process.pid

    def is_alive(self) -> bool:
        """Whether it can fork."""
        if isinstance(self._process, int):
            ended = os.waitid(os.P_PID, self._process, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None
        else:
            ended = self._process.poll() is not None
        return not (ended or self._retired)

    def retire(self) -> None:
        """Fork no more; it ends when its last child has been collected."""
        with self._lock:
            self._retired = True
            self._end_if_unused()

    def close(self) -> None:
        """End it with all its children; returns when it is gone."""
        with self._lock:
            self._retired = True
            self._children.clear()
            self._end_if_unused()

    def _end_if_unused(self) -> None:
        if not self._retired or self._children or self._control.fileno() == -1:
            return
        self._control.close()
        if isinstance(self._process, int):
            os.waitpid(self._process, 0)
        else:
            self._process.wait()

    def _answer(self, request: Mapping[str, Any], files: Sequence[int] = ()) -> dict[str, Any]:
        socket.send_fds(self._control, [json.dumps(request).encode()], list(files))
        answer = self._control.recv(MAX_REQUEST_BYTES)
        if not answer:
            raise ConnectionResetError("the fork server has ended")
        decoded: dict[str, Any] = json.loads(answer)
        if "errno" in decoded:
            raise OSError(decoded["errno"], os.strerror(decoded["errno"]))
        return decoded


class ForkServers:
    """The fork server of the present code; an outdated or ended one is replaced when the next is needed."""

    def __init__(
        self, start: Callable[[], ForkServer], first: ForkServer | None = None, mark: object = None
    ) -> None:
        """`first`: a fork server that has the code of `mark`."""
        self._start = start
        self._server = first
        self._mark = mark
        self._lock = threading.Lock()

    def of(self, mark: object) -> ForkServer:
        """The fork server of the code that `mark` stands for."""
        with self._lock:
            if self._server is None or self._mark != mark or not self._server.is_alive():
                if self._server is not None:
                    self._server.retire()
                self._server, self._mark = self._start(), mark
            return self._server

    @property
    def pid(self) -> int | None:
        """Of the current fork server; None before the first is needed."""
        server = self._server
        return server.pid if server is not None else None

    def close(self) -> None:
        """End the current fork server and its children."""
        with self._lock:
            if self._server is not None:
                self._server.close()
                self._server = None


# --- in the fork server -----------------------------------------------------------------------------


def main() -> None:
    """Entry point of a started fork server: argv has the control socket's number and the modules."""
    control = socket.socket(fileno=int(sys.argv[1]))
    for module in sys.argv[2:]:
        try:
            importlib.import_module(module)
        except Exception:  # noqa: BLE001 - a child that imports it fails with the error, in its own log
            traceback.print_exc()
    _serve(control)


def _serve(control: socket.socket) -> None:
    """Answer requests until the other end closes, then exit. A child leaves this by SystemExit, too."""
    os.set_inheritable(control.fileno(), False)
    while True:
        request, files, _, _ = socket.recv_fds(control, MAX_REQUEST_BYTES, MAX_FILES)
        if not request:
            os._exit(0)
        decoded = json.loads(request)
        try:
            if "collect" in decoded:
                _, status = os.waitpid(decoded["collect"], 0)
                answer = {"code": os.waitstatus_to_exitcode(status)}
            else:
                answer = {"pid": _fork(control, decoded, files)}
        except OSError as error:
            answer = {"errno": error.errno or 0}
        for number in files:
            os.close(number)
        control.send(json.dumps(answer).encode())


def _fork(control: socket.socket, task: dict[str, Any], files: Sequence[int]) -> int:
    """Fork a child; returns when it has its own session, so that its group can be killed."""
    server = os.getpid()
    log = open_log(Path(task["log_path"])) if task["log_path"] is not None else None
    in_session, has_session = os.pipe()
    sys.stdout.flush()
    sys.stderr.flush()
    pid = os.fork()
    if pid == 0:
        control.close()
        os.close(in_session)
        die_with_parent(server)
        os.setsid()
        os.close(has_session)
        ctypes.CDLL(None).prctl(PR_SET_NAME, task["name"].encode()[:15], 0, 0, 0)
        if log is not None:
            os.dup2(log.fileno(), sys.stdout.fileno())
            os.dup2(log.fileno(), sys.stderr.fileno())
        _run(task, files)
    os.close(has_session)
    os.read(in_session, 1)
    os.close(in_session)
    if log is not None:
        log.close()
    return pid


def _run(task: Mapping[str, Any], files: Sequence[int]) -> NoReturn:
    """Call the task's function as if it were a program, and end the process as Python does."""
    try:
        os.environ.clear()
        os.environ.update(task["environment"])
        sys.argv = [task["call"], *map(str, files), *task["arguments"]]
        module, _, name = task["call"].partition(":")
        getattr(importlib.import_module(module), name)()
    except SystemExit:
        raise
    except BaseException as error:  # none may reach the fork server's loop, which would go on in the child
        traceback.print_exc()
        raise SystemExit(1) from error
    raise SystemExit(0)
