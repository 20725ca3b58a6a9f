"""The host's plane: started once, swapped for other models under load, or the reason why it is not there.

Input: an assembly, which starts planes. Output: the plane that answers now, and its part of the status.
"""

from __future__ import annotations

import os
import shutil
import threading
from collections.abc import Callable, Collection
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import structlog

from orchestration.assembly import Assembly
from orchestration.contracts.host import ModelChoice
from orchestration.disk_space import full_disk_of
from orchestration.errors import MedkgError, PlaneUnavailableError, UsageError
from orchestration.host.environment import RAY_SOCKET, private_folder
from orchestration.settings import Settings

if TYPE_CHECKING:
    from gpu_actors.plane import RayPlane

__all__ = ["PlaneSlot"]

SHARED_MEMORY: Final = "/dev/shm"
"""Where Ray's object store is."""


class PlaneSlot:
    """The plane of one host; requests may use it in any thread."""

    def __init__(self, assembly: Assembly, settings: Settings) -> None:
        self._assembly = assembly
        self._settings = settings
        self._log = structlog.get_logger(__name__)
        self._error: MedkgError | None = None
        self._plane: RayPlane | None = None
        self._ray_folder: Path | None = None
        self._swapping = threading.Lock()

    def start(self, dashboard: bool) -> None:
        """Start Ray and load the models; an error is kept for later requests. Main thread only."""
        try:
            self._ray_folder = private_folder(self._settings, "ray", RAY_SOCKET)
            _link_targets(self._settings, self._ray_folder)
            self._plane = self._assembly.start_plane(self._ray_folder, dashboard=dashboard)
        except MedkgError as error:
            self._error = error
            self._log.error("plane failed", code=error.code, message=error.message)
        except Exception as error:  # noqa: BLE001 - the host goes on, and reports it with its status
            # Ray itself may report a full disk as a process that ended
            full = full_disk_of(self._ray_folder or SHARED_MEMORY, SHARED_MEMORY, self._settings.data_dir)
            self._error = full or PlaneUnavailableError(f"it failed with {type(error).__name__}: {error}")
            self._log.exception("plane failed")

    def hot(self) -> RayPlane:
        """The plane; raises PlaneUnavailableError while it starts, or the error of its start."""
        if self._error is not None:
            raise self._error
        if self._plane is None:
            raise PlaneUnavailableError("the plane is still loading its models; `medkg status` shows it.")
        return self._plane

    def status(self, with_health: bool) -> dict[str, Any]:
        """The fields of HostStatus that describe the plane."""
        error, plane = self._error, self._plane
        return {
            "profile": self._settings.profile,
            "models": dict(plane.model_ids) if plane else {},
            "rerank_model": plane.reranker.model_id if plane and plane.reranker else None,
            "extraction_model": plane.extraction_model_id if plane else None,
            "plane": "failed" if error else "ready" if plane else "starting",
            "swapping": self._swapping.locked(),
            "plane_error": error.message if error else None,
            "plane_health": plane.health() if plane and with_health else {},
            "ray_dashboard": plane.dashboard if plane else None,
        }

    def swap(
        self,
        models: ModelChoice,
        renew_workers: Callable[[], Collection[str]],
        wait_until_ended: Callable[[Collection[str]], None],
    ) -> None:
        """Load these models beside the present ones and switch; the previous ones end with their last run.

        `renew_workers` returns the runs that still use them. Raises UsageError during a swap, and what keeps
        the models from loading; then nothing has changed.
        """
        self.hot()
        if not self._swapping.acquire(blocking=False):
            raise UsageError("models are being swapped already; `medkg status` shows the plane's models.")
        choice = models.model_dump()
        try:
            settings = self._settings.model_copy(update=choice)
            self._plane, end_previous = self._assembly.swap_models(settings)
        except BaseException:
            self._swapping.release()
            raise
        self._settings = settings
        for name, value in choice.items():  # new workers inherit them
            os.environ.pop(f"MEDKG_{name.upper()}", None)
            if value is not None:
                os.environ[f"MEDKG_{name.upper()}"] = str(value)
        previous_runs = renew_workers()

        def drain() -> None:
            try:
                wait_until_ended(previous_runs)
                end_previous()
            finally:
                self._swapping.release()

        threading.Thread(target=drain, name="drain", daemon=True).start()

    def remove_folder(self) -> None:
        """Delete Ray's files; after the plane has been closed."""
        if self._ray_folder is not None:
            shutil.rmtree(self._ray_folder, ignore_errors=True)


def _link_targets(settings: Settings, ray_folder: Path) -> None:
    """Let Prometheus find the file with Ray's addresses at one place of the data folder."""
    link = settings.data_dir / "run" / "ray-metrics.json"
    link.unlink(missing_ok=True)
    link.symlink_to(ray_folder / "prom_metrics_service_discovery.json")
