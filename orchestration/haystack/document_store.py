"""MedkgDocumentStore: a tenant's chunks as a Haystack document store.

Comes in: Haystack documents, ids, filters. Leaves: documents; and the same entries in ledger and stores as a
run, so that `medkg search`, `docs` and `verify` cover what is written here, and this store what runs commit.
Source: https://docs.haystack.deepset.ai/docs/creating-custom-document-stores
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import replace
from typing import Any, Final

import structlog
from haystack import Document, default_from_dict, default_to_dict
from haystack.core.errors import SerializationError
from haystack.document_stores.errors import DuplicateDocumentError
from haystack.document_stores.types import DuplicatePolicy

from orchestration.collection.chunk_collection import ChunkCollection
from orchestration.errors import MalformedDocumentError, UsageError
from orchestration.haystack import metadata_fields as fields
from orchestration.haystack.asynchronous import AsyncDocumentStore
from orchestration.haystack.documents import (
    PLACE,
    SOURCE,
    has_place,
    haystack_document,
    passed_chunk,
    possible_keys,
)
from orchestration.haystack.filters import may_match, predicate
from orchestration.haystack.opening import Opened
from orchestration.operations.data_folder import DataFolder
from orchestration.records import DocumentKey

__all__ = ["MedkgDocumentStore"]

Filter = dict[str, Any]


class MedkgDocumentStore(AsyncDocumentStore):
    """All visible chunks of a tenant, as one Haystack document each; thread-safe.

        store = MedkgDocumentStore(data_dir=".medkg")
        store.write_documents([Document(content="Metformin lowers HbA1c.", meta={"title": "Note"})])
        print(store.filter_documents({"field": "meta.source", "operator": "==", "value": "haystack"}))
        store.close()

    Without `collection` the first use opens a data folder, which `close` closes; MEDKG_* variables supply
    what is not passed, as for the command line. Documents are read without embeddings. Writes are visible to
    every reader when they return. Raises ConfigurationError for invalid settings, UnavailableError if a store
    is unavailable.
    """

    def __init__(
        self,
        data_dir: str | None = None,
        tenant_id: str | None = None,
        profile: str | None = None,
        *,
        collection: ChunkCollection | None = None,
    ) -> None:
        """Raises UsageError for a collection together with arguments that open one."""
        if collection is not None and (data_dir, tenant_id, profile) != (None, None, None):
            raise UsageError(
                "pass MedkgDocumentStore a collection, or data_dir, tenant_id and profile to open one, "
                "not both."
            )
        self._passed_collection = collection
        self.settings: Final = {"data_dir": data_dir, "tenant_id": tenant_id, "profile": profile}
        self._opened = Opened(_collection, data_dir, tenant_id, profile)

    def to_dict(self) -> dict[str, Any]:
        """Serialise the store; raises SerializationError if a collection was passed in."""
        if self._passed_collection is not None:
            raise SerializationError(
                "a MedkgDocumentStore with a collection cannot be serialised; pass data_dir, tenant_id "
                "and profile instead, and it opens its own."
            )
        serialised: dict[str, Any] = default_to_dict(self, **self.settings)
        return serialised

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> MedkgDocumentStore:
        """The store that `to_dict` serialised; opens nothing yet."""
        store: MedkgDocumentStore = default_from_dict(cls, data)
        return store

    def warm_up(self) -> None:
        """Open the data folder; does nothing if it is open or a collection was passed in."""
        _ = self.collection

    def close(self) -> None:
        """Close the data folder if this store opened it; the next use opens it again."""
        self._opened.close()

    @property
    def collection(self) -> ChunkCollection:
        """The chunks, opened if necessary."""
        return self._passed_collection or self._opened()[0]

    # --- reading ------------------------------------------------------------------------------------

    def count_documents(self) -> int:
        """Visible chunks of the tenant."""
        return self.collection.count()

    def filter_documents(self, filters: Filter | None = None) -> list[Document]:
        """The documents that match by Haystack's rules, in no order. Raises FilterError.

        Reads and checks chunks one by one; conditions on id, meta.source and meta.doc_id joined by AND limit
        which documents are read.
        """
        return list(self._matching(filters))

    def count_documents_by_filter(self, filters: Filter) -> int:
        """Number of documents that match."""
        return sum(1 for _ in self._matching(filters))

    def count_unique_metadata_by_filter(self, filters: Filter, metadata_fields: list[str]) -> dict[str, int]:
        """Number of distinct values of each field among the documents that match."""
        return fields.unique_counts(self._matching(filters), metadata_fields)

    def get_metadata_fields_info(self) -> dict[str, dict[str, str]]:
        """Fields of `meta` with their types."""
        return fields.field_types(self._matching(None))

    def get_metadata_field_min_max(self, metadata_field: str) -> dict[str, Any]:
        """Minimum and maximum of a field of `meta`; None if it has no values."""
        return fields.field_ranges(self._matching(None), metadata_field)

    def get_metadata_field_unique_values(
        self,
        metadata_field: str,
        search_term: str | None = None,
        from_: int = 0,
        size: int = 10,
        filters: Filter | None = None,
    ) -> tuple[list[Any], int]:
        """A page of a field's distinct values among the documents that match, and their total number."""
        return fields.unique_values(self._matching(filters), metadata_field, search_term, from_, size)

    def _matching(self, filters: Filter | None) -> Iterator[Document]:
        matches, collection = predicate(filters), self.collection
        for key, chunk in collection.chunks(may_match(filters, collection.tenant_id)):
            document = haystack_document(key, chunk)
            if matches(document):
                yield document

    # --- writing ------------------------------------------------------------------------------------

    def write_documents(
        self, documents: list[Document], policy: DuplicatePolicy = DuplicatePolicy.NONE
    ) -> int:
        """Write documents, all visible when it returns; returns their number.

        NONE means FAIL; OVERWRITE counts all. Missing vectors are made by the configured models. Raises
        DuplicateDocumentError, and for a document that cannot be stored EmptyDocumentError,
        MalformedDocumentError or EmbeddingInputTooLongError naming it; then nothing was written. Raises
        DocumentsRefusedError for documents that only a store refuses, with the reason of each; by then all
        others are written, and a refused one stays as it was.
        """
        if not isinstance(documents, list) or not all(
            isinstance(document, Document) for document in documents
        ):
            raise ValueError("write_documents takes a list of haystack Documents.")
        collection = self.collection
        chunks = {
            document.id: passed_chunk(collection.tenant_id, document) for document in documents
        }  # the last of one id is kept
        with collection.writing:
            existing = self._existing(collection, documents)
            if policy is DuplicatePolicy.OVERWRITE:
                collection.put(list(chunks.values()))
                return len(documents)
            if policy is DuplicatePolicy.SKIP:
                new = {
                    document.id: document for document in reversed(documents) if document.id not in existing
                }  # the first of one id is kept
                collection.put([passed_chunk(collection.tenant_id, document) for document in new.values()])
                return len(new)
            _refuse_duplicates(documents, existing)
            collection.put(list(chunks.values()))
            return len(documents)

    def delete_documents(self, document_ids: list[str]) -> None:
        """Delete the documents with these ids; unknown ids are passed over."""
        self._delete(document_ids)

    def delete_all_documents(self) -> None:
        """Delete all documents of the tenant, also those that runs committed."""
        self.collection.remove_documents(self.collection.keys())

    def delete_by_filter(self, filters: Filter) -> int:
        """Delete the documents that match; returns their number."""
        with self.collection.writing:
            return self._delete([document.id for document in self._matching(filters)])

    def update_by_filter(self, filters: Filter, meta: dict[str, Any]) -> int:
        """Set fields of `meta` in the documents that match; returns their number. Vectors are made again.

        Raises UsageError for fields that give the position of a chunk in a document of a run.
        """
        with self.collection.writing:
            matching = list(self._matching(filters))
            moved = sorted(set(meta).intersection(PLACE))
            if moved and (placed := next(filter(has_place, matching), None)):
                raise UsageError(
                    f"{', '.join(moved)} of document {placed.id} give its position and cannot be set. "
                    "Set other fields."
                )
            updated = [replace(document, meta={**document.meta, **meta}) for document in matching]
            return self.write_documents(updated, DuplicatePolicy.OVERWRITE)

    def _delete(self, document_ids: Sequence[str]) -> int:
        collection = self.collection
        with collection.writing:
            of_key: dict[DocumentKey, set[str]] = defaultdict(set)
            for document_id, key in _places(collection, document_ids).items():
                of_key[key].add(document_id)
            collection.remove(of_key)
            return sum(map(len, of_key.values()))

    def _existing(self, collection: ChunkCollection, documents: Sequence[Document]) -> set[str]:
        """Ids that are visible already; raises MalformedDocumentError for the id of another chunk."""
        places = _places(collection, [document.id for document in documents])
        for document in documents:
            key = places.get(document.id)
            if key is not None and key.source != SOURCE and not has_place(document):
                raise MalformedDocumentError(
                    f"{document.id} is the id of a chunk of {key.source} {key.doc_id}, and the document's "
                    "meta does not match it. Keep meta as it was read, or use another id."
                )
        return set(places)


def _collection(data_folder: DataFolder, closing: ExitStack) -> ChunkCollection:
    collection = data_folder.chunk_collection(SOURCE, structlog.get_logger(__name__).info)
    closing.callback(collection.close)
    return collection


def _places(collection: ChunkCollection, document_ids: Sequence[str]) -> dict[str, DocumentKey]:
    """The document that holds each of these ids; unknown ids are left out."""
    ids_of: dict[DocumentKey, set[str]] = defaultdict(set)
    for document_id in document_ids:
        for key in possible_keys(collection.tenant_id, document_id):
            ids_of[key].add(document_id)
    return {
        chunk.chunk_id: key
        for key, wanted in ids_of.items()
        for chunk in collection.of_document(key)
        if chunk.chunk_id in wanted
    }


def _refuse_duplicates(documents: Sequence[Document], existing: set[str]) -> None:
    ids = set(existing)
    for document in documents:
        if document.id in ids:
            raise DuplicateDocumentError(
                f"there is a document {document.id} already. Write with DuplicatePolicy.OVERWRITE or SKIP."
            )
        ids.add(document.id)
