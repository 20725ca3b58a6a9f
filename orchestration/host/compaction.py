"""Vector indexes kept up while work goes on: a child process of the host builds what is due.

Comes in: word that a run has ended. Leaves: `medkg compact` as a child of low priority, one at a time, so
that its memory and its cores are not the host's; it ends with the host, and the next host builds what it was
at.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Final

import structlog

from orchestration.contracts import VectorStore
from orchestration.processes.child_process import spawn_child

__all__ = ["Compaction"]

COMMAND: Final = (
    "nice",
    "-n",
    "10",
    sys.executable,
    "-P",
    "-c",
    "from orchestration.cli import medkg; medkg()",
    "compact",
)


class Compaction:
    """Starts a child for a tenant whose indexes are due; for one thread, which its children live with."""

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
        self._to_look_at: set[str] = set()

    def look(self) -> None:
        """Vectors have come or gone: look at every tenant again."""
        self._to_look_at = set(self._tenants())

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
        while self._to_look_at:
            tenant = self._to_look_at.pop()
            if self._vectors().compaction_due(tenant):
                self._tenant = tenant
                self._child = spawn_child(
                    [*COMMAND, "--tenant", tenant], log_path=self._log_path, environment=self._environment
                )
                return

    def close(self) -> None:
        """End the child; a build that is broken off leaves the former index."""
        if self._child is not None:
            self._child.kill()
            self._child.wait()
