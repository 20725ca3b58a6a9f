"""CPU seconds since the start, and resident memory by kind, of a host and all its processes."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from typing import Any

import psutil

__all__ = ["ProcessTree"]


class ProcessTree:
    """The host of a data folder, its window workers, the plane's actors, Ray and Dagster."""

    def __init__(self, host: Mapping[str, Any]) -> None:
        """`host`: its entry in `medkg status --json`."""
        self._root = psutil.Process(host["pid"])
        self._kinds = {host["pid"]: "host"}
        self._kinds |= {worker["pid"]: "window workers" for worker in host["workers"]}
        self._kinds |= {
            replica["pid"]: pool
            for pool, replicas in host["plane_health"].items()
            if isinstance(replicas, list)
            for replica in replicas
            if "pid" in replica
        }

    def cpu_seconds(self) -> float:
        """Of all that live, and of those of their children that have ended."""
        return sum(sum(process.cpu_times()[:4]) for process in self._living())

    def memory_mib(self) -> dict[str, float]:
        """Resident memory by kind of process, MiB; pages that several share count for each."""
        memory: dict[str, float] = defaultdict(float)
        for process in self._living():
            kind = self._kinds.get(process.pid, "ray, dagster and stage processes")
            memory[kind] += process.memory_info().rss / 2**20
        return {kind: round(mib) for kind, mib in memory.items()}

    def _living(self) -> Iterator[psutil.Process]:
        for process in (self._root, *self._root.children(recursive=True)):
            try:
                with process.oneshot():
                    process.cpu_times(), process.memory_info()
                    yield process
            except psutil.NoSuchProcess:  # it ended while we looked
                continue
