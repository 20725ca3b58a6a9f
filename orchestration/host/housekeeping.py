"""Work that a host does by the clock: leases of dead processes, gates, indexes, and what has expired.

Input: ticks of the host, and the ends of runs. Output: a data folder without what crashed writers left.
"""

from __future__ import annotations

import threading
from collections.abc import Callable

import structlog

from orchestration.assembly import Assembly
from orchestration.errors import MedkgError
from orchestration.host.compaction import Compaction
from orchestration.host.environment import child_environment
from orchestration.processes.child_process import is_alive
from orchestration.runs.artifacts import prune_artifacts, prune_landed
from orchestration.settings import Settings

__all__ = ["Housekeeping"]


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
        self._prune_runs = prune_runs
        self._log = structlog.get_logger(__name__)
        self._leftovers_due = threading.Event()
        self._vectors_changed = threading.Event()
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
        """Remove what a crashed writer left and what has expired; once, when the host starts."""
        self._assembly.index.recover(is_alive)
        days = self._settings.artifact_days
        try:
            prune_artifacts(self._assembly.objects, days)
            self._assembly.gate_payloads.prune(self._assembly.ledger.gates.needed_payloads)
            prune_landed(self._assembly.objects, days)
            self._prune_runs(days)
        except MedkgError as error:  # the next host does it
            self._log.warning("not pruned", code=error.code, message=error.message)
        self._vectors_changed.set()

    def tick(self) -> None:
        """Do what has become necessary; a store that cannot be written is logged and tried again later."""
        try:
            self._assembly.ledger.windows.reclaim(is_alive)
            if self._leftovers_due.is_set():
                self._leftovers_due.clear()
                self._assembly.index.recover(is_alive)
            self._assembly.gate_sweeps.sweep()
            self._tick_others()
            if self._vectors_changed.is_set():
                self._vectors_changed.clear()
                self._compaction.check_all()
            self._compaction.tick()
        except MedkgError as error:
            self._log.warning("housekeeping", code=error.code, message=error.message)

    def close(self) -> None:
        """End a running compaction."""
        self._compaction.close()
