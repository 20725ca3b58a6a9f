"""The dual write: both stores or neither, whatever kills the writer and whenever."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest

from medkg.testing.builders import TENANT, a_context, chunks_of
from orchestration.contracts import values_of
from orchestration.errors import (
    DocumentsRefusedError,
    LeaseLostError,
    StageContractError,
    StoreUnwritableError,
)
from orchestration.processes.child_process import is_alive, own_identity
from orchestration.records import DocumentKey, EmbeddingBatch, IndexReceipt
from tests.orchestration.stores.data_folder import (
    BOUNDARIES,
    MODEL,
    OLD,
    DataFolder,
    check_death,
    found,
    opened,
)
from tests.waiting import PATIENCE

ROOT = Path(__file__).resolve().parents[3]
DEAD = "dead"

Start = Callable[..., "subprocess.Popen[bytes]"]


@pytest.fixture
def data(tmp_path: Path) -> Iterator[DataFolder]:
    with opened(tmp_path) as folder:
        yield folder


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Starts processes on the folder; ends them with the test."""
    started: list[subprocess.Popen[bytes]] = []

    def run(*arguments: str) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", "tests.orchestration.stores.data_folder", str(tmp_path), *arguments]
        started.append(subprocess.Popen(command, cwd=ROOT))
        return started[-1]

    yield run
    for process in started:
        process.kill()
        process.wait()


# --- kill -9 ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("boundary", BOUNDARIES)
def test_a_writer_killed_at_any_boundary_leaves_the_old_or_the_new_version_whole(
    data: DataFolder, start: Start, boundary: str
) -> None:
    check_death(data, boundary, lambda: start("index", boundary).wait(timeout=PATIENCE))


def test_writers_in_several_processes_and_a_reader_do_not_disturb_each_other(
    data: DataFolder, start: Start
) -> None:
    writers = [start("fill", name, "12") for name in ("a", "b", "c")]
    while any(writer.poll() is None for writer in writers):
        for bodies in data.visible("walking"):
            assert not [body for body in bodies if f"{body} revised" in bodies]
    assert [writer.wait() for writer in writers] == [0, 0, 0]
    bodies = found(data)
    assert len(bodies) == 3 * 12 * 2
    assert sum("revised" in body for body in bodies) == 3 * 4 * 2
    assert data.differences() == []


# --- recovery ---------------------------------------------------------------------------------------


def test_a_live_writers_work_is_neither_cleaned_nor_a_difference(data: DataFolder) -> None:
    staged = data.stage({"1": "walking"}, owner=own_identity())
    assert data.index.recover(is_alive) == 0
    assert data.differences() == []
    data.commit(staged)
    assert found(data) == OLD


def test_recovery_keeps_what_is_visible_of_a_dead_writers_intent(data: DataFolder) -> None:
    first, second = data.stage({"1": "walking", "2": "walking far"}, owner=DEAD)
    data.commit([first])
    assert data.differences() == [("2", "search", "leftover"), ("2", "vectors", "leftover")]
    for _ in range(2):
        assert data.index.recover(is_alive) == 0
    assert found(data) == OLD
    assert data.differences() == []
    assert data.index.lost([receipt for _, receipt in (first, second)]) == [second[1]]


def test_a_commit_that_comes_while_its_entries_are_cleaned_is_refused(
    data: DataFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    staged = data.stage({"1": "walking"}, owner=DEAD)
    assert data.index.lost([receipt for _, receipt in staged]) == []
    discard = data.search.discard

    def commit_meanwhile(tenant_id: str, intent_id: str, keys: Sequence[DocumentKey] | None) -> None:
        with pytest.raises(LeaseLostError):
            data.commit(staged)
        discard(tenant_id, intent_id, keys)

    monkeypatch.setattr(data.search, "discard", commit_meanwhile)
    assert data.index.recover(is_alive) == 1
    assert list(data.log.committed(TENANT)) == [] and data.differences() == []


def test_a_receipt_whose_entries_were_cleaned_is_lost(data: DataFolder) -> None:
    staged = data.stage({"1": "walking"}, owner=DEAD)
    receipts = [receipt for _, receipt in staged]
    assert data.index.lost(receipts) == []
    assert data.index.recover(is_alive) == 1
    assert data.index.lost(receipts) == receipts
    assert data.log.intents() == []


def test_what_a_writer_could_not_clean_is_cleaned_later(data: DataFolder) -> None:
    data.commit(data.stage({"1": "walking"}, owner=DEAD))
    data.commit(data.stage({"1": "walking fast"}, version="2"))  # and dies before clean
    assert data.index.recover(is_alive) == 1
    assert data.differences() == []
    assert found(data) == ["walking fast", "walking fast again"]


# --- replacing and deleting -------------------------------------------------------------------------


def test_a_new_version_replaces_the_old_one_everywhere(data: DataFolder) -> None:
    data.ingest({"1": "walking", "2": "walking far"})
    data.ingest({"1": "running"}, version="2")
    assert found(data) == ["walking far", "walking far again"]
    assert data.visible("running")[0] == ["running", "running again"]
    assert data.differences() == []
    held = {(key.doc_id, version[0]) for key, version, _ in data.documents.held(TENANT)}
    assert held == {("1", "2"), ("2", "1")}
    assert sum(holding.chunk_count for holding in data.vectors.holdings(TENANT)) == 4


def test_the_same_version_indexed_again_keeps_its_parsed_document(data: DataFolder) -> None:
    for _ in range(2):
        data.ingest({"1": "walking"})
    assert data.differences() == []
    assert len(list(data.documents.held(TENANT))) == 1


def test_a_withdrawn_document_is_cleaned_everywhere(data: DataFolder) -> None:
    data.ingest({"1": "walking", "2": "walking far"})
    key = a_context("1", source="files").key
    data.index.clean(data.ledger.documents.delete([key]))
    assert found(data) == ["walking far", "walking far again"]
    assert {holding.key.doc_id for holding in data.vectors.holdings(TENANT)} == {"2"}
    assert [key.doc_id for key, _, _ in data.documents.held(TENANT)] == ["2"]


def test_tenants_with_the_same_documents_do_not_meet(data: DataFolder) -> None:
    data.ingest({"1": "walking"})
    data.ingest({"1": "walking elsewhere"}, tenant_id="other")
    assert found(data) == OLD
    data.index.clean(data.ledger.documents.delete([a_context("1", source="files", tenant_id="other").key]))
    assert found(data) == OLD
    assert data.visible("walking", "other") == ([], [])


# --- what is refused --------------------------------------------------------------------------------


def test_nothing_and_documents_without_chunks_can_be_staged(data: DataFolder) -> None:
    assert data.index.stage(TENANT, "owner", []) == []
    ctx = a_context("empty", source="files")
    batch = EmbeddingBatch((), np.zeros((0, 0), np.float32), None, {"dense": "m"})
    (receipt,) = values_of(data.index.stage(TENANT, "owner", [(ctx, batch)]))
    assert receipt.chunk_count == 0
    assert data.index.lost([receipt]) == []


def test_a_commit_names_the_model_of_its_vectors(data: DataFolder) -> None:
    data.ingest({"1": "walking"})
    (commit,) = data.log.committed(TENANT)
    assert commit.namespace == MODEL
    refs, _ = data.vectors.vectors(TENANT, commit.namespace, commit.intent_id)
    assert len(refs) == commit.chunk_count


def test_vectors_of_two_models_are_not_staged_together(data: DataFolder) -> None:
    items = []
    for doc_id, model in (("1", "a"), ("2", "b")):
        chunks = chunks_of("walking", doc_id=doc_id)
        batch = EmbeddingBatch(tuple(chunks), np.ones((1, 2), np.float32), None, {"dense": model})
        items.append((a_context(doc_id, source="files"), batch))
    with pytest.raises(StageContractError, match=r"\['a', 'b'\]"):
        data.index.stage(TENANT, "owner", items)
    assert data.log.intents() == []


def test_a_document_that_a_store_refuses_leaves_the_others_whole(data: DataFolder) -> None:
    items = []
    for doc_id, mesh, value in (("1", "sleep", 1.0), ("2", "m" * 40_000, 1.0), ("3", "sleep", np.nan)):
        (chunk,) = chunks_of("walking", doc_id=doc_id)
        chunk = chunk.model_copy(update={"metadata": {"mesh": [mesh]}})
        batch = EmbeddingBatch((chunk,), np.full((1, 2), value, np.float32), None, {"dense": MODEL})
        items.append((a_context(doc_id, source="files"), batch))
    receipt, long, unclear = data.index.stage(TENANT, "owner", items)
    assert isinstance(receipt, IndexReceipt)
    assert isinstance(long, DocumentsRefusedError) and "2: a value of mesh" in long.message
    assert isinstance(unclear, DocumentsRefusedError) and "not finite" in unclear.message
    for store in (data.search, data.vectors):
        held = [holding.key.doc_id for holding in store.holdings(TENANT, receipt.intent_id)]
        assert held == ["1"]
    assert data.index.lost([receipt]) == []


def test_where_all_documents_are_refused_nothing_is_left(data: DataFolder) -> None:
    (chunk,) = chunks_of("walking", doc_id="1")
    batch = EmbeddingBatch((chunk,), np.full((1, 2), np.inf, np.float32), None, {"dense": MODEL})
    (refused,) = data.index.stage(TENANT, "owner", [(a_context("1", source="files"), batch)])
    assert isinstance(refused, DocumentsRefusedError)
    assert list(data.search.holdings(TENANT)) == list(data.vectors.holdings(TENANT)) == []


def test_a_vector_store_that_cannot_be_written_leaves_nothing_visible(
    data: DataFolder, tmp_path: Path
) -> None:
    (tmp_path / "vectors").write_text("in the way")
    with pytest.raises(StoreUnwritableError):
        data.stage({"1": "walking"}, owner=DEAD)
    (tmp_path / "vectors").unlink()
    assert found(data) == []
    assert data.index.recover(is_alive) == 1
    assert data.differences() == []
