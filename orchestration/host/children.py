"""The health of every child of a host: fork server, window workers, Dagster's processes, replicas.

Input: the parts that keep them. Output: one `ChildHealth` each. A replica that does not answer is replaced by
its supervisor or answers when it has loaded its model, so it has failed only when that does not happen.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping, Sequence
from typing import Any, Final

from orchestration.contracts.host import ChildHealth, ChildState
from orchestration.dagster.workers.window_workers import WindowWorkers
from orchestration.host.command_process import CommandProcess
from orchestration.host.services import DagsterServices
from orchestration.processes.child_process import is_running
from orchestration.processes.fork_server import ForkServers

__all__ = ["Children"]

LOST_SECONDS: Final = 60.0
"""A replica with a fault for so long has failed."""


class Children:
    """Of one host; thread-safe."""

    def __init__(
        self,
        fork_servers: ForkServers,
        workers: WindowWorkers,
        dagster: DagsterServices | None,
        commands: Sequence[CommandProcess] = (),
    ) -> None:
        self._fork_servers = fork_servers
        self._workers = workers
        self._dagster = dagster
        self._commands = commands
        self._faulty_since: dict[str, float] = {}
        self._guard = threading.Lock()

    def health(self, replicas: Mapping[str, Any]) -> list[ChildHealth]:
        """All of them; `replicas`: the plane's health by pool, empty if it was not asked."""
        dagster = self._dagster.health() if self._dagster is not None else []
        commands = [health for command in self._commands for health in command.health()]
        return [
            *self._fork_server(),
            *self._workers.health(),
            *dagster,
            *commands,
            *self._replicas(replicas),
        ]

    def _fork_server(self) -> list[ChildHealth]:
        pid = self._fork_servers.pid
        if pid is None:
            return []
        if is_running(pid):
            return [ChildHealth(name="fork-server", pid=pid, state=ChildState.RUNNING)]
        problem = f"its process {pid} ended; another is started with the next process"
        return [ChildHealth(name="fork-server", pid=None, state=ChildState.RESTARTING, problem=problem)]

    def _replicas(self, health: Mapping[str, Any]) -> list[ChildHealth]:
        by_name = {
            f"{pool} replica {number}": replica
            for pool, replicas in health.items()
            if isinstance(replicas, Sequence)
            for number, replica in enumerate(replicas)
        }
        with self._guard:
            return [self._replica(name, replica) for name, replica in by_name.items()]

    def _replica(self, name: str, health: Mapping[str, Any]) -> ChildHealth:
        fault = health.get("fault")
        if not fault:
            self._faulty_since.pop(name, None)
            return ChildHealth(name=name, pid=health.get("pid"), state=ChildState.RUNNING)
        since = self._faulty_since.setdefault(name, time.monotonic())
        lost = time.monotonic() - since >= LOST_SECONDS
        state = ChildState.FAILED if lost else ChildState.RESTARTING
        return ChildHealth(name=name, pid=health.get("pid"), state=state, problem=str(fault))
