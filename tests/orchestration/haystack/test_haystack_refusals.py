"""A document that only a store refuses: the others of the write are visible, then the error names it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path

import pytest
from haystack import Document, Pipeline
from haystack.document_stores.types import DuplicatePolicy

from medkg.testing.builders import TENANT
from orchestration.contracts import Outcome
from orchestration.errors import DocumentsRefusedError, MedkgError
from orchestration.haystack import HaystackIndexWriter, MedkgDocumentStore
from orchestration.records import DocumentKey, EmbeddingBatch, IndexReceipt, StageContext
from orchestration.stores import entry_limits
from tests.orchestration.haystack.collection import a_collection
from tests.orchestration.opensearch import SERVER, connected, own_prefix
from tests.orchestration.stores.data_folder import DataFolder, Pairing, opened

OVERWRITE = DuplicatePolicy.OVERWRITE
LONG = "m" * 40_000
"""A heading that is longer than a store takes."""


@pytest.fixture(
    params=[
        "sqlite+faiss",
        pytest.param("opensearch+opensearch", marks=pytest.mark.needs_service("opensearch")),
    ]
)
def data(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[DataFolder]:
    """A folder whose stores refuse LONG: by the limits of all stores, or by an answer of the server."""
    with ExitStack() as stack:
        pairing = Pairing()
        if request.param != "sqlite+faiss":
            monkeypatch.setattr(entry_limits, "MOST_TERM_BYTES", 1_000_000)
            prefix = stack.enter_context(own_prefix(stack.enter_context(connected())))
            pairing = Pairing("opensearch", "opensearch", SERVER, prefix)
        yield stack.enter_context(opened(tmp_path, pairing=pairing))


@pytest.fixture
def store(data: DataFolder) -> MedkgDocumentStore:
    return MedkgDocumentStore(collection=a_collection(data))


def a_document(doc_id: str, content: str, mesh: str = "sleep") -> Document:
    return Document(id=doc_id, content=content, meta={"mesh": [mesh]})


def a_key(doc_id: str) -> DocumentKey:
    return DocumentKey(tenant_id=TENANT, source="haystack", doc_id=doc_id)


def contents(store: MedkgDocumentStore) -> dict[str, str | None]:
    return {document.id: document.content for document in store.filter_documents()}


def test_the_others_of_a_write_are_visible_and_the_refused_are_named_with_their_reasons(
    data: DataFolder, store: MedkgDocumentStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("orchestration.collection.direct_writes.WINDOW", 2)
    documents = [a_document(str(number), f"walking {number}") for number in range(5)]
    documents[1:1] = [a_document("long", "walking far", LONG)]
    documents.append(a_document("longer", "walking on", LONG))
    with pytest.raises(
        DocumentsRefusedError, match=r"refuses 2 of 7 documents.*long: .*write them again"
    ) as e:
        store.write_documents(documents)
    assert set(e.value.reasons) == {a_key("long"), a_key("longer")}
    assert all("immense term" in reason or "a value of mesh" in reason for reason in e.value.reasons.values())
    assert contents(store) == {str(number): f"walking {number}" for number in range(5)}
    assert data.differences() == []
    assert {key.doc_id for key, _, _ in data.documents.held(TENANT)} == set("01234")
    assert data.ledger.dead_letters.find(TENANT) == []


def test_a_refused_document_keeps_its_previous_version_and_a_corrected_one_is_written(
    data: DataFolder, store: MedkgDocumentStore
) -> None:
    store.write_documents([a_document("1", "walking")])
    changed = [a_document("1", "walking far", LONG), a_document("2", "sleeping")]
    for _ in range(2):  # a repeated write is refused in the same way
        with pytest.raises(DocumentsRefusedError, match=r"1 of . documents, and the others are written"):
            store.write_documents(changed, OVERWRITE)
        assert contents(store) == {"1": "walking", "2": "sleeping"}
        assert data.differences() == []
    corrected = [a_document("1", "walking far"), a_document("2", "sleeping")]
    assert store.write_documents(corrected, OVERWRITE) == 2
    assert contents(store) == {"1": "walking far", "2": "sleeping"}
    assert data.differences() == []


def test_a_run_of_a_pipeline_fails_with_the_error_after_the_others_are_written(
    data: DataFolder, store: MedkgDocumentStore
) -> None:
    pipeline = Pipeline()
    pipeline.add_component("writer", HaystackIndexWriter(document_store=store))
    documents = [a_document("1", "walking"), a_document("2", "sleeping", LONG)]
    with pytest.raises(Exception, match="1 of 2 documents") as failed:
        pipeline.run({"writer": {"documents": documents}})
    assert isinstance(failed.value, DocumentsRefusedError) or isinstance(
        failed.value.__cause__, DocumentsRefusedError
    )
    assert contents(store) == {"1": "walking"}


def test_a_window_that_fails_as_a_whole_returns_the_refused_documents_of_the_others(
    data: DataFolder, store: MedkgDocumentStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("orchestration.collection.direct_writes.WINDOW", 1)
    documents = [a_document("1", "walking", LONG), a_document("2", "sleeping")]
    stage = data.index.stage

    def full(
        tenant_id: str, owner: str, items: Sequence[tuple[StageContext, EmbeddingBatch]]
    ) -> list[Outcome[IndexReceipt]]:
        if "sleeping" in repr(items):
            raise MedkgError("the disk is full")
        return stage(tenant_id, owner, items)

    with monkeypatch.context() as broken:
        broken.setattr(data.index, "stage", full)
        with pytest.raises(MedkgError, match="full"):
            store.write_documents(documents)
    with pytest.raises(DocumentsRefusedError, match="1 of 2 documents"):
        store.write_documents(documents)
    assert contents(store) == {"2": "sleeping"}
    assert data.differences() == []
