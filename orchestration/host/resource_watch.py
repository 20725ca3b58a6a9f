"""Resources of a host as observed facts: what became unusable, and what became usable again.

Input: the host's status, which a thread reads every few seconds. Output: one fact per change, so that events
and metrics show when a process, the plane, a replica, a store or a converter was lost, and when it came back.
What the ledger does not take now is noted with a later reading.
"""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Callable
from typing import Final

import structlog

from orchestration.contracts.facts import ResourceChanged
from orchestration.contracts.host import HostStatus
from orchestration.contracts.outbox import Observation, OutboxLedger
from orchestration.errors import MedkgError

__all__ = ["ResourceWatch"]

READING_SECONDS: Final = 10.0
KEPT_SECONDS: Final = 86_400.0
"""How long a loss holds for `medkg status`."""
MOST: Final = 10_000
ENDED: Final = "it ended and was started again"
CODE: Final = re.compile(r"MEDKG-\d{3}")


class ResourceWatch:
    """Watches from `start` until `close`, in its own thread."""

    def __init__(self, status: Callable[[], HostStatus], outbox: OutboxLedger) -> None:
        self._status = status
        self._outbox = outbox
        self._noted: set[str] | None = None
        """Resources that were noted as unusable; None: not read from the outbox so far."""
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
        problems = status.unusable()
        noted = self._noted if self._noted is not None else self._lost_before()
        restarts = {child.name: child.restarts for child in status.children}
        ended = [
            name
            for name, count in restarts.items()
            if count > self._restarts.get(name, 0) and name not in {*problems, *noted}
        ]
        lost = {name: problem for name, problem in problems.items() if name not in noted}
        changes = [
            *(change for name in ended for change in (_changed(name, ENDED), _changed(name, None))),
            *(_changed(name, problem) for name, problem in lost.items()),
            *(_changed(name, None) for name in sorted(noted - problems.keys())),
        ]
        if changes:
            self._outbox.note([Observation(change, time.time()) for change in changes])
        for change in changes:
            self._log.warning(
                "resource_available" if change.available else "resource_unavailable",
                resource=change.resource,
                message=change.message,
            )
        self._noted, self._restarts = set(problems), restarts

    def _lost_before(self) -> set[str]:
        """Resources that an earlier host of the ledger lost and did not get back."""
        newest: dict[str, bool] = {}
        for fact in self._outbox.recent(("resource.changed",), time.time() - KEPT_SECONDS, MOST):
            if isinstance(fact.body, ResourceChanged):
                newest.setdefault(fact.body.resource, fact.body.available)
        return {name for name, available in newest.items() if not available}

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


def _changed(name: str, problem: str | None) -> ResourceChanged:
    code = CODE.search(problem or "")
    return ResourceChanged(
        resource=name,
        available=problem is None,
        code=code[0] if code else "",
        message=problem or "",
    )
