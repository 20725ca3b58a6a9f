"""Vectors whose segments are objects pass the suite on S3; machines see each other's at the next search."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from medkg.testing.builders import TENANT
from medkg.testing.vector_store_suite import (
    ANY,
    EAST,
    MODEL,
    NORTH,
    VectorStoreSuite,
    a_row,
    everything,
    found,
)
from orchestration.contracts import Candidate, Filters, ObjectStore, Visible
from orchestration.errors import DagsterResourceUnavailableError, StoreCorruptError
from orchestration.stores.faiss.object_vectors import ObjectVectors
from orchestration.stores.faiss.sizes import IndexSizes
from orchestration.stores.objects.opening import open_objects

AT_ONCE = IndexSizes(exact_rows=1, build_rows=1, build_threads=1)
EVERY_CHANGE = replace(AT_ONCE, build_share=0.0, recall=1.0)


@pytest.fixture
def objects(tmp_path: Path) -> ObjectStore:
    return open_objects((tmp_path / "objects").as_uri())


@pytest.fixture
def machine(tmp_path: Path, objects: ObjectStore) -> Callable[..., ObjectVectors]:
    """A store on a machine of that name, which has its own cache."""

    def opened(name: str = "one", sizes: IndexSizes | None = None) -> ObjectVectors:
        return ObjectVectors(objects, tmp_path / name, sizes)

    return opened


@pytest.fixture
def store(machine: Callable[..., ObjectVectors]) -> ObjectVectors:
    return machine()


class Suite(VectorStoreSuite):
    @pytest.fixture(params=["the same machine", "another"])
    def reopen(
        self, machine: Callable[..., ObjectVectors], request: pytest.FixtureRequest
    ) -> Callable[[], ObjectVectors]:
        return lambda: machine("one" if request.param == "the same machine" else "two")


class TestObjectVectorsInAFolder(Suite):
    pass


@pytest.mark.needs_service("s3")
class TestObjectVectorsOnS3(Suite):
    @pytest.fixture
    def objects(self, s3_url: str) -> ObjectStore:
        return open_objects(s3_url)


class AlwaysCompacted(ObjectVectors):
    """Compacts before each search, so that nothing is found but by the derived index of the copies."""

    def search(
        self,
        tenant_id: str,
        namespace: str,
        query: npt.NDArray[np.float32],
        limit: int,
        filters: Filters,
        visible: Visible,
    ) -> list[Candidate]:
        self.compact(tenant_id)
        self.expunge(tenant_id)
        return super().search(tenant_id, namespace, query, limit, filters, visible)


@pytest.mark.needs_service("s3")
class TestCompactedObjectVectorsOnS3(TestObjectVectorsOnS3):
    @pytest.fixture
    def machine(self, tmp_path: Path, objects: ObjectStore) -> Callable[..., ObjectVectors]:
        return lambda name="one": AlwaysCompacted(objects, tmp_path / name, EVERY_CHANGE)


def cached(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.rglob("*.segment*"))


def find(store: ObjectVectors) -> list[str]:
    return found(store.search(TENANT, MODEL, EAST, 9, ANY, everything))


def test_a_search_fetches_what_is_new_and_asks_for_the_marker_alone_when_nothing_is(
    machine: Callable[..., ObjectVectors],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    objects: ObjectStore,
) -> None:
    writer, reader = machine("one"), machine("two")
    writer.write(TENANT, MODEL, "i1", [a_row("1")], EAST[None])
    assert find(reader) == ["1"]
    requests: list[str] = []

    def noting(method: str) -> Callable[..., object]:
        ask = getattr(objects, method)

        def noted(key: str, *rest: object) -> object:
            requests.append(f"{method} {key.rsplit('/', 1)[1]}")
            return ask(key, *rest)

        return noted

    for method in ("get", "list", "fetch", "folders"):
        monkeypatch.setattr(objects, method, noting(method))
    assert find(reader) == ["1"]
    assert requests == ["get changed"]
    writer.write(TENANT, MODEL, "i2", [a_row("2")], NORTH[None])
    requests.clear()
    assert find(reader) == ["1", "2"]
    assert [request for request in requests if request.startswith("fetch")] == ["fetch i2.segment"]
    assert cached(tmp_path / "two") == ["i1.segment", "i2.segment"]
    assert cached(tmp_path / "one") == []


def test_documents_that_two_machines_take_out_at_once_are_all_gone(
    machine: Callable[..., ObjectVectors],
) -> None:
    rows = [a_row(str(number)) for number in range(24)]
    machine().write(TENANT, MODEL, "i1", rows, np.tile(EAST, (24, 1)))
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda row: machine(row.chunk_id).discard(TENANT, "i1", [row.key]), rows[:-1]))
    assert find(machine()) == ["23"]


def test_a_damaged_copy_is_fetched_again_and_a_damaged_object_reported(
    machine: Callable[..., ObjectVectors], objects: ObjectStore, tmp_path: Path
) -> None:
    machine().write(TENANT, MODEL, "i1", [a_row("1")], EAST[None])
    assert find(machine()) == ["1"]
    (path,) = (tmp_path / "one").rglob("i1.segment")
    path.write_bytes(path.read_bytes()[:-1])
    assert find(machine()) == ["1"]
    path.write_bytes(b"")
    assert machine().damaged(TENANT) == {}
    assert [holding.intent_id for holding in machine().holdings(TENANT)] == ["i1"]

    (key,) = [stored.key for stored in objects.list("vectors") if stored.key.endswith(".segment")]
    content = objects.get(key)
    assert content is not None
    objects.put(key, content.data[:-1])
    assert list(machine().damaged(TENANT)) == ["i1"]
    assert list(machine().holdings(TENANT)) == list(machine().holdings(TENANT, "i1")) == []
    with pytest.raises(StoreCorruptError, match=r"i1\.segment"):
        machine("new").search(TENANT, MODEL, EAST, 9, ANY, everything)
    with pytest.raises(StoreCorruptError, match=r"i1\.segment"):
        machine().vectors(TENANT, MODEL, "i1")
    machine().discard(TENANT, "i1", [a_row("1").key])
    assert list(machine().damaged(TENANT)) == ["i1"]
    machine().write(TENANT, MODEL, "i1", [a_row("2")], EAST[None])
    assert machine().damaged(TENANT) == {}
    assert find(machine()) == ["2"]


def test_a_cache_that_was_deleted_or_interrupted_is_made_again(
    machine: Callable[..., ObjectVectors], tmp_path: Path
) -> None:
    store = machine()
    store.write(TENANT, MODEL, "i1", [a_row("1")], EAST[None])
    assert find(store) == ["1"]
    folder = next((tmp_path / "one").rglob("i1.segment")).parent
    for path in list(folder.iterdir()):
        path.unlink()
    assert find(store) == ["1"]
    (folder / "mirrored.json").write_text("{")
    (folder / "i2.segment.0a1b").write_bytes(b"MEDKGVEC and then the power went")
    assert find(machine()) == ["1"]
    assert cached(folder) == ["i1.segment"]


def test_what_is_erased_leaves_every_machines_files(
    machine: Callable[..., ObjectVectors], tmp_path: Path
) -> None:
    first, second = machine("one", AT_ONCE), machine("two", AT_ONCE)
    secret = np.array([[0.6, 0.8]], np.float32)
    first.write(TENANT, MODEL, "i1", [a_row("1"), a_row("quibblezark")], np.concatenate([EAST[None], secret]))
    for each in (first, second):
        assert each.compact(TENANT) == 1
        assert not each.compaction_due(TENANT)
    first.discard(TENANT, "i1", [a_row("quibblezark").key])
    first.expunge(TENANT)
    assert second.compaction_due(TENANT)
    second.compact(TENANT)
    assert not second.compaction_due(TENANT)
    assert [find(each) for each in (first, second)] == [["1"], ["1"]]
    for path in (path for path in tmp_path.rglob("*") if path.is_file()):
        content = path.read_bytes()
        assert b"quibblezark" not in content and secret.tobytes() not in content, path


def test_a_model_that_is_given_up_leaves_other_machines_at_their_next_search(
    machine: Callable[..., ObjectVectors], tmp_path: Path
) -> None:
    first, second = machine("one"), machine("two")
    first.write(TENANT, MODEL, "i1", [a_row("1")], EAST[None])
    assert find(second) == ["1"]
    first.discard_other_models(TENANT, ["other"])
    assert find(second) == []
    assert cached(tmp_path / "two") == []


def test_a_server_that_is_unavailable_is_reported_and_not_taken_for_an_empty_index(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    environment = {"ACCESS_KEY_ID": "a", "SECRET_ACCESS_KEY": "b", "ENDPOINT_URL": "http://127.0.0.1:1"}
    for name, value in environment.items():
        monkeypatch.setenv(f"AWS_{name}", value)
    store = ObjectVectors(open_objects("s3://bucket/p"), tmp_path)
    with pytest.raises(DagsterResourceUnavailableError):
        find(store)
    with pytest.raises(DagsterResourceUnavailableError):
        store.write(TENANT, MODEL, "i1", [a_row("1")], EAST[None])
