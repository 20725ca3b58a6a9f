"""The projection of the graph while a host runs: a child process that follows the ledger.

Input: ticks of the host. Output: `medkg graph project --watch` as a child of low priority, restarted when it
ends, and its health. It ends with the host, at any point of its work. A server that does not answer is waited
for by the child, which logs it.
"""

from __future__ import annotations

import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import structlog

from orchestration.contracts.host import ChildHealth
from orchestration.host.service_history import ServiceHistory
from orchestration.processes.child_process import background_command, end_child, spawn_child

__all__ = ["ProjectionProcess"]

NAME: Final = "graph-projection"
COMMAND: Final = background_command("graph", "project", "--watch")
RESTART_SECONDS: Final = 10.0
"""A process that ends at once is not started more often than this."""


class ProjectionProcess:
    """Starts, restarts and ends it; for the host's main thread, but for `health`."""

    def __init__(self, environment: Mapping[str, str], log_path: Path) -> None:
        self._environment = environment
        self._log_path = log_path
        self._child: subprocess.Popen[bytes] | None = None
        self._history = ServiceHistory()
        self._log = structlog.get_logger(__name__)

    def start(self) -> None:
        """Start it."""
        self._history.has_started()
        self._child = spawn_child(COMMAND, log_path=self._log_path, environment=self._environment)

    def tick(self) -> None:
        """Restart it if it has ended."""
        child = self._child
        if child is None or child.poll() is None:
            return
        self._history.has_ended(child.returncode)
        if self._history.seconds() >= RESTART_SECONDS:
            self._log.warning("restarting", process=NAME, exit_code=child.returncode)
            self.start()

    def health(self) -> list[ChildHealth]:
        """Its health; none before it was started."""
        child = self._child
        return [] if child is None else [self._history.health(NAME, child.pid, self._log_path, True)]

    def close(self) -> None:
        """End it; what it was writing is undone, and the next one goes on."""
        if self._child is not None:
            end_child(self._child, RESTART_SECONDS)
