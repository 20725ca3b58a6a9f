"""Pruning by age: as long as the host lives, in a thread beside its ticks.

Input: the clock. Output: a data folder whose size follows its documents. What a step cannot remove now, since
a store does not answer, the next pass removes.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Final

import structlog

from orchestration.assembly import Assembly
from orchestration.assembly.sinks import configured_sinks
from orchestration.contracts import Retention
from orchestration.errors import MedkgError
from orchestration.host.log_sizes import limit_logs
from orchestration.processes.child_process import is_alive
from orchestration.runs.artifacts import prune_artifacts, prune_landed
from orchestration.settings import Settings

__all__ = ["Pruning"]

DAY: Final = 86_400.0
LONGEST_PAUSE: Final = 3600.0
SHORTEST_PAUSE: Final = 30.0
CLOSING_SECONDS: Final = 5.0
"""How long a pass may go on when the host ends; less than a command waits for that end."""

NEWEST_JOBS: Final = 50
"""Jobs of each tenant that stay whatever their age."""

IDLE_INTENT_SECONDS: Final = DAY
"""A dual write takes minutes; one that is a day old and not visible is never going to be."""


class Pruning:
    """Passes at a pause that follows the shortest age; `tick` is for one thread, passes have another."""

    def __init__(
        self,
        assembly: Assembly,
        settings: Settings,
        prune_runs: Callable[[float], None],
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        """`prune_runs` deletes Dagster runs that ended so many days ago."""
        self._assembly = assembly
        self._settings = settings
        self._prune_runs = prune_runs
        self._now = now
        self._log = structlog.get_logger(__name__)
        shortest = min(settings.artifact_days, settings.history_days) * DAY
        self.pause = min(LONGEST_PAUSE, max(SHORTEST_PAUSE, shortest / 10))
        """Seconds between passes."""
        self._due_at = now()
        self._intents_due_at = now() + DAY
        self._pass: threading.Thread | None = None
        self._closed = threading.Event()

    def tick(self) -> None:
        """Start a pass if one is due and none is going on; does not wait for it."""
        if self._now() < self._due_at or (self._pass is not None and self._pass.is_alive()):
            return
        self._due_at = self._now() + self.pause
        self._pass = threading.Thread(target=self.prune, name="pruning", daemon=True)
        self._pass.start()

    def prune(self) -> None:
        """One pass; a step that a store keeps from being done is logged, and the others are done."""
        for step in (self._intents, self._artifacts, self._runs, self._ledger, self._outbox, self._logs):
            if self._closed.is_set():
                return
            try:
                step()
            except (MedkgError, OSError) as error:
                self._log.warning("not pruned", step=step.__name__.strip("_"), message=str(error))
            except Exception:  # noqa: BLE001 - the other steps, and the next passes, are not given up
                self._log.exception("not pruned", step=step.__name__.strip("_"))

    def close(self) -> None:
        """Wait for a pass that is going on, for a bounded time."""
        self._closed.set()
        if self._pass is not None:
            self._pass.join(CLOSING_SECONDS)

    def _intents(self) -> None:
        """Writers of a dead process are cleaned up after at once; of those that live on, once a day."""
        if self._now() < self._intents_due_at:
            return
        self._intents_due_at = self._now() + DAY
        self._assembly.index.recover(is_alive, time.time() - IDLE_INTENT_SECONDS)

    def _artifacts(self) -> None:
        days = self._settings.artifact_days
        prune_artifacts(self._assembly.objects, days)
        self._assembly.gate_payloads.prune(self._assembly.ledger.gates.needed_payloads)
        prune_landed(self._assembly.objects, days)

    def _runs(self) -> None:
        self._prune_runs(self._settings.artifact_days)

    def _ledger(self) -> None:
        now = time.time()
        self._assembly.ledger.retention.prune(
            Retention(
                details_since=now - self._settings.artifact_days * DAY,
                history_since=now - self._settings.history_days * DAY,
                newest_jobs=NEWEST_JOBS,
            ),
            self._closed.is_set,
        )

    def _outbox(self) -> None:
        before = time.time() - self._settings.outbox_days * DAY
        dropped = self._assembly.ledger.outbox.prune(
            before, self._settings.outbox_facts, configured_sinks(self._settings)
        )
        for reader, facts in dropped.items():
            self._log.error(
                "events dropped: the outbox is full and the sink does not come on", sink=reader, facts=facts
            )

    def _logs(self) -> None:
        limit_logs(self._settings.logs_dir, int(self._settings.log_megabytes * 2**20))
