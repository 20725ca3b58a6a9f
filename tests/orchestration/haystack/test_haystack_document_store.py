"""Haystack's own tests of document stores, over every pairing of ours.

What differs, and why:
- Documents are compared in order of their ids and without embeddings: a filter reads chunks, not vectors.
- The documents that Haystack's filter tests write have embeddings of 768 dimensions, so the model here has as
  many.
- Left out: nothing of DocumentStoreBaseExtendedTests, the metadata tests, and their asynchronous halves, but
  delete_all_documents' recreate_index (skipped by Haystack itself): there is no index to make again that
  would not be made by the next write.
- Asynchronous tests are run by conftest.py, on asyncio.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace

import pytest
from haystack import Document
from haystack.document_stores.errors import DuplicateDocumentError
from haystack.document_stores.types import DocumentStore, DuplicatePolicy
from haystack.testing import document_store as haystack_tests
from haystack.testing import document_store_async as haystack_async_tests

from orchestration.haystack import MedkgDocumentStore
from tests.orchestration.haystack.collection import CountedLetters, a_collection
from tests.orchestration.opensearch import SERVER, connected, own_prefix
from tests.orchestration.stores.data_folder import DataFolder, Pairing, opened

ON_A_SERVER = pytest.mark.needs_service("opensearch")
PAIRINGS = [
    "sqlite+faiss",
    pytest.param("sqlite+opensearch", marks=ON_A_SERVER),
    pytest.param("opensearch+faiss", marks=ON_A_SERVER),
    pytest.param("opensearch+opensearch", marks=ON_A_SERVER),
]


@pytest.fixture(scope="module", params=PAIRINGS)
def data(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[DataFolder]:
    """One data folder per pairing for all tests, since a server takes long to make and remove indexes."""
    folder = tmp_path_factory.mktemp("pairing")
    search, vectors = request.param.split("+")
    with ExitStack() as stack:
        pairing = Pairing(search, vectors)
        if "opensearch" in request.param:
            connection = stack.enter_context(connected())
            pairing = Pairing(search, vectors, SERVER, stack.enter_context(own_prefix(connection)))
        yield stack.enter_context(opened(folder, pairing=pairing))


@pytest.fixture
def document_store(data: DataFolder) -> Iterator[MedkgDocumentStore]:
    """An empty store; whatever a test does, ledger and stores agree in the end, also when it is emptied."""
    store = MedkgDocumentStore(collection=a_collection(data, CountedLetters(768)))
    assert store.count_documents() == 0
    yield store
    assert data.differences() == []
    store.delete_all_documents()
    assert data.differences() == []


def comparable(documents: list[Document]) -> list[Document]:
    return sorted((replace(document, embedding=None) for document in documents), key=lambda bare: bare.id)


class Compared:
    """How documents of this store are compared."""

    @staticmethod
    def assert_documents_are_equal(received: list[Document], expected: list[Document]) -> None:
        assert comparable(received) == comparable(expected)


class TestHaystacksTests(
    Compared,
    haystack_tests.DocumentStoreBaseExtendedTests,
    haystack_tests.CountDocumentsByFilterTest,
    haystack_tests.CountUniqueMetadataByFilterTest,
    haystack_tests.GetMetadataFieldsInfoTest,
    haystack_tests.GetMetadataFieldMinMaxTest,
    haystack_tests.GetMetadataFieldUniqueValuesTest,
):
    @pytest.fixture
    def document_store(self, document_store: MedkgDocumentStore) -> MedkgDocumentStore:
        return document_store

    def test_write_documents(self, document_store: DocumentStore) -> None:
        """Without a policy, a document that is there already is an error."""
        document = Document(content="walking")
        assert document_store.write_documents([document]) == 1
        with pytest.raises(DuplicateDocumentError):
            document_store.write_documents([document], DuplicatePolicy.NONE)
        self.assert_documents_are_equal(document_store.filter_documents(), [document])


class TestHaystacksAsynchronousTests(
    Compared,
    haystack_async_tests.CountDocumentsAsyncTest,
    haystack_async_tests.WriteDocumentsAsyncTest,
    haystack_async_tests.DeleteDocumentsAsyncTest,
    haystack_async_tests.FilterDocumentsAsyncTest,
    haystack_async_tests.DeleteAllAsyncTest,
    haystack_async_tests.DeleteByFilterAsyncTest,
    haystack_async_tests.UpdateByFilterAsyncTest,
    haystack_async_tests.CountDocumentsByFilterAsyncTest,
    haystack_async_tests.CountUniqueMetadataByFilterAsyncTest,
    haystack_async_tests.GetMetadataFieldsInfoAsyncTest,
    haystack_async_tests.GetMetadataFieldMinMaxAsyncTest,
    haystack_async_tests.GetMetadataFieldUniqueValuesAsyncTest,
):
    @pytest.fixture
    def filterable_docs(self) -> list[Document]:
        return haystack_tests.create_filterable_docs()

    async def test_write_documents_async(self, document_store: MedkgDocumentStore) -> None:
        """Without a policy, a document that is there already is an error."""
        document = Document(content="walking")
        assert await document_store.write_documents_async([document]) == 1
        with pytest.raises(DuplicateDocumentError):
            await document_store.write_documents_async([document])
