"""Losing any one file of a data folder, or half of its bytes, loses at most what that file alone held.

The table in docs/guides/repair.md is these tests in words. Each takes a copy of a filled folder, removes or
cuts one file, looks, repairs without any permission to delete, and looks again.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Final

import pytest

from medkg.testing.builders import TENANT
from orchestration.errors import StoreCorruptError
from orchestration.ledger import ledger_damage, open_ledger, set_ledger_aside
from orchestration.records import DocumentKey
from orchestration.stores.faiss.sizes import IndexSizes
from orchestration.stores.faiss.vectors import FaissVectors
from tests.orchestration.stores.data_folder import DataFolder, Pairing, opened

BODIES: Final = {"1": "walking", "2": "sleeping", "3": "running", "4": "swimming", "5": "cycling"}
CUT, REMOVED = "cut to half of its bytes", "removed"
WORDS: Final = ["cycling", "running", "sleeping", "swimming", "walking"]


def fill(folder: Path, pairing: Pairing, *, then: Callable[[DataFolder], None] = lambda data: None) -> None:
    """Five documents under three intents, one of them in its second version."""
    with opened(folder, pairing=pairing) as data:
        data.ingest({"1": "walked", "2": "sleeping", "3": "running"})
        data.ingest({"4": "swimming"})
        data.ingest({"1": "walking", "5": "cycling"}, version="2")
        then(data)


@pytest.fixture(scope="module", params=["rows and files", "objects"])
def filled(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder that was closed, as `closed`, and a copy of it while it was open, as `killed`."""
    place = tmp_path_factory.mktemp("filled")
    folder = place / "closed"
    folder.mkdir()

    def copy(data: DataFolder) -> None:
        for query in WORDS:  # objects: the cache of segments is filled
            assert data.visible(query)[0] == [query, f"{query} again"]
        shutil.copytree(folder, place / "killed")

    fill(folder, pairing_of(request.param, folder), then=copy)
    (place / request.param).touch()
    yield place


def pairing_of(kind: str, folder: Path) -> Pairing:
    return Pairing(objects=folder.as_uri()) if kind == "objects" else Pairing()


def files_of(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def spoil(path: Path, how: str) -> None:
    if how == REMOVED:
        path.unlink()
    else:
        path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def check_whole(data: DataFolder) -> None:
    """Every document is found by words and by meaning, in its newest version, with its parsed text."""
    assert data.differences() == []
    for query in WORDS:
        by_words, by_meaning = data.visible(query)
        assert by_words == [query, f"{query} again"]
        assert query in by_meaning
    for commit in data.log.committed(TENANT):
        document = data.documents.get(commit.key, commit.version, commit.fingerprint)
        assert document is not None
        assert document.text == f"{BODIES[commit.key.doc_id]}\n{BODIES[commit.key.doc_id]} again"


@pytest.mark.parametrize("how", [REMOVED, CUT])
@pytest.mark.parametrize("state", ["closed", "killed"])
def test_each_file_in_turn_comes_back_from_the_others_and_the_source(
    filled: Path, tmp_path: Path, state: str, how: str
) -> None:
    kind = "objects" if (filled / "objects").exists() else "rows and files"
    files = files_of(filled / state)
    assert "ledger.sqlite" in files
    for number, file in enumerate(files):
        folder = tmp_path / str(number)
        shutil.copytree(filled / state, folder)
        spoil(folder / file, how)
        url = f"sqlite:///{folder / 'ledger.sqlite'}"
        if ledger_damage(url) is not None:
            set_ledger_aside(url)
        with opened(folder, pairing=pairing_of(kind, folder)) as data:
            done = data.repair(source=BODIES)
            assert (file, done.deleted, done.left) == (file, [], {})
            check_whole(data)


@pytest.mark.parametrize("how", [REMOVED, CUT])
def test_without_the_source_only_parsed_text_is_lost_and_everything_is_still_found(
    tmp_path: Path, how: str
) -> None:
    fill(tmp_path, Pairing())
    spoil(tmp_path / "documents.sqlite", how)
    with opened(tmp_path) as data:
        done = data.repair(delete=True)
        assert (done.deleted, {key.doc_id for key in done.queued}) == ([], set(BODIES))
        assert {each[1:] for each in data.differences()} == {("documents", "missing")}
        for query in WORDS:
            assert data.visible(query)[0] == [query, f"{query} again"]


def test_a_lost_ledger_comes_back_with_the_topology_and_the_intents_of_its_documents(tmp_path: Path) -> None:
    fill(tmp_path, Pairing())
    before = commits_of(tmp_path)
    (tmp_path / "ledger.sqlite").unlink()
    with opened(tmp_path) as data:
        assert {each[1:] for each in data.differences()} == {("ledger", "missing")}
        assert data.repair().restored == {"ledger": 5}
        assert data.index.recover(lambda owner: False) == 0
        assert {row.status for row in data.ledger.documents.find(TENANT)} == {"committed"}
        check_whole(data)
    assert commits_of(tmp_path) == before


def test_an_older_copy_of_the_ledger_learns_what_was_committed_since(tmp_path: Path) -> None:
    with opened(tmp_path) as data:
        data.ingest({"1": "walked", "2": "sleeping", "3": "running"})
    older = (tmp_path / "ledger.sqlite").read_bytes()
    with opened(tmp_path) as data:
        data.ingest({"4": "swimming"})
        data.ingest({"1": "walking", "5": "cycling"}, version="2")
    newest = commits_of(tmp_path)
    (tmp_path / "ledger.sqlite").write_bytes(older)
    with opened(tmp_path) as data:
        assert data.differences() == [(doc_id, "ledger", "missing") for doc_id in "145"]
        assert data.repair().restored == {"ledger": 3}
        check_whole(data)
    assert commits_of(tmp_path) == newest


def test_entries_that_the_ledger_has_no_record_of_go_only_if_that_is_allowed(tmp_path: Path) -> None:
    fill(tmp_path, Pairing())
    with opened(tmp_path) as data:
        commit = data.log.find(a_key("4"))
        assert commit is not None
        chunks = [(commit.key, chunk) for chunk in data.search.document_chunks(commit.key, commit.intent_id)]
        data.search.write(TENANT, "of another ledger", chunks, None)
        assert data.differences() == [("4", "search", "unrecorded")]
        assert list(data.repair().left) == [a_key("4")]
        assert data.differences() == [("4", "search", "unrecorded")]
        assert data.repair(delete=True).deleted == [a_key("4")]
        check_whole(data)


@pytest.mark.parametrize("how", [REMOVED, CUT])
def test_what_is_derived_from_segments_is_built_again(tmp_path: Path, how: str) -> None:
    fill(tmp_path, Pairing())
    sizes = IndexSizes(build_rows=1)
    assert FaissVectors(tmp_path / "vectors", sizes).compact(TENANT) == 1
    derived = [file for file in files_of(tmp_path) if "/derived/" in file]
    assert len(derived) > 2
    for number, file in enumerate(derived):
        folder = tmp_path.with_name(f"{tmp_path.name}-{number}")
        shutil.copytree(tmp_path, folder)
        spoil(folder / file, how)
        with opened(folder) as data:
            check_whole(data)
            assert FaissVectors(folder / "vectors", sizes).compact(TENANT) in (0, 1)
            check_whole(data)


def test_a_ledger_cut_to_half_says_what_repairs_it(tmp_path: Path) -> None:
    fill(tmp_path, Pairing())
    spoil(tmp_path / "ledger.sqlite", CUT)
    url = f"sqlite:///{tmp_path / 'ledger.sqlite'}"
    with pytest.raises(StoreCorruptError, match="verify --repair"), closing(open_ledger(url)) as ledger:
        list(ledger.commits.committed(TENANT))
    aside = Path(set_ledger_aside(url))
    assert aside.name.startswith("ledger.sqlite.damaged-") and aside.exists()


def commits_of(folder: Path) -> set[object]:
    with opened(folder) as data:
        return set(data.log.committed(TENANT))


def a_key(doc_id: str) -> DocumentKey:
    return DocumentKey(tenant_id=TENANT, source="files", doc_id=doc_id)
