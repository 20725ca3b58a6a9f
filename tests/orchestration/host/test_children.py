"""The health of a host's children, and what of it counts as a failure."""

from __future__ import annotations

import pytest

from orchestration.contracts.host import ChildHealth, ChildState, HostStatus
from orchestration.dagster.workers.window_workers import WindowWorkers
from orchestration.host import children
from orchestration.host.children import Children
from orchestration.processes.fork_server import ForkServer, ForkServers


class NoWorkers(WindowWorkers):
    def __init__(self) -> None:
        pass

    def health(self) -> list[ChildHealth]:
        return []


def never() -> ForkServer:
    raise AssertionError("no fork server is needed")


@pytest.fixture
def of_host() -> Children:
    return Children(ForkServers(never), NoWorkers(), None)


def test_each_replica_of_a_pool_is_listed(of_host: Children) -> None:
    health = of_host.health(
        {"embedders": [{"pid": 5}, {"fault": "unavailable"}], "batch_tokens": {"dense": 7}}
    )
    assert [(child.name, child.pid, child.state, child.problem) for child in health] == [
        ("embedders replica 0", 5, ChildState.RUNNING, None),
        ("embedders replica 1", None, ChildState.RESTARTING, "unavailable"),
    ]


def test_a_status_names_faulty_replicas_as_the_children_do(of_host: Children) -> None:
    health = {"embedders": [{"pid": 5}, {"fault": "unavailable"}], "batch_tokens": {"dense": 7}}
    status = HostStatus(pid=1, kept=True, profile="cpu", plane="ready", plane_health=health)
    watched = status.model_copy(update={"children": tuple(of_host.health(health))})
    assert status.replica_faults() == watched.unusable() == {"embedders replica 1": "unavailable"}


def test_a_replica_that_stays_faulty_has_failed_until_it_answers(
    of_host: Children, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(children, "LOST_SECONDS", 0.0)
    (lost,) = of_host.health({"embedders": [{"fault": "unavailable"}]})
    assert lost.state is ChildState.FAILED
    (back,) = of_host.health({"embedders": [{"pid": 5}]})
    assert back.state is ChildState.RUNNING


def test_a_status_separates_failures_from_what_passes() -> None:
    status = HostStatus(
        pid=1,
        kept=True,
        profile="cpu",
        plane="failed",
        plane_error="no memory.",
        store_problem="MEDKG-404 OpenSearch at http://search:9200 does not answer.",
        children=(
            ChildHealth(name="code-server", pid=None, state=ChildState.FAILED, problem="it ended 3 times"),
            ChildHealth(name="daemon", pid=None, state=ChildState.RESTARTING, problem="it ended"),
            ChildHealth(name="webserver", pid=7, state=ChildState.RUNNING),
        ),
    )
    assert status.failures() == [
        "plane: no memory.",
        "store: MEDKG-404 OpenSearch at http://search:9200 does not answer.",
        "code-server: it ended 3 times",
    ]
    assert status.problems() == [*status.failures(), "daemon: it ended"]
