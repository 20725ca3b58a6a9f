"""Losing an index on OpenSearch, or a file beside it, loses at most what that part alone held.

The OpenSearch column of the table in docs/guides/repair.md is these tests in words. Without any permission to
delete, each loss is repaired from the other parts.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from medkg.testing.builders import TENANT
from orchestration.errors import ConfigurationError
from orchestration.ledger import ledger_damage, set_ledger_aside
from orchestration.stores.opensearch.connection import Connection
from tests.orchestration.command_line import Medkg
from tests.orchestration.opensearch import SERVER, connected, own_prefix
from tests.orchestration.operations.backup import copies
from tests.orchestration.stores.data_folder import DataFolder, Pairing, opened
from tests.orchestration.stores.test_lost_files import (
    BODIES,
    CUT,
    REMOVED,
    WORDS,
    check_whole,
    fill,
    spoil,
)

pytestmark = pytest.mark.needs_service("opensearch")


@dataclass(frozen=True)
class Indexed:
    """A filled folder whose search entries and vectors are on the server."""

    folder: Path
    pairing: Pairing
    connection: Connection

    def delete(self, *kinds: str) -> None:
        for kind in kinds:
            names = list(self.connection.client.indices.get(index=f"{self.pairing.prefix}-{kind}.*"))
            assert names
            for name in names:
                self.connection.client.indices.delete(index=name)

    def spoil(self, file: str, how: str) -> None:
        spoil(self.folder / file, how)
        url = f"sqlite:///{self.folder / 'ledger.sqlite'}"
        if file == "ledger.sqlite" and ledger_damage(url) is not None:
            set_ledger_aside(url)

    def commits(self) -> set[object]:
        with opened(self.folder, pairing=self.pairing) as data:
            return set(data.log.committed(TENANT))


@pytest.fixture
def indexed(tmp_path: Path) -> Iterator[Indexed]:
    with connected() as connection, own_prefix(connection) as prefix:
        pairing = Pairing("opensearch", "opensearch", SERVER, prefix)
        fill(tmp_path, pairing)
        yield Indexed(tmp_path, pairing, connection)


Loss = Callable[[Indexed], None]

LOSSES: dict[str, tuple[Loss, dict[str, int]]] = {
    "the index of chunks": (lambda indexed: indexed.delete("chunks"), {"search": 5}),
    "the index of vectors": (lambda indexed: indexed.delete("vectors"), {"vectors": 5}),
    "both indexes": (
        lambda indexed: indexed.delete("chunks", "vectors"),
        {"search": 5},
    ),
    "the ledger": (lambda indexed: indexed.spoil("ledger.sqlite", REMOVED), {"ledger": 5}),
    "half of the ledger": (lambda indexed: indexed.spoil("ledger.sqlite", CUT), {"ledger": 5}),
    "documents.sqlite": (lambda indexed: indexed.spoil("documents.sqlite", REMOVED), {"documents": 5}),
    "half of documents.sqlite": (lambda indexed: indexed.spoil("documents.sqlite", CUT), {"documents": 5}),
}
"""What is lost, and the number of documents that a repair restores by store."""


@pytest.mark.parametrize("lost", LOSSES)
def test_each_part_in_turn_comes_back_from_the_others_and_the_source(indexed: Indexed, lost: str) -> None:
    before = indexed.commits()
    lose, restored = LOSSES[lost]
    lose(indexed)
    with opened(indexed.folder, pairing=indexed.pairing) as data:
        assert data.differences() != []
        done = data.repair(source=BODIES)
        assert (done.restored, done.deleted, done.queued, done.left) == (restored, [], [], {})
        check_whole(data)
    if "search" not in restored:
        assert indexed.commits() == before


@pytest.mark.parametrize("kind", ["chunks", "vectors"])
def test_a_process_that_had_the_index_open_repairs_it_too(indexed: Indexed, kind: str) -> None:
    with opened(indexed.folder, pairing=indexed.pairing) as data:
        check_whole(data)
        indexed.delete(kind)
        assert data.differences() != []
        assert data.repair(source=BODIES).left == {}
        check_whole(data)
    with opened(indexed.folder, pairing=indexed.pairing) as data:
        check_whole(data)


def test_an_older_copy_of_the_ledger_learns_what_was_committed_since(tmp_path: Path) -> None:
    with connected() as connection, own_prefix(connection) as prefix:
        pairing = Pairing("opensearch", "opensearch", SERVER, prefix)
        folder = tmp_path / "data"
        folder.mkdir()
        with opened(folder, pairing=pairing) as data:
            data.ingest({"1": "walked", "2": "sleeping", "3": "running"})
        shutil.copy(folder / "ledger.sqlite", tmp_path / "older")
        with opened(folder, pairing=pairing) as data:
            data.ingest({"4": "swimming"})
            data.ingest({"1": "walking", "5": "cycling"}, version="2")
        indexed = Indexed(folder, pairing, connection)
        newest = indexed.commits()
        shutil.copy(tmp_path / "older", folder / "ledger.sqlite")
        with opened(folder, pairing=pairing) as data:
            assert data.differences() == [(doc_id, "ledger", "missing") for doc_id in "145"]
            assert data.repair().restored == {"ledger": 3}
            check_whole(data)
        assert indexed.commits() == newest


def test_without_the_source_only_parsed_text_is_lost_and_everything_is_still_found(indexed: Indexed) -> None:
    indexed.spoil("documents.sqlite", REMOVED)
    with opened(indexed.folder, pairing=indexed.pairing) as data:
        done = data.repair(delete=True)
        assert (done.deleted, {key.doc_id for key in done.queued}) == ([], set(BODIES))
        assert {each[1:] for each in data.differences()} == {("documents", "missing")}
        _check_found(data)


def test_without_chunks_and_parsed_text_nothing_is_withdrawn_unasked(indexed: Indexed) -> None:
    indexed.delete("chunks")
    indexed.spoil("documents.sqlite", REMOVED)
    with opened(indexed.folder, pairing=indexed.pairing) as data:
        done = data.repair()
        assert (done.deleted, {key.doc_id for key in done.left}) == ([], set(BODIES))
        assert len(list(data.log.committed(TENANT))) == len(BODIES)
        assert {key.doc_id for key in data.repair(delete=True).deleted} == set(BODIES)
        assert data.differences() == []


def _check_found(data: DataFolder) -> None:
    for query in WORDS:
        assert data.visible(query)[0] == [query, f"{query} again"]


# --- which stores a folder has --------------------------------------------------------------------------


def test_without_stores_json_the_server_has_to_hold_what_the_ledger_names(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with connected() as connection, own_prefix(connection) as prefix, own_prefix(connection) as other:
        for name, value in _on_the_server(prefix).items():
            monkeypatch.setenv(name, value)
        with copies.opened(tmp_path / "data") as parts:
            copies.ingest(parts, {"1": ["walking helps sleep"], "2": ["sleeping helps walking"]})
        medkg = Medkg(tmp_path / "data", TENANT)
        assert medkg("verify")["consistent"]
        (medkg.data_dir / "stores.json").unlink()
        assert medkg("verify")["consistent"]
        assert (medkg.data_dir / "stores.json").exists()

        (medkg.data_dir / "stores.json").unlink()
        with monkeypatch.context() as elsewhere:
            elsewhere.setenv("MEDKG_OPENSEARCH_PREFIX", other)
            _check_refused(medkg("verify", "--repair", "--yes", expect=2))
        with monkeypatch.context() as embedded:
            for name in ("MEDKG_SEARCH_STORE", "MEDKG_VECTOR_STORE"):
                embedded.delenv(name)
            _check_refused(medkg("verify", "--repair", "--yes", expect=2))
        assert medkg("verify")["consistent"]
        assert medkg("status")["documents"] == {"committed": 2}


def _on_the_server(prefix: str) -> dict[str, str]:
    return {
        "MEDKG_OPENSEARCH_URL": SERVER,
        "MEDKG_OPENSEARCH_PREFIX": prefix,
        "MEDKG_SEARCH_STORE": "opensearch",
        "MEDKG_VECTOR_STORE": "opensearch",
    }


def _check_refused(value: Any) -> None:
    assert value["error"]["code"] == ConfigurationError.code
    assert "stores.json" in value["error"]["message"]
