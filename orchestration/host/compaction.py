"""Vector indexes built while runs execute: a child process of the host builds those that are outdated.

Input: notice that a run has ended. Output: `medkg compact` as a child of low priority, one at a time, so that
the host needs neither its memory nor its cores; it ends with the host, and the next host repeats the build.
"""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Final

import structlog

from orchestration.contracts import VectorStore
from orchestration.processes.child_process import background_command, spawn_child

__all__ = ["Compaction"]

COMMAND: Final = background_command("compact")


class Compaction:
    """Starts a child for each tenant with outdated indexes; for one thread, with which the children end."""

    def __init__(
        self,
        tenants: Callable[[], Sequence[str]],
        vectors: Callable[[], VectorStore],
        environment: Mapping[str, str],
        log_path: Path,
    ) -> None:
        self._tenants = tenants
        self._vectors = vectors
        self._environment = environment
        self._log_path = log_path
        self._child: subprocess.Popen[bytes] | None = None
        self._tenant = ""
        self._unchecked: set[str] = set()

    def check_all(self) -> None:
        """Note that vectors were added or deleted: check every tenant."""
        self._unchecked = set(self._tenants())

    def tick(self) -> None:
        """Start the next child, unless one is at work. Raises what the ledger and the vector store raise."""
        if self._child is not None:
            if self._child.poll() is None:
                return
            if self._child.returncode != 0:
                structlog.get_logger(__name__).warning(
                    "compaction failed", tenant=self._tenant, log=str(self._log_path)
                )
            self._child = None
        while self._unchecked:
            tenant = self._unchecked.pop()
            if self._vectors().compaction_due(tenant):
                self._tenant = tenant
                self._child = spawn_child(
                    [*COMMAND, "--tenant", tenant], log_path=self._log_path, environment=self._environment
                )
                return

    def close(self) -> None:
        """End the child; an interrupted build leaves the previous index."""
        if self._child is not None:
            self._child.kill()
            self._child.wait()
