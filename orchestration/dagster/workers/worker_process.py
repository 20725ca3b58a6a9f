"""The host's end of one window worker: starts it, sends it orders, detects its end and outdated code.

Input: what to start. Output: messages from the worker, or None when it has ended, also while processes that
it had started still hold its end of the pipe.
"""

from __future__ import annotations

import json
import os
import signal
import socket
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import Any, Final

from orchestration.dagster.instance import MEDKG_DEFINITIONS, CodeLocation
from orchestration.processes.fork_server import ForkServer, ForkServers, Task

RUN: Final = "run"
CANCEL: Final = "cancel"
"""Orders of the host."""

READY: Final = "ready"
FINISHED: Final = "finished"
"""Messages of a worker."""

WORKER_MODULE: Final = "orchestration.dagster.workers.window_worker"
WATCHED_SUFFIXES: Final = (".py", ".yaml", ".yml")


class SourceWatch:
    """Detects changes of code and topologies in some folders."""

    def __init__(self, folders: Sequence[Path]) -> None:
        self._folders = tuple(folders)
        self._changes = 0

    def change(self) -> None:
        """Have every later mark differ from every earlier one: something else has changed."""
        self._changes += 1

    def mark(self) -> tuple[int, int, int]:
        """Number of source files and the newest mtime in ns: differs after any edit, new or deleted file."""
        times = []
        for watched in self._folders:
            for folder, _, names in os.walk(watched):
                for name in names:
                    if name.endswith(WATCHED_SUFFIXES):
                        with suppress(FileNotFoundError):  # deleted since its folder was read
                            times.append((Path(folder) / name).stat().st_mtime_ns)
        return len(times), max(times, default=0), self._changes


@dataclass(frozen=True)
class WorkerCommand:
    """How to start a worker."""

    dagster_home: Path
    location: CodeLocation = MEDKG_DEFINITIONS
    environment: Mapping[str, str] = field(default_factory=dict)
    """Added to the host's environment: MEDKG_DATA_DIR and what else the definitions read."""
    log_dir: Path | None = None
    """Folder of the workers' logs; default: the host's stderr."""

    def task(self, place: int) -> Task:
        """What a fork server runs at a place of the pool."""
        return Task(
            f"{WORKER_MODULE}:main",
            f"window-worker-{place}",
            [str(self.dagster_home), self.location.module, self.location.attribute, self.location.name],
            self.environment,
            self.log_dir / f"window-worker-{place}.log" if self.log_dir is not None else None,
        )

    def started_fork_server(self) -> ForkServer:
        """A fork server with what workers import."""
        log_path = self.log_dir / "fork-server.log" if self.log_dir is not None else None
        return ForkServer.started([WORKER_MODULE, self.location.module], self.environment, log_path)


class WorkerProcess:
    """A started worker and our end of its pipe."""

    def __init__(self, task: Task, server: ForkServer) -> None:
        self.log_path = task.log_path
        ours, theirs = socket.socketpair()
        with theirs:
            self._process = server.spawn(task, inherit=[theirs.fileno()])
        self._control = Connection(ours.detach())
        self._death = os.pidfd_open(self._process.pid)

    @property
    def pid(self) -> int:
        return self._process.pid

    def is_alive(self) -> bool:
        return self._process.returncode is None and not wait([self._death], 0)

    def send(self, **message: Any) -> None:
        """Send an order; if the worker has ended, the next `receive` returns None."""
        try:
            self._control.send_bytes(json.dumps(message).encode())
        except OSError:
            return

    def receive(self) -> dict[str, Any] | None:
        """The next message; None if the worker has ended. Blocks until one of the two."""
        wait([self._control, self._death])
        try:
            if self._control.poll():
                message: dict[str, Any] = json.loads(self._control.recv_bytes())
                return message
        except (EOFError, OSError):
            return None
        return None

    def kill(self) -> None:
        """End the worker and every process of its session, now. Its pid is ours until `reap`."""
        if self._process.returncode is None:
            os.killpg(self._process.pid, signal.SIGKILL)

    def retire(self, timeout: float) -> None:
        """Close the pipe of an idle worker, so that it ends; kill it after `timeout` seconds."""
        self._control.close()
        wait([self._death], timeout)
        self.reap()

    def reap(self) -> str:
        """Kill what is left of it, close its files, and return how it ended."""
        dead = not self.is_alive()
        self.kill()
        status = self._process.wait()
        if not self._control.closed:
            self._control.close()
        os.close(self._death)
        how = f"signal {signal.Signals(-status).name}" if status < 0 else f"exit code {status}"
        where = f"; its log is {self.log_path}" if self.log_path is not None else ""
        return f"its worker (pid {self._process.pid}) {'ended' if dead else 'was ended'} with {how}{where}"


class WorkerPlace:
    """A place in the pool: provides a ready worker of the present code."""

    def __init__(
        self, command: WorkerCommand, watch: SourceWatch, number: int, fork_servers: ForkServers
    ) -> None:
        self._command = command
        self._watch = watch
        self._fork_servers = fork_servers
        self.number = number
        self._mark: tuple[int, int, int] | None = None
        self._worker: WorkerProcess | None = None
        self.problem = ""
        """Why the last worker that was wanted could not start, or how the last one died."""

    @property
    def pid(self) -> int | None:
        """Of the worker, if there is one."""
        worker = self._worker
        return worker.pid if worker is not None else None

    @property
    def log_path(self) -> Path | None:
        """The log file of its workers."""
        return self._command.task(self.number).log_path

    def has_lost_worker(self) -> bool:
        """Whether the worker that was there has ended; for the thread that starts and removes workers."""
        return self._worker is not None and not self._worker.is_alive()

    def worker(self) -> WorkerProcess | None:
        """A ready worker: a new one if the old one has ended or is outdated.

        None, with `problem` set, if none starts."""
        mark = self._watch.mark()
        if self._worker is not None and self._worker.is_alive() and mark == self._mark:
            return self._worker
        self.retire(timeout=0.0)
        task = self._command.task(self.number)
        self._worker, self._mark = WorkerProcess(task, self._fork_servers.of(mark)), mark
        if self._worker.receive() is None:
            self.bury()
            return None
        return self._worker

    def bury(self) -> str:
        """Remove a worker that has ended; returns how it ended."""
        if self._worker is not None:
            self.problem = self._worker.reap()
            self._worker = None
        return self.problem

    def retire(self, timeout: float) -> None:
        """Let the worker end; kill it after `timeout` seconds."""
        if self._worker is not None:
            self._worker.retire(timeout)
            self._worker = None
