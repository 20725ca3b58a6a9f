"""The dual write over every pairing of stores: whatever dies, both or neither; repair makes them alike."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from medkg.testing.builders import TENANT
from orchestration.errors import MedkgError, UnavailableError
from orchestration.processes.child_process import is_alive
from tests.orchestration.opensearch import SERVER, connected, own_prefix
from tests.orchestration.stores.data_folder import (
    BOUNDARIES,
    NEW,
    OLD,
    DataFolder,
    Pairing,
    check_death,
    found,
    opened,
)
from tests.orchestration.stores.fault_proxy import FAULTS, FaultProxy
from tests.waiting import PATIENCE

pytestmark = pytest.mark.needs_service("opensearch")

ROOT = Path(__file__).resolve().parents[3]
DEAD = "dead"
PAIRINGS = ("sqlite+opensearch", "opensearch+faiss", "opensearch+opensearch")
INSIDE = ("inside the search write", "inside the vector write", "before the commit", "after the cleaning")
KILLS = [("opensearch+opensearch", boundary) for boundary in BOUNDARIES] + [
    (mixed, boundary) for mixed in PAIRINGS[:2] for boundary in INSIDE
]
"""Every boundary with both stores on a server; of mixed pairings those where the kind of a store matters."""


@pytest.fixture(params=PAIRINGS)
def pairing(request: pytest.FixtureRequest) -> Iterator[Pairing]:
    search, vectors = request.param.split("+")
    with connected() as connection, own_prefix(connection) as prefix:
        yield Pairing(search, vectors, SERVER, prefix)


@pytest.fixture
def data(tmp_path: Path, pairing: Pairing) -> Iterator[DataFolder]:
    with opened(tmp_path, pairing=pairing) as folder:
        yield folder


def repaired(data: DataFolder) -> None:
    """Repair as `medkg verify --repair` does; nothing may differ afterwards."""
    data.repair()
    assert data.differences() == []


@pytest.mark.parametrize(("pairing", "boundary"), KILLS, indirect=["pairing"])
def test_a_writer_killed_at_any_boundary_leaves_the_old_or_the_new_version_whole(
    data: DataFolder, tmp_path: Path, pairing: Pairing, boundary: str
) -> None:
    command = [
        sys.executable,
        "-m",
        "tests.orchestration.stores.data_folder",
        str(tmp_path),
        "index",
        boundary,
    ]
    environment = {**os.environ, **pairing.environment}

    def killed() -> int:
        return subprocess.run(command, cwd=ROOT, env=environment, timeout=PATIENCE, check=False).returncode

    check_death(data, boundary, killed)


@pytest.mark.parametrize("fault", FAULTS)
def test_a_server_that_breaks_at_any_write_costs_nothing(
    tmp_path: Path, pairing: Pairing, fault: str
) -> None:
    proxy = FaultProxy(SERVER)
    writes = [pairing.search, pairing.vectors].count("opensearch")
    through = Pairing(pairing.search, pairing.vectors, proxy.url, pairing.prefix)
    try:
        with opened(tmp_path, pairing=through) as data:
            data.ingest({"1": "walking", "2": "sleeping"})
            for at in range(writes):
                proxy.break_from(at, fault)
                with pytest.raises(UnavailableError):
                    data.stage({"1": "walking fast", "3": "walking home"}, version="2", owner=DEAD)
                proxy.repair()
                assert found(data) == OLD
                assert data.index.recover(is_alive) == 1
                assert found(data) == OLD
                assert data.differences() == []
            data.ingest({"1": "walking fast", "3": "walking home"}, version="2")
            assert found(data) == NEW
            assert data.differences() == []
    finally:
        proxy.close()


def test_what_a_store_lost_is_reported_and_repaired_to_the_same_content(
    data: DataFolder, pairing: Pairing
) -> None:
    data.ingest({"1": "walking", "2": "walking far"})
    before = found(data)
    first = next(iter(data.vectors.holdings(TENANT)))
    data.vectors.discard(TENANT, first.intent_id, [first.key])
    assert data.differences() == [(first.key.doc_id, "vectors", "missing")]
    repaired(data)
    assert found(data) == before

    lost = next(iter(data.search.holdings(TENANT)))
    data.search.discard(TENANT, lost.intent_id, [lost.key])
    assert data.differences() == [(lost.key.doc_id, "search", "missing")]
    repaired(data)  # its text is lost, so it is due again
    data.ingest({"1": "walking", "2": "walking far"})
    assert found(data) == before
    assert data.differences() == []


def test_an_error_of_the_store_names_the_server(tmp_path: Path, pairing: Pairing) -> None:
    away = Pairing(pairing.search, pairing.vectors, "http://127.0.0.1:1", pairing.prefix)
    with opened(tmp_path, pairing=away) as data, pytest.raises(MedkgError, match=r"127\.0\.0\.1:1"):
        data.ingest({"1": "walking"})
