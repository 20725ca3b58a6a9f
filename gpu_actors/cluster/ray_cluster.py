"""This process on a Ray cluster: Ray started as our children, or an existing cluster joined; and left again.

Input: a folder for Ray's files, or an address. Output: a connected process. Messages of Ray to a driver go to
the log: Ray would print the end of an actor to stdout, which belongs to a command's answer.
"""

from __future__ import annotations

import logging
import shutil
import signal
import socket
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import ray
from ray._private import node as ray_node
from ray._private import worker as ray_driver
from tenacity import Retrying, before_sleep_log, stop_after_attempt

from gpu_actors.cluster.orphan_reaper import OrphanReaper
from gpu_actors.pools.pool import NAMESPACE
from orchestration.errors import PlaneUnavailableError

__all__ = ["OwnRay", "join_cluster", "leave_cluster", "start_ray"]

OBJECT_STORE_BYTES: Final = 200 * 2**20
REACH_SECONDS: Final = 5.0
STARTS: Final = 3
"""How often Ray is started: it gives its processes 30 s, in which a loaded machine may not import them."""


@dataclass(frozen=True, slots=True)
class OwnRay:
    """What a process that started Ray has to clean up."""

    folder: Path
    reaper: OrphanReaper

    def remove(self) -> None:
        """End the orphan reaper, which removes the folder."""
        self.reaper.close()
        shutil.rmtree(self.folder, ignore_errors=True)


def start_ray(folder: Path, dashboard: bool) -> OwnRay:
    """Start Ray as children of this process, with a reaper for those that would outlive it.

    Raises PlaneUnavailableError when it starts in none of STARTS attempts; then nothing of it is left.
    """
    log_repeat = before_sleep_log(logging.getLogger(__name__), logging.WARNING)
    starting = Retrying(stop=stop_after_attempt(STARTS), before_sleep=log_repeat, reraise=True)
    try:
        return starting(_start_once, folder, dashboard)
    except Exception as error:
        raise PlaneUnavailableError(
            f"Ray did not start in {STARTS} attempts ({str(error).rstrip('.')}). See whether the machine has "
            "memory, disk and processor time to spare, then start the plane again."
        ) from error


def _start_once(folder: Path, dashboard: bool) -> OwnRay:
    folder.mkdir(mode=0o700, exist_ok=True)  # a failed start removed it
    own_ray = OwnRay(folder, OrphanReaper(folder))
    try:
        with _node_without_unused_processes(dashboard), _kept_signal_handlers():
            ray.init(
                object_store_memory=OBJECT_STORE_BYTES,
                include_dashboard=dashboard,
                dashboard_host="127.0.0.1",
                _temp_dir=str(folder),
                **_quiet(),
            )
    except BaseException:
        leave_cluster(own_ray)
        raise
    own_ray.reaper.has_started()
    return own_ray


@contextmanager
def _node_without_unused_processes(dashboard: bool) -> Iterator[None]:
    """Have Ray start without log monitor, autoscaler and, where there is no dashboard, its API server.

    Our driver prints no logs of workers, and one machine does not scale. Ray has no option for it, so a test
    counts the processes.
    """
    complete = ray_node.Node

    class OwnNode(complete):  # type: ignore[misc, valid-type]
        def start_log_monitor(self) -> None:
            return

        def start_monitor(self) -> None:
            return

        def start_api_server(self, **options: Any) -> None:
            if dashboard:
                super().start_api_server(**options)

    ray_node.Node = OwnNode  # type: ignore[misc]
    try:
        yield
    finally:
        ray_node.Node = complete  # type: ignore[misc]


@contextmanager
def _kept_signal_handlers() -> Iterator[None]:
    """Restore this process's SIGTERM handler after the block: Ray's own would abort it. Main thread only."""
    handler = signal.getsignal(signal.SIGTERM)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, handler if handler is not None else signal.SIG_DFL)


def join_cluster(address: str) -> None:
    """Connect this process to a cluster, unless it is connected; raises PlaneUnavailableError."""
    if ray.is_initialized():
        return
    host, _, port = address.rpartition(":")
    try:
        if port.isdigit():  # Ray itself would try for minutes
            socket.create_connection((host, int(port)), REACH_SECONDS).close()
        ray.init(address=address, **_quiet())
    except (OSError, RuntimeError, ValueError) as error:
        raise PlaneUnavailableError(
            f"no Ray cluster accepts us at {address} ({error}). `medkg status` shows whether a plane runs; "
            "MEDKG_RAY_ADDRESS names another cluster, RAY_AUTH_MODE=token uses ~/.ray/auth_token"
        ) from error


def _quiet() -> dict[str, Any]:
    ray_driver.print_to_stdstream = _log  # private, so a test kills an actor and looks at stdout
    return {
        "namespace": NAMESPACE,
        "logging_level": logging.ERROR,
        "log_to_driver": False,
        "configure_logging": False,
    }


def _log(data: Mapping[str, Any], ignore_prefix: bool) -> None:
    """Log what Ray would print for a driver, one record per line."""
    for line in data["lines"]:
        logging.getLogger("ray").warning("%s: %s", data["pid"], line)


def leave_cluster(own_ray: OwnRay | None) -> None:
    """Leave the cluster; end it with its actors and files if this process started it."""
    ray.shutdown()
    if own_ray is not None:
        own_ray.remove()
