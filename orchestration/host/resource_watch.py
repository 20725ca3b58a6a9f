"""Resources of a host as observed facts: what became unusable, and what became usable again.

Input: the host's status, which a thread reads every few seconds. Output: one fact per change, so that events
and metrics show when a process, the plane, a replica, a store or a converter was lost, and when it came back.
What the ledger does not take now is noted with a later reading.
"""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Callable, Sequence
from typing import Final

import structlog

from orchestration.contracts.facts import ResourceChanged
from orchestration.contracts.host import HostStatus
from orchestration.contracts.outbox import Observation
from orchestration.errors import MedkgError

__all__ = ["ResourceWatch", "problems_of"]

READING_SECONDS: Final = 10.0
ENDED: Final = "it ended and was started again"
CODE: Final = re.compile(r"MEDKG-\d{3}")


class ResourceWatch:
    """Watches from `start` until `close`, in its own thread."""

    def __init__(
        self, status: Callable[[], HostStatus], note: Callable[[Sequence[Observation]], None]
    ) -> None:
        self._status = status
        self._note = note
        self._noted: dict[str, str] = {}
        """Problems of resources as they were noted last."""
        self._restarts: dict[str, int] = {}
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="resources", daemon=True)
        self._log = structlog.get_logger(__name__)

    def start(self) -> None:
        """Begin to watch; returns at once."""
        self._thread.start()

    def read(self) -> None:
        """Note what changed since the last reading."""
        status = self._status()
        problems = problems_of(status)
        lost = {name: problem for name, problem in problems.items() if name not in self._noted}
        back = self._noted.keys() - problems.keys()
        ended = [name for name in self._restarted(status) if name not in {*problems, *self._noted}]
        changes = [
            *(change for name in ended for change in (_changed(name, ENDED), _changed(name, None))),
            *(_changed(name, problem) for name, problem in lost.items()),
            *(_changed(name, None) for name in sorted(back)),
        ]
        if not changes:
            return
        self._note([Observation(change, time.time()) for change in changes])
        for change in changes:
            self._log.warning(
                "resource_available" if change.available else "resource_unavailable",
                resource=change.resource,
                message=change.message,
            )
        self._noted = problems

    def _restarted(self, status: HostStatus) -> list[str]:
        """Children that ended and were started again between two readings."""
        restarts = {child.name: child.restarts for child in status.children}
        again = [name for name, count in restarts.items() if count > self._restarts.get(name, 0)]
        self._restarts = restarts
        return again

    def close(self) -> None:
        """Stop watching. Idempotent."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join(READING_SECONDS)

    def _run(self) -> None:
        while not self._stop.wait(READING_SECONDS):  # no-retry-loop: a clock
            try:
                self.read()
            except MedkgError as error:  # the next reading notes it
                self._log.info("resources not read", code=error.code, message=error.message)
            except Exception:  # noqa: BLE001 - a host does not end because it cannot be watched
                self._log.exception("resources not read")


def problems_of(status: HostStatus) -> dict[str, str]:
    """Why each resource of a host cannot be used now; none that works, or is about to start."""
    problems = {
        child.name: child.problem for child in status.children if child.problem and child.state != "starting"
    }
    if status.plane == "failed":
        problems["plane"] = status.plane_error or "it failed"
    if status.store_problem:
        problems["store"] = status.store_problem
    for converter in status.unavailable_converters:
        obstacle = converter.obstacle
        problems[f"converter {converter.requested.name}"] = f"{obstacle.code} {obstacle.message}"
    return problems


def _changed(name: str, problem: str | None) -> ResourceChanged:
    code = CODE.search(problem or "")
    return ResourceChanged(
        resource=name,
        available=problem is None,
        code=code[0] if code else "",
        message=problem or "",
    )
