"""Projections that are killed, meet a server that fails, or work at the same time as others."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import anyio
import pytest

from orchestration.errors import ConfigurationError, DagsterResourceUnavailableError, LeaseLostError
from orchestration.stores.neo4j.connection import Connection
from orchestration.stores.neo4j.graph import Neo4jGraph
from tests.exhaustive import EXHAUSTIVE
from tests.orchestration.neo4j import SERVER, Server
from tests.orchestration.projection.cutting_proxy import CuttingProxy
from tests.orchestration.projection.graph_ledger import GraphLedger, contents, found, with_target

pytestmark = pytest.mark.needs_service("neo4j")

BODIES = {
    "a": ["Drug:aspirin=MESH:D001241 treats Condition:headache", "Drug:tea treats Condition:thirst"],
    "b": ["Drug:aspirin=MESH:D001241 treats Condition:fever"],
    "c": ["Drug:coffee causes Condition:headache", "Drug:tea treats not Condition:headache"],
}
DEATHS = [
    ("statement", 1),
    ("statement", 9),
    ("commit", 1),
    ("commit", 2),
    ("committed", 1),
    ("committed", 2),
]
IN_DETAIL = [("statement", count) for count in range(2, 40, 3)] + [("committed", 3), ("commit", 3)]


def check_is_whole(graph: GraphLedger) -> None:
    """The projection is what it would be if it were made from nothing."""
    assert found(graph, SERVER) == []
    before = contents(SERVER, graph.tenant_id)
    graph.project(SERVER, rebuild=True)
    assert contents(SERVER, graph.tenant_id) == before


@pytest.mark.parametrize(("place", "count"), DEATHS + (IN_DETAIL if EXHAUSTIVE else []))
def test_a_killed_projection_goes_on_as_if_nothing_had_happened(
    server: Server, graph: GraphLedger, tmp_path: Path, place: str, count: int
) -> None:
    graph.ingest(**BODIES)
    graph.project(SERVER)
    graph.ingest("2", a=["Drug:coffee treats Condition:fever"], d=["Drug:tea treats Condition:thirst"])
    graph.delete("b")
    module = "tests.orchestration.projection.projecting_process"
    command = [sys.executable, "-m", module, str(tmp_path), graph.tenant_id, place, str(count)]
    assert subprocess.run(command, check=False).returncode == -signal.SIGKILL
    done = graph.project(SERVER)  # at once: the dead process holds no lease
    assert done is not None
    check_is_whole(graph)


@pytest.fixture
def proxy() -> Iterator[CuttingProxy]:
    with CuttingProxy(SERVER) as running:
        yield running


@pytest.mark.parametrize("bytes_until", [0, 1_000, 3_000, 5_000, 7_000])
def test_a_server_that_dies_meanwhile_leaves_whole_documents(
    server: Server, graph: GraphLedger, proxy: CuttingProxy, bytes_until: int
) -> None:
    graph.ingest(**BODIES)
    graph.project(SERVER)
    graph.ingest("2", a=["Drug:coffee treats Condition:fever"], b=["Drug:tea treats Condition:thirst"])
    proxy.cut_after(bytes_until)
    with pytest.raises(DagsterResourceUnavailableError, match="does not answer"):
        graph.project(proxy.url)
    graph.project(SERVER)
    check_is_whole(graph)


def test_a_server_that_is_not_there_is_named_with_the_next_step(graph: GraphLedger) -> None:
    graph.ingest(**BODIES)
    with pytest.raises(
        DagsterResourceUnavailableError, match=r"127.0.0.1:1 does not answer .* MEDKG_NEO4J_URL"
    ):
        graph.project("bolt://127.0.0.1:1")


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1:7474", "bolt://", "bolt://host:7687/database", "localhost"]
)
def test_an_address_that_is_none_is_refused(url: str) -> None:
    with pytest.raises(ConfigurationError, match="MEDKG_NEO4J_URL"):
        Connection(url)


def test_messages_name_no_password() -> None:
    assert Connection("neo4j+s://me:secret%40@graph.example:7000", "trials").name == (
        "Neo4j at neo4j+s://graph.example:7000, database trials"
    )


def test_a_write_under_a_lease_that_another_process_took_changes_nothing(
    server: Server, graph: GraphLedger
) -> None:
    graph.ingest(**BODIES)
    graph.project(SERVER)
    before = contents(SERVER, graph.tenant_id)
    identity = graph.ledger.graph_feed.identity()

    async def work(target: Neo4jGraph) -> None:
        first = await target.acquire(graph.tenant_id, identity, "one", lambda _: True)
        assert first is not None
        assert await target.acquire(graph.tenant_id, identity, "two", lambda _: True) is None
        second = await target.acquire(graph.tenant_id, identity, "two", lambda _: False)
        assert second is not None
        with pytest.raises(LeaseLostError):
            await target.apply(first, [], [graph.key("a")])
        await target.release(second)

    with_target(SERVER, work)
    assert contents(SERVER, graph.tenant_id) == before


def test_two_projections_at_once_and_a_rebuild_while_documents_change_end_as_one(
    server: Server, graph: GraphLedger
) -> None:
    graph.ingest(**BODIES)
    errors: list[BaseException] = []

    def project(*, rebuild: bool) -> None:
        async def work(target: Neo4jGraph) -> None:
            for _ in range(4):
                await graph.projector(target).catch_up(graph.tenant_id, rebuild=rebuild)
                await anyio.lowlevel.checkpoint()

        try:
            with_target(SERVER, work)
        except LeaseLostError:
            return
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=project, kwargs={"rebuild": rebuild}) for rebuild in (False, True)]
    for thread in threads:
        thread.start()
    for number in range(12):
        graph.ingest(str(number % 10), a=[f"Drug:d{number} treats Condition:fever"])
        graph.ingest(**{f"n{number}": ["Drug:tea treats Condition:thirst"]})
        if number % 3 == 0:
            graph.delete(f"n{number}")
    for thread in threads:
        thread.join()
    assert errors == []
    assert graph.project(SERVER) is not None
    check_is_whole(graph)
