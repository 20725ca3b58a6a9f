"""When the sensors and daemons of a data folder were last seen, from Dagster's own storage.

Comes in: settings. Leaves: times by name. A sensor that skips has a tick as well, so a sensor whose last tick
is old does not run, however long ago it last requested a run.
"""

from __future__ import annotations

from dagster import DagsterInstance
from dagster._core.definitions.run_request import InstigatorType
from dagster._core.scheduler.instigation import InstigatorStatus

from orchestration.dagster.instance import open_instance_at
from orchestration.metrics.readings import DagsterTicks
from orchestration.settings import Settings

__all__ = ["LastTicks"]


class LastTicks:
    """Reads one data folder's Dagster storage; opened at the first read after it was made."""

    def __init__(self, settings: Settings) -> None:
        self._home = settings.dagster_home
        self._instance: DagsterInstance | None = None

    def read(self) -> DagsterTicks:
        """Times of sensors' last ticks and daemons' last heartbeats, seconds since the epoch, by name.

        Both are empty in a data folder for which Dagster never ran.
        """
        if self._instance is None:
            if not (self._home / "dagster.yaml").is_file():
                return DagsterTicks({}, {})
            self._instance = open_instance_at(self._home)
        return DagsterTicks(self._sensors(self._instance), self._daemons(self._instance))

    def _sensors(self, instance: DagsterInstance) -> dict[str, float]:
        moments: dict[str, float] = {}
        for state in instance.all_instigator_state(instigator_type=InstigatorType.SENSOR):
            if state.status is InstigatorStatus.STOPPED:  # by a user: it is not stalled
                continue
            ticks = instance.get_ticks(state.instigator_origin_id, state.selector_id, limit=1)
            if ticks:
                moments[state.instigator_name] = max(
                    ticks[0].timestamp, moments.get(state.instigator_name, 0.0)
                )
        return moments

    def _daemons(self, instance: DagsterInstance) -> dict[str, float]:
        return {name.lower(): beat.timestamp for name, beat in instance.get_daemon_heartbeats().items()}
