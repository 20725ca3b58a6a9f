"""Last ticks of sensors and heartbeats of daemons, from a real Dagster instance."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from dagster import DagsterInstance
from dagster._core.definitions.run_request import InstigatorType
from dagster._core.remote_origin import (
    ManagedGrpcPythonEnvCodeLocationOrigin,
    RemoteInstigatorOrigin,
    RemoteRepositoryOrigin,
)
from dagster._core.scheduler.instigation import InstigatorState, InstigatorStatus, TickData, TickStatus
from dagster._core.types.loadable_target_origin import LoadableTargetOrigin
from dagster._daemon.types import DaemonHeartbeat

from orchestration.dagster.ticks import LastTicks
from orchestration.metrics.readings import DagsterTicks
from orchestration.settings import Settings

Sensor = Callable[..., None]


@pytest.fixture
def sensor(instance: DagsterInstance) -> Sensor:
    """Adds a sensor with ticks at these moments."""

    def add(
        name: str,
        *moments: float,
        status: InstigatorStatus = InstigatorStatus.RUNNING,
        location: str = "medkg",
    ) -> None:
        target = ManagedGrpcPythonEnvCodeLocationOrigin(LoadableTargetOrigin(module_name="medkg"), location)
        origin = RemoteInstigatorOrigin(RemoteRepositoryOrigin(target, "repository"), name)
        state = InstigatorState(origin, InstigatorType.SENSOR, status)
        instance.add_instigator_state(state)
        for moment in moments:
            instance.create_tick(
                TickData(
                    instigator_origin_id=origin.get_id(),
                    instigator_name=name,
                    instigator_type=InstigatorType.SENSOR,
                    status=TickStatus.SKIPPED,
                    timestamp=moment,
                    selector_id=state.selector_id,
                )
            )

    return add


@pytest.fixture
def last(settings: Settings) -> LastTicks:
    return LastTicks(settings)


def test_a_folder_where_dagster_never_ran_has_none(tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = tmp_path_factory.mktemp("new")
    assert LastTicks(Settings(data_dir=folder)).read() == DagsterTicks({}, {})
    assert list(folder.iterdir()) == []


def test_the_newest_tick_of_each_sensor_counts_also_one_that_skipped(sensor: Sensor, last: LastTicks) -> None:
    sensor("submissions", 100.0, 130.0)
    sensor("gates", 120.5)
    sensor("never-ticked")
    assert last.read().sensors == {"submissions": 130.0, "gates": 120.5}


def test_a_sensor_that_a_user_stopped_is_not_shown_as_stalled(sensor: Sensor, last: LastTicks) -> None:
    sensor("submissions", 100.0, status=InstigatorStatus.STOPPED)
    assert last.read().sensors == {}


def test_a_sensor_that_moved_to_another_code_location_has_its_newest_tick(
    sensor: Sensor, last: LastTicks
) -> None:
    sensor("submissions", 200.0, location="new")
    sensor("submissions", 100.0, location="old")
    assert last.read().sensors == {"submissions": 200.0}


def test_heartbeats_of_daemons_and_later_ticks_are_seen(
    instance: DagsterInstance, sensor: Sensor, last: LastTicks
) -> None:
    instance.add_daemon_heartbeat(DaemonHeartbeat(50.0, "SENSOR", "id", []))
    assert last.read() == DagsterTicks({}, {"sensor": 50.0})
    instance.add_daemon_heartbeat(DaemonHeartbeat(80.0, "SENSOR", "id", []))
    sensor("gates", 90.0)
    assert last.read() == DagsterTicks({"gates": 90.0}, {"sensor": 80.0})
