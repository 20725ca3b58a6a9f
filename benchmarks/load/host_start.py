"""The start of a host, measured: the CPU seconds of each part of its process tree until it is ready.

Input: a host's command line and its data folder. Output: CPU seconds by part, and the wall seconds until the
plane and the window workers were ready. The machine should be quiet: on a busy one the same work takes more
CPU seconds, and Dagster's processes work on while the models load.
"""

from __future__ import annotations

import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

import psutil

from orchestration.errors import HostUnavailableError
from orchestration.processes.child_process import spawn_child
from orchestration.processes.local_service import LocalClient
from orchestration.settings import Settings

__all__ = ["PARTS", "WAYS", "host_command", "measure_start", "part_of"]

PARTS: Final = (
    ("window workers", ("window-worker", "dagster.workers.window_worker", "dagster.window_worker")),
    ("stage processes", ("multiprocessing.spawn", "multiprocessing.resource_tracker")),
    ("replicas", ("Replica",)),
    ("GCS and raylet", ("gcs/gcs_server", "raylet/raylet")),
    ("Ray dashboard and agents", ("Agent", "dashboard", "forkserver", "log_monitor.py", "monitor.py")),
    ("Ray workers", ("ray::", "default_worker.py")),
    ("Dagster code server", ("dagster-code", "dagster api grpc")),
    ("Dagster webserver", ("dagster-ui", "dagster_webserver")),
    ("Dagster daemon", ("dagster-daemon", "dagster._daemon")),
    ("orphan reaper", ("orphan_reaper",)),
)
"""Names of the parts, each with the words that its command lines contain; the first that matches counts."""

WAYS: Final = {"foreground": (), "up": ("--keep", "--ui"), "up_no_ui": ("--keep",)}
"""The ways to start a host: as `medkg run` does, as `medkg up` does, and as `medkg up --no-ui` does."""

LOOK_SECONDS: Final = 0.5
READY_SECONDS: Final = 300.0


def part_of(command: str) -> str:
    """The part of a host that a command line belongs to; "host" for all that is nothing else."""
    for part, words in PARTS:
        if any(word in command for word in words):
            return part
    return "host"


def host_command(settings: Settings, options: Sequence[str]) -> list[str]:
    """The command line of a host, with further options."""
    start = "from orchestration.host.host import main; main()"
    folder = ["--data-dir", str(settings.data_dir), "--profile", settings.profile]
    return [sys.executable, "-P", "-c", start, *folder, *options]


def measure_start(
    command: Sequence[str], data_dir: Path, environment: Mapping[str, str] | None = None
) -> dict[str, Any]:
    """Start a host, wait until it is ready, stop it; CPU seconds by part, and seconds to ready.

    Raises HostUnavailableError when the host ends, or when it is not ready within READY_SECONDS.
    """
    log = data_dir / "logs" / "host.log"
    started = time.monotonic()
    host = spawn_child(command, log_path=log, environment=environment)
    try:
        tree = _Tree(host.pid)
        client = LocalClient(data_dir, "host")
        while not _is_ready(client):
            if host.poll() is not None or time.monotonic() - started > READY_SECONDS:
                raise HostUnavailableError(f"the host did not become ready; its log is {log}.")
            tree.look()
            time.sleep(LOOK_SECONDS)
        ready = time.monotonic() - started
        tree.look()
        return {
            "seconds_until_ready": round(ready, 1),
            "cpu_seconds": {part: round(seconds, 1) for part, seconds in sorted(tree.by_part().items())},
            "total_cpu_seconds": round(sum(tree.by_part().values()), 1),
            "processes": len(tree.living),
        }
    finally:
        _stop(host)


def _is_ready(client: LocalClient) -> bool:
    try:
        status: dict[str, Any] = client.call("status")
    except (HostUnavailableError, OSError):
        return False
    if status["plane"] == "failed":
        raise HostUnavailableError(f"the plane failed: {status['plane_error']}")
    return bool(status["plane"] == "ready") and all(worker["pid"] for worker in status["workers"])


def _stop(host: subprocess.Popen[bytes]) -> None:
    host.terminate()
    try:
        host.wait(60)
    except subprocess.TimeoutExpired:
        host.kill()
        host.wait()


class _Tree:
    """CPU seconds of every process that was seen below the host, those included that have ended."""

    def __init__(self, root: int) -> None:
        self._root = psutil.Process(root)
        self._seconds: dict[tuple[int, float], float] = {}
        self._parts: dict[tuple[int, float], str] = {}
        self.living: set[tuple[int, float]] = set()

    def look(self) -> None:
        """Read the counters of all processes that live now."""
        self.living = set()
        for process in (self._root, *self._root.children(recursive=True)):
            with suppress(psutil.NoSuchProcess, psutil.ZombieProcess), process.oneshot():
                key, times = (process.pid, process.create_time()), process.cpu_times()
                part = part_of(f"{process.name()} {' '.join(process.cmdline())}")
                self._seconds[key], self._parts[key] = times.user + times.system, part
                self.living.add(key)

    def by_part(self) -> dict[str, float]:
        seconds: dict[str, float] = defaultdict(float)
        for key, used in self._seconds.items():
            seconds[self._parts[key]] += used
        return dict(seconds)
