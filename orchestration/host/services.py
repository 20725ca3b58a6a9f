"""Dagster's own processes beside a host: one code server, the UI and the daemon, restarted when they end.

Input: settings, and a watch over code and topologies. Output: children that end with the host, and the health
of each; one that ended is restarted, the code server also after a change. UI and daemon share the code
server: each would start its own, and the daemon a new one every minute (dagster._daemon.controller), which
takes seconds of CPU time.
"""

from __future__ import annotations

import json
import runpy
import shutil
import socket
import sys
import time
from pathlib import Path
from typing import Final

import structlog

from orchestration.contracts.host import ChildHealth
from orchestration.dagster.names import CODE_LOCATION, DEFINITIONS_MODULE
from orchestration.dagster.workers.worker_process import SourceWatch
from orchestration.host.environment import child_environment, free_port, private_folder
from orchestration.host.service_history import ServiceHistory, accepts
from orchestration.processes.child_process import PROJECT_ROOT, end_child, is_running
from orchestration.processes.fork_server import ForkedChild, ForkServers, Task
from orchestration.settings import Settings

__all__ = ["DagsterServices"]

RESTART_SECONDS: Final = 10.0
"""A process that ends at once is not started more often than this."""

PROBE_SECONDS: Final = 10.0
"""How often the host itself asks each process for a connection, so that a silence is timed from its begin."""

CODE_SERVER: Final = "dagster-code-server"
WEBSERVER: Final = "dagster-webserver"
DAEMON: Final = "dagster-daemon"
PROCESS_NAMES: Final = {CODE_SERVER: "dagster-code", WEBSERVER: "dagster-ui", DAEMON: "dagster-daemon"}
"""What top and ps -e call them: at most 15 bytes."""


def code_server_command() -> list[str]:
    """What follows `python -m`, whatever folder the host was started in.

    Dagster removes the first entry of sys.path before it imports the definitions (load_python_module). That
    may be the folder of this package; as the working directory it is added again.
    """
    return ["dagster", "api", "grpc", "-m", DEFINITIONS_MODULE, "-d", str(PROJECT_ROOT)]


class DagsterServices:
    """Starts, restarts and ends them; for the host's main thread."""

    def __init__(
        self, settings: Settings, watch: SourceWatch, fork_servers: ForkServers, *, with_ui: bool = True
    ) -> None:
        self._settings = settings
        self._watch = watch
        self._fork_servers = fork_servers
        self._with_ui = with_ui
        self._log = structlog.get_logger(__name__)
        self._port = free_port()
        self._probed = time.monotonic()
        self._mark: tuple[int, int, int] | None = None
        self._folder = private_folder(settings, "dagster", "code")
        self._commands = self._command_lines()
        self._children: dict[str, ForkedChild] = {}
        self._histories = {name: ServiceHistory() for name in self._commands}

    def start(self) -> None:
        """Start all; UI and daemon wait for the code server."""
        for name in self._commands:
            self._start(name)

    def tick(self) -> None:
        """Restart what has ended, and the code server if code or topologies changed."""
        self._probe()
        mark = self._watch.mark()
        for name, child in list(self._children.items()):
            outdated = name == CODE_SERVER and mark != self._mark
            ended = child.poll() is not None
            if ended:
                self._histories[name].has_ended(child.returncode)
            if not (ended or outdated) or self._histories[name].seconds() < RESTART_SECONDS:
                continue
            if ended:
                self._log.warning("restarting", process=name, exit_code=child.returncode)
            else:
                self._histories[name].will_be_replaced()
            end_child(child, RESTART_SECONDS)
            try:
                self._start(name)
            except OSError as error:  # e.g. disk full; it is tried again
                self._log.warning("not restarted", process=name, error=str(error))

    def terminate(self) -> None:
        """Ask all of them to end; does not wait."""
        for child in self._children.values():
            child.terminate()

    def close(self) -> None:
        """End all of them; returns when they are gone."""
        self.terminate()
        for child in self._children.values():
            end_child(child, RESTART_SECONDS)
        shutil.rmtree(self._folder, ignore_errors=True)

    def address(self) -> str | None:
        """Of the UI; None if it is not running."""
        webserver = self._children.get(WEBSERVER)
        running = webserver is not None and is_running(webserver.pid)
        return f"http://127.0.0.1:{self._port}" if running else None

    def health(self) -> list[ChildHealth]:
        """The health of each process; asks those that serve a socket for a connection. Thread-safe."""
        return [
            self._histories[name].health(name, child.pid, self._log_path(name), self._answers(name))
            for name, child in list(self._children.items())
        ]

    def _probe(self) -> None:
        """Record which processes answer; every PROBE_SECONDS."""
        if time.monotonic() - self._probed < PROBE_SECONDS:
            return
        self._probed = time.monotonic()
        for name in self._children:
            if self._answers(name):
                self._histories[name].has_answered()

    def _answers(self, name: str) -> bool:
        if name == CODE_SERVER:
            return accepts(socket.AF_UNIX, str(self._folder / "code"))
        return name == DAEMON or accepts(socket.AF_INET, ("127.0.0.1", self._port))

    def _log_path(self, name: str) -> Path:
        return self._settings.logs_dir / f"{name}.log"

    def _start(self, name: str) -> None:
        mark = self._watch.mark()
        if name == CODE_SERVER:
            self._mark = mark
            (self._folder / "code").unlink(missing_ok=True)
        self._histories[name].has_started()
        task = Task(
            f"{__name__}:run_module",
            PROCESS_NAMES[name],
            self._commands[name],
            {"DAGSTER_HOME": str(self._settings.dagster_home), **child_environment(self._settings)},
            self._log_path(name),
        )
        self._children[name] = self._fork_servers.of(mark).spawn(task)

    def _command_lines(self) -> dict[str, list[str]]:
        """Module and arguments of each; writes the workspace file that UI and daemon read."""
        code_socket = str(self._folder / "code")
        workspace = self._settings.data_dir / "run" / "workspace.yaml"
        server = {"socket": code_socket, "location_name": CODE_LOCATION}
        workspace.write_text(json.dumps({"load_from": [{"grpc_server": server}]}), encoding="utf-8")
        ui = ["-h", "127.0.0.1", "-p", str(self._port), "-w", str(workspace)]
        commands = {
            CODE_SERVER: [*code_server_command(), "--socket", code_socket],
            WEBSERVER: ["dagster_webserver", *ui],
            DAEMON: ["dagster._daemon", "run", "-w", str(workspace)],
        }
        return commands if self._with_ui else {name: commands[name] for name in (CODE_SERVER, DAEMON)}


def run_module() -> None:
    """Be `python -m MODULE ARGUMENTS...` in this process, whose arguments these are."""
    del sys.argv[0]
    runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)
