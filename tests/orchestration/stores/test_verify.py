"""Verification finds what differs between ledger and stores, and repair repairs it from what is durable."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from medkg.testing.builders import TENANT, a_context
from orchestration.contracts import VectorRow
from orchestration.records import DocumentKey
from tests.orchestration.stores.data_folder import MODEL, DataFolder, embed, encode, opened


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


def repaired(data: DataFolder) -> list[str]:
    """Documents that repair made due again; afterwards nothing differs."""
    due = data.verification().repair(TENANT, embed, data.ledger.documents.requeue)
    assert data.differences() == []
    return [key.doc_id for key in due]


def segment_of(tmp_path: Path, data: DataFolder, doc_id: str) -> Path:
    (path,) = tmp_path.rglob(f"{the_intent(data, doc_id)}.segment")
    return path


def test_stores_that_agree_have_no_differences(data: DataFolder) -> None:
    assert data.differences() == []
    assert repaired(data) == []


def test_a_lost_segment_is_computed_again(data: DataFolder, tmp_path: Path) -> None:
    segment_of(tmp_path, data, "1").unlink()
    assert data.differences() == [(doc_id, "vectors", "missing") for doc_id in "123"]
    assert data.visible("walking")[1] == ["swimming", "swimming again"]
    assert repaired(data) == []
    assert data.visible("walking") == (["walking", "walking again"], sorted(data.visible("walking")[1]))
    assert "walking" in data.visible("walking")[1]


def test_a_damaged_segment_is_computed_again(data: DataFolder, tmp_path: Path) -> None:
    path = segment_of(tmp_path, data, "4")
    path.write_bytes(path.read_bytes()[:-1])
    assert data.differences() == [("4", "vectors", "damaged")]
    assert repaired(data) == []
    assert "swimming" in data.visible("swimming")[1]


def test_a_damaged_segment_that_no_process_needs_is_removed(data: DataFolder, tmp_path: Path) -> None:
    path = segment_of(tmp_path, data, "4").with_name("unknown.segment")
    path.write_bytes(b"rubbish")
    assert data.differences() == [("*", "vectors", "leftover")]
    assert repaired(data) == []
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
    data.verification().repair(
        TENANT, lambda texts: (encode(texts), "other@1"), data.ledger.documents.requeue
    )
    assert data.differences() == []
    assert data.log.namespaces(TENANT) == {MODEL: 3, "other@1": 1}
    assert "swimming" not in data.visible("swimming")[1]  # it is asked by vectors of the previous model


def test_lost_search_rows_make_the_document_due_again(data: DataFolder) -> None:
    data.search.discard(TENANT, the_intent(data, "1"), [a_key("1")])
    assert data.differences() == [("1", "search", "missing")]
    assert repaired(data) == ["1"]
    assert data.log.find(a_key("1")) is None
    assert "walking" not in data.visible("walking")[1]
    data.ingest({"1": "walking"})
    assert data.differences() == []


def test_a_chunk_less_is_incomplete(data: DataFolder, tmp_path: Path) -> None:
    connection = sqlite3.connect(tmp_path / "search" / f"{TENANT}.sqlite")
    connection.execute("DELETE FROM chunks WHERE doc_id = '1' AND ordinal = 1")
    connection.commit()
    connection.close()
    differences = data.differences()
    assert ("*", "search", "damaged") in differences  # the word index knows more than there is
    assert repaired(data) == ["1"]


def test_a_lost_parsed_document_makes_the_document_due_again(data: DataFolder) -> None:
    data.documents.discard(a_key("2"), None)
    assert data.differences() == [("2", "documents", "missing")]
    assert repaired(data) == ["2"]


def test_entries_without_a_commit_are_leftovers_and_go(data: DataFolder) -> None:
    data.ledger.documents.delete([a_key("2")])
    dead = data.stage({"9": "walking on"}, owner="dead")
    assert dead
    differences = {(doc_id, kind) for doc_id, _, kind in data.differences(lambda owner: False)}
    assert differences == {("2", "leftover"), ("9", "leftover")}
    data.verification(lambda owner: False).repair(TENANT, embed, lambda keys: [])
    assert data.differences(lambda owner: False) == []
    assert data.visible("walking")[0] == ["walking", "walking again"]


@pytest.mark.parametrize(
    ("file", "store"), [("search/default.sqlite", "search"), ("documents.sqlite", "documents")]
)
def test_a_file_that_cannot_be_read_is_set_aside_and_its_documents_are_due_again(
    data: DataFolder, tmp_path: Path, file: str, store: str
) -> None:
    data.search.close()
    data.documents.close()
    path = tmp_path / file
    path.write_bytes(b"\x55" * path.stat().st_size)
    assert ("*", store, "damaged") in data.differences()
    assert repaired(data) == ["1", "2", "3", "4"]
    assert list(path.parent.glob(f"{path.name}.damaged-*"))
    data.ingest({"1": "walking"})
    assert data.visible("walking")[0] == ["walking", "walking again"]


def test_other_tenants_are_left_alone(data: DataFolder) -> None:
    data.ingest({"1": "walking elsewhere"}, tenant_id="other")
    data.search.discard(TENANT, the_intent(data, "1"), None)
    assert len(repaired(data)) == 3
    assert data.verification().differences("other") == []
    assert data.visible("walking", "other")[0] == ["walking elsewhere", "walking elsewhere again"]
