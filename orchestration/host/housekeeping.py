"""Work that a host does by the clock: leases of dead processes, gates, indexes, and what has expired.

Input: ticks of the host, and the ends of runs. Output: a data folder without what crashed writers left.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Final

import structlog

from orchestration.assembly import Assembly
from orchestration.disk_space import unwritable_disk
from orchestration.errors import MedkgError
from orchestration.host.compaction import Compaction
from orchestration.host.environment import child_environment
from orchestration.host.pruning import Pruning
from orchestration.processes.child_process import is_alive
from orchestration.settings import Settings

__all__ = ["Housekeeping"]

RECOVER_AGAIN_SECONDS: Final = 10.0
"""Pause before what a store kept from being removed is tried again."""


class Housekeeping:
    """For the host's main thread, but for `run_ended`."""

    def __init__(
        self,
        assembly: Assembly,
        settings: Settings,
        tick_others: Callable[[], None],
        prune_runs: Callable[[float], None],
    ) -> None:
        """`tick_others`: the ticks of the host's other parts; `prune_runs`: deletes runs by age in days."""
        self._assembly = assembly
        self._settings = settings
        self._tick_others = tick_others
        self._log = structlog.get_logger(__name__)
        self.problem: str | None = None
        """Why a step could not be done the last time."""
        self._logged: dict[str, str] = {}
        self._recover_error: Exception | None = None
        self._recover_again_at = 0.0
        self._leftovers_due = threading.Event()
        self._vectors_changed = threading.Event()
        self._pruning = Pruning(assembly, settings, prune_runs)
        self._compaction = Compaction(
            assembly.ledger.commits.tenants,
            lambda: assembly.stores.vectors,
            child_environment(settings),
            settings.logs_dir / "compaction.log",
        )

    def run_ended(self, succeeded: bool) -> None:
        """Note a run's end: vectors may have changed, and a failed run may have left something behind."""
        self._vectors_changed.set()
        if not succeeded:
            self._leftovers_due.set()

    def clean(self) -> None:
        """Remove what a crashed writer left, when the host starts; what has expired goes with the first tick.

        With a store that cannot be used, `tick` does it as soon as the store can be used again.
        """
        self._leftovers_due.set()
        self.problem = self._reported(self._recover)

    def tick(self) -> None:
        """Do what has become necessary; a store that cannot be used is reported and tried again later."""
        steps = (
            self._reclaim,
            self._recover,
            self._sweep,
            self._tick_others,
            self._compact,
            self._pruning.tick,
        )
        problems = [problem for step in steps if (problem := self._reported(step))]
        self.problem = problems[0] if problems else None

    def _reported(self, step: Callable[[], None]) -> str | None:
        """Do a step; the message of the error that kept it from being done, which is logged once."""
        try:
            step()
        except Exception as error:
            named = (
                error if isinstance(error, MedkgError) else unwritable_disk(error, self._settings.data_dir)
            )
            if named is None:
                raise
            problem = f"{named.code} {named.message}"
            if self._logged.get(step.__name__) != problem:
                self._log.warning("housekeeping", code=named.code, message=named.message)
            self._logged[step.__name__] = problem
            return problem
        self._logged.pop(step.__name__, None)
        return None

    def _reclaim(self) -> None:
        self._assembly.ledger.windows.reclaim(is_alive)

    def _recover(self) -> None:
        """Remove what crashed writers and failed runs left, until it has been done."""
        if not self._leftovers_due.is_set():
            return
        if self._recover_error is not None and time.monotonic() < self._recover_again_at:
            raise self._recover_error
        self._leftovers_due.clear()
        try:
            self._assembly.index.recover(is_alive)
        except Exception as error:
            self._leftovers_due.set()
            self._recover_error, self._recover_again_at = error, time.monotonic() + RECOVER_AGAIN_SECONDS
            raise
        self._recover_error = None
        self._vectors_changed.set()

    def _sweep(self) -> None:
        self._assembly.gate_sweeps.sweep()

    def _compact(self) -> None:
        if self._vectors_changed.is_set():
            self._vectors_changed.clear()
            try:
                self._compaction.check_all()
            except Exception:
                self._vectors_changed.set()
                raise
        self._compaction.tick()

    def close(self) -> None:
        """End a running compaction, and a pass of pruning."""
        self._pruning.close()
        self._compaction.close()
