"""Commands that a host keeps running beside its other work: the projection of the graph, the relay of events.

Input: ticks of the host. Output: a medkg command as a child of low priority, restarted when it ends, and its
health. It ends with the host, at any point of its work. A server that does not answer is waited for by the
child, which logs it.
"""

from __future__ import annotations

import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

import structlog

from orchestration.assembly.sinks import configured_sinks
from orchestration.contracts.host import ChildHealth
from orchestration.host.environment import child_environment
from orchestration.host.service_history import ServiceHistory
from orchestration.processes.child_process import background_command, end_child, spawn_child
from orchestration.settings import Settings

__all__ = ["CommandProcess", "projection_process", "relay_process"]

RESTART_SECONDS: Final = 10.0
"""A process that ends at once is not started more often than this."""


class CommandProcess:
    """Starts, restarts and ends it; for the host's main thread, but for `health`."""

    def __init__(
        self, name: str, command: Sequence[str], environment: Mapping[str, str], log_path: Path
    ) -> None:
        self._name = name
        self._command = command
        self._environment = environment
        self._log_path = log_path
        self._child: subprocess.Popen[bytes] | None = None
        self._history = ServiceHistory()
        self._log = structlog.get_logger(__name__)

    def start(self) -> None:
        """Start it."""
        self._history.has_started()
        self._child = spawn_child(self._command, log_path=self._log_path, environment=self._environment)

    def tick(self) -> None:
        """Restart it if it has ended."""
        child = self._child
        if child is None or child.poll() is None:
            return
        self._history.has_ended(child.returncode)
        if self._history.seconds() >= RESTART_SECONDS:
            self._log.warning("restarting", process=self._name, exit_code=child.returncode)
            self.start()

    def health(self) -> list[ChildHealth]:
        """Its health; none before it was started."""
        child = self._child
        return [] if child is None else [self._history.health(self._name, child.pid, self._log_path, True)]

    def close(self) -> None:
        """End it; the next one goes on where it was."""
        if self._child is not None:
            end_child(self._child, RESTART_SECONDS)


def projection_process(settings: Settings) -> CommandProcess | None:
    """The projection of the graph, where a graph server is configured."""
    if not settings.neo4j_url:
        return None
    return _command(settings, "graph-projection", "graph", "project", "--watch")


def relay_process(settings: Settings) -> CommandProcess | None:
    """The relay of events and /metrics, where something is configured to take them."""
    return _command(settings, "events-relay", "events", "relay") if configured_sinks(settings) else None


def _command(settings: Settings, name: str, *arguments: str) -> CommandProcess:
    log_path = settings.logs_dir / f"{name}.log"
    return CommandProcess(name, background_command(*arguments), child_environment(settings), log_path)
