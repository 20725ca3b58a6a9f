"""Verification finds what differs between ledger and stores, and repair repairs it from what is durable."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from medkg.testing.builders import TENANT, a_context
from orchestration.contracts import VectorRow
from orchestration.records import DocumentKey, Float32Matrix
from tests.orchestration.stores.data_folder import MODEL, DataFolder, encode, opened


@pytest.fixture
def data(tmp_path: Path) -> Iterator[DataFolder]:
    with opened(tmp_path) as folder:
        folder.ingest({"1": "walking", "2": "sleeping", "3": "running"})
        folder.ingest({"4": "swimming"})
        yield folder


def the_intent(data: DataFolder, doc_id: str) -> str:
    commit = data.log.find(a_key(doc_id))
    assert commit is not None
    return commit.intent_id


def a_key(doc_id: str) -> DocumentKey:
    return a_context(doc_id, source="files").key


def repaired(data: DataFolder, **options: Any) -> dict[str, int]:
    """Documents that a repair restored by store; afterwards nothing differs, and nothing was deleted."""
    done = data.repair(**options)
    assert data.differences() == []
    assert (done.deleted, done.left) == ([], {})
    return done.restored


def never(texts: Sequence[str]) -> tuple[Float32Matrix, str]:
    raise AssertionError("nothing had to be embedded")


def segment_of(tmp_path: Path, data: DataFolder, doc_id: str) -> Path:
    (path,) = tmp_path.rglob(f"{the_intent(data, doc_id)}.segment")
    return path


def test_stores_that_agree_have_no_differences(data: DataFolder) -> None:
    assert data.differences() == []
    assert repaired(data) == {}


def test_a_lost_segment_is_computed_again(data: DataFolder, tmp_path: Path) -> None:
    segment_of(tmp_path, data, "1").unlink()
    assert data.differences() == [(doc_id, "vectors", "missing") for doc_id in "123"]
    assert data.visible("walking")[1] == ["swimming", "swimming again"]
    assert repaired(data) == {"vectors": 3}
    assert data.visible("walking") == (["walking", "walking again"], sorted(data.visible("walking")[1]))
    assert "walking" in data.visible("walking")[1]


def test_a_damaged_segment_is_computed_again(data: DataFolder, tmp_path: Path) -> None:
    path = segment_of(tmp_path, data, "4")
    path.write_bytes(path.read_bytes()[:-1])
    assert data.differences() == [("4", "vectors", "damaged")]
    assert repaired(data) == {"vectors": 1}
    assert "swimming" in data.visible("swimming")[1]


def test_a_damaged_segment_that_no_process_needs_is_removed(data: DataFolder, tmp_path: Path) -> None:
    path = segment_of(tmp_path, data, "4").with_name("unknown.segment")
    path.write_bytes(b"rubbish")
    assert data.differences() == [("*", "vectors", "leftover")]
    assert repaired(data) == {}
    assert not path.exists()


def test_vectors_of_another_model_beside_those_of_the_commits_are_no_difference(
    data: DataFolder, tmp_path: Path
) -> None:
    intent_id = the_intent(data, "4")
    refs, dense = data.vectors.vectors(TENANT, MODEL, intent_id)
    rows = [VectorRow(ref.key, ref.chunk_id, {}) for ref in refs]
    data.vectors.write(TENANT, "other@1", intent_id, rows[:1], dense[:1])
    assert data.differences() == []
    data.vectors.discard_other_models(TENANT, ["other@1"])
    assert data.differences() == [(doc_id, "vectors", "missing") for doc_id in "123"] + [
        ("4", "vectors", "missing")
    ]


def test_lost_vectors_that_another_model_makes_again_are_its_own_from_then_on(data: DataFolder) -> None:
    data.vectors.discard(TENANT, the_intent(data, "4"))
    assert data.differences() == [("4", "vectors", "missing")]
    assert repaired(data, embed=lambda texts: (encode(texts), "other@1")) == {"vectors": 1}
    assert data.log.namespaces(TENANT) == {MODEL: 3, "other@1": 1}
    assert "swimming" not in data.visible("swimming")[1]  # it is asked by vectors of the previous model


def test_lost_search_rows_are_made_again_from_the_parsed_document_with_the_vectors_that_are_held(
    data: DataFolder,
) -> None:
    data.search.discard(TENANT, the_intent(data, "1"), [a_key("1")])
    assert data.differences() == [("1", "search", "missing")]
    assert repaired(data, embed=never) == {"search": 1}
    assert data.visible("walking")[0] == ["walking", "walking again"]
    assert "walking" in data.visible("walking")[1]


def test_a_reader_that_has_cached_the_commits_sees_the_restored_entries(data: DataFolder) -> None:
    newest, _ = data.log.changes(TENANT, 0)
    data.search.discard(TENANT, the_intent(data, "1"), [a_key("1")])
    repaired(data)
    assert data.log.changes(TENANT, newest)[1] == [(a_key("1"), the_intent(data, "1"))]


def test_search_rows_and_vectors_lost_together_come_from_the_parsed_document(data: DataFolder) -> None:
    data.search.discard(TENANT, the_intent(data, "4"), None)
    data.vectors.discard(TENANT, the_intent(data, "4"))
    assert repaired(data) == {"search": 1}
    assert data.visible("swimming")[0] == ["swimming", "swimming again"]
    assert "swimming" in data.visible("swimming")[1]


def test_a_chunk_less_is_incomplete(data: DataFolder, tmp_path: Path) -> None:
    connection = sqlite3.connect(tmp_path / "search" / f"{TENANT}.sqlite")
    connection.execute("DELETE FROM chunks WHERE doc_id = '1' AND ordinal = 1")
    connection.commit()
    connection.close()
    assert ("*", "search", "damaged") in data.differences()  # the word index knows more than there is
    assert repaired(data) == {"search": 1}
    assert data.visible("walking")[0] == ["walking", "walking again"]


def test_a_lost_parsed_document_is_fetched_and_parsed_again(data: DataFolder) -> None:
    data.documents.discard(a_key("2"), None)
    assert data.differences() == [("2", "documents", "missing")]
    assert repaired(data, source={"2": "sleeping"}) == {"documents": 1}
    document = data.documents.get(a_key("2"), "1" * 64, "f" * 64)
    assert document is not None and document.text == "sleeping\nsleeping again"


@pytest.mark.parametrize("source", [{}, {"2": "sleeping late"}])
def test_a_parsed_document_that_no_source_has_as_it_was_is_queued_again_and_stays_visible(
    data: DataFolder, source: dict[str, str]
) -> None:
    data.documents.discard(a_key("2"), None)
    done = data.repair(source=source, delete=True)
    assert (done.queued, done.deleted, list(done.left)) == ([a_key("2")], [], [a_key("2")])
    assert data.visible("sleeping")[0] == ["sleeping", "sleeping again"]
    assert data.differences() == [("2", "documents", "missing")]


def test_a_document_of_which_nothing_is_left_is_withdrawn_only_if_that_is_allowed(data: DataFolder) -> None:
    intent_id = the_intent(data, "2")
    data.documents.discard(a_key("2"), None)
    data.search.discard(TENANT, intent_id, [a_key("2")])
    done = data.repair()
    assert (list(done.left), done.deleted) == ([a_key("2")], [])
    assert the_intent(data, "2") == intent_id
    done = data.repair(delete=True)
    assert (done.left, done.deleted) == ({}, [a_key("2")])
    assert data.log.find(a_key("2")) is None
    assert data.differences() == []


def test_a_document_of_which_only_its_source_is_left_comes_from_there(data: DataFolder) -> None:
    data.documents.discard(a_key("2"), None)
    data.search.discard(TENANT, the_intent(data, "2"), [a_key("2")])
    assert repaired(data, source={"2": "sleeping"}) == {"documents": 1, "search": 1}
    assert data.visible("sleeping")[0] == ["sleeping", "sleeping again"]


def test_entries_without_a_commit_are_leftovers_and_go(data: DataFolder) -> None:
    data.ledger.documents.delete([a_key("2")])
    dead = data.stage({"9": "walking on"}, owner="dead")
    assert dead
    differences = {(doc_id, kind) for doc_id, _, kind in data.differences(lambda owner: False)}
    assert differences == {("2", "leftover"), ("9", "leftover")}
    assert data.repair(alive=lambda owner: False).removed == 2
    assert data.differences(lambda owner: False) == []
    assert data.visible("walking")[0] == ["walking", "walking again"]


def test_other_tenants_are_left_alone(data: DataFolder) -> None:
    data.ingest({"1": "walking elsewhere"}, tenant_id="other")
    data.search.discard(TENANT, the_intent(data, "1"), None)
    assert repaired(data) == {"search": 3}
    assert data.verification().differences("other") == []
    assert data.visible("walking", "other")[0] == ["walking elsewhere", "walking elsewhere again"]
