"""The document store of objects passes the suite in a folder and on S3, and notices damage."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from medkg.testing.builders import a_context, a_document
from medkg.testing.document_store_suite import F1, V1, DocumentStoreSuite, a_version
from orchestration.contracts import ObjectStore
from orchestration.errors import DagsterResourceUnavailableError, StoreCorruptError
from orchestration.records import DocumentKey
from orchestration.stores.objects.documents import ObjectDocuments
from orchestration.stores.objects.opening import open_objects


@pytest.fixture
def objects(tmp_path: Path) -> ObjectStore:
    return open_objects(tmp_path.as_uri())


@pytest.fixture
def store(objects: ObjectStore) -> Iterator[ObjectDocuments]:
    opened = ObjectDocuments(objects)
    yield opened
    opened.close()


class TestObjectDocumentsInAFolder(DocumentStoreSuite):
    pass


@pytest.mark.needs_service("s3")
class TestObjectDocumentsOnS3(DocumentStoreSuite):
    @pytest.fixture
    def objects(self, s3_url: str) -> ObjectStore:
        return open_objects(s3_url)


@pytest.mark.parametrize("doc_id", ["10.1016/j.cell#1", "a/b", "..", "d" * 400, "β"])
def test_a_document_of_any_id_is_held_under_it(store: ObjectDocuments, doc_id: str) -> None:
    ctx = a_context(doc_id, source="files", version=V1, fingerprint=F1)
    store.put([(ctx, a_document(version=V1))])
    assert list(store.held("default")) == [(ctx.key, V1, F1)]
    store.discard(DocumentKey(tenant_id="default", source="files", doc_id=f"{doc_id}-"), None)
    assert store.get(ctx.key, V1, F1) is not None


def test_a_damaged_document_is_named_and_counts_as_not_held(
    store: ObjectDocuments, objects: ObjectStore
) -> None:
    store.put([(a_version(), a_document(version=V1))])
    (stored,) = objects.list("documents")
    content = objects.get(stored.key)
    assert content is not None
    for damaged in (content.data[:40], b"", content.data[:-1] + b"\x00"):
        objects.put(stored.key, damaged)
        with pytest.raises(StoreCorruptError, match="doc-1"):
            store.get(a_version().key, V1, F1)
        assert list(store.held("default")) == []
        assert store.titles([(a_version().key, V1)]) == [None]


def test_a_server_that_is_unavailable_is_reported_not_taken_for_an_empty_store(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name, value in (
        ("ACCESS_KEY_ID", "a"),
        ("SECRET_ACCESS_KEY", "b"),
        ("ENDPOINT_URL", "http://127.0.0.1:1"),
    ):
        monkeypatch.setenv(f"AWS_{name}", value)
    store = ObjectDocuments(open_objects("s3://bucket/p"))
    with pytest.raises(DagsterResourceUnavailableError):
        store.put([(a_version(), a_document(version=V1))])
    with pytest.raises(DagsterResourceUnavailableError):
        store.titles([(a_version().key, V1)])
    store.close()
