"""Searches over a data folder: which models are loaded, and what a closed searcher leaves behind."""

from __future__ import annotations

import threading
from collections.abc import Collection, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psutil
import pytest

from medkg.testing.builders import TENANT
from orchestration.assembly import Assembly, open_data_folder
from orchestration.contracts import Filters
from orchestration.settings import load_settings
from tests.orchestration.haystack.collection import CountedLetters
from tests.orchestration.opensearch import SERVER, connected, own_prefix
from tests.orchestration.stores.data_folder import Pairing, opened

THREADS = 8
SECONDS = 60.0


class LoadedModels(CountedLetters):
    """Models that record for which legs they were loaded, and whether they were freed."""

    def __init__(self, legs: Collection[str]) -> None:
        super().__init__()
        self.legs = set(legs)
        self.closed = 0

    def close(self) -> None:
        self.closed += 1


@pytest.fixture
def loaded(monkeypatch: pytest.MonkeyPatch) -> list[LoadedModels]:
    """Every load of models, in order."""
    loads: list[LoadedModels] = []

    def load(assembly: Assembly, legs: Collection[str], notify: object) -> LoadedModels:
        loads.append(LoadedModels(legs))
        return loads[-1]

    monkeypatch.setattr(Assembly, "models", load)
    return loads


@pytest.fixture
def opensearch_settings() -> Iterator[dict[str, str]]:
    with connected() as connection, own_prefix(connection) as prefix:
        yield {
            "search_store": "opensearch",
            "vector_store": "opensearch",
            "opensearch_url": SERVER,
            "opensearch_prefix": prefix,
        }


def ingest(folder: Path, pairing: Pairing | None = None) -> None:
    with opened(folder, pairing=pairing) as data:
        data.ingest({"1": "walking", "2": "sleeping"})


def leg_threads() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name.startswith("leg-")]


def connections_to(url: str) -> int:
    """Open connections of this process to a server."""
    port = int(url.rsplit(":", 1)[1].rstrip("/"))
    connections = psutil.Process().net_connections("tcp")
    return sum(1 for each in connections if each.raddr and each.raddr.port == port)


@pytest.mark.parametrize(
    ("legs", "expected"),
    [
        (None, [{"sparse", "dense"}]),
        (["dense"], [{"dense"}]),
        (["bm25", "sparse"], [{"sparse"}]),
        (["bm25"], []),
    ],
)
def test_models_of_the_queried_legs_are_loaded_once(
    tmp_path: Path, loaded: list[LoadedModels], legs: list[str] | None, expected: list[set[str]]
) -> None:
    ingest(tmp_path)
    with open_data_folder(load_settings(data_dir=tmp_path, tenant=TENANT)) as data_folder:
        result = data_folder.searches.search("walking", 5, Filters(), legs, print)
    assert result.hits and not result.degraded
    assert [models.legs for models in loaded] == expected
    assert all(models.closed == 1 for models in loaded)


def test_models_that_many_searches_need_at_once_are_loaded_once(
    tmp_path: Path, loaded: list[LoadedModels]
) -> None:
    with (
        open_data_folder(load_settings(data_dir=tmp_path, tenant=TENANT)) as data_folder,
        data_folder.searches.open(None, print) as searcher,
        ThreadPoolExecutor(THREADS) as threads,
    ):
        assert loaded == []  # nothing is indexed yet
        ingest(tmp_path)
        results = list(threads.map(lambda _: searcher.search(TENANT, "walking"), range(THREADS)))
    assert all(result.hits and not result.degraded for result in results)
    assert len(loaded) == 1


def test_a_closed_searcher_leaves_no_thread_and_frees_its_models(
    tmp_path: Path, loaded: list[LoadedModels]
) -> None:
    ingest(tmp_path)
    others = set(leg_threads())
    with open_data_folder(load_settings(data_dir=tmp_path, tenant=TENANT)) as data_folder:
        with data_folder.searches.open(None, print) as searcher:
            searcher.search(TENANT, "walking")
            started = set(leg_threads()) - others
            assert {thread.name for thread in started} == {"leg-bm25-1", "leg-sparse-1", "leg-dense-1"}
            assert [models.closed for models in loaded] == [0]
        for thread in started:
            thread.join(SECONDS)
    assert not any(thread.is_alive() for thread in started)
    assert [models.closed for models in loaded] == [1]


def test_a_searcher_that_cannot_be_opened_frees_its_models(
    tmp_path: Path, loaded: list[LoadedModels], monkeypatch: pytest.MonkeyPatch
) -> None:
    ingest(tmp_path)
    monkeypatch.setattr(LoadedModels, "model_ids", lambda self: {}[self])
    with (
        open_data_folder(load_settings(data_dir=tmp_path, tenant=TENANT)) as data_folder,
        pytest.raises(KeyError),
    ):
        data_folder.searches.open(None, print)
    assert [models.closed for models in loaded] == [1]


def test_a_closed_data_folder_leaves_no_connection_to_opensearch(
    tmp_path: Path, loaded: list[LoadedModels], opensearch_settings: dict[str, str]
) -> None:
    pairing = Pairing(
        search="opensearch", vectors="opensearch", url=SERVER, prefix=opensearch_settings["opensearch_prefix"]
    )
    ingest(tmp_path, pairing)
    before = connections_to(SERVER)
    settings = load_settings(data_dir=tmp_path, tenant=TENANT, **opensearch_settings)
    with open_data_folder(settings) as data_folder:
        assert data_folder.searches.search("walking", 5, Filters(), None, print).hits
        assert connections_to(SERVER) > before
    assert connections_to(SERVER) == before
