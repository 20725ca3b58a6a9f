"""MedkgDocumentStore: a tenant's chunks as a Haystack document store.

Comes in: Haystack documents, ids, filters. Leaves: documents; and in ledger and stores what a run leaves, so
that `medkg search`, `docs` and `verify` know of all that is written here, and pipelines of all that was run.
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
    given_chunk,
    has_place,
    haystack_document,
    possible_keys,
)
from orchestration.haystack.filters import may_match, predicate
from orchestration.haystack.opening import Opened
from orchestration.operations.data_folder import DataFolder
from orchestration.records import DocumentKey

__all__ = ["MedkgDocumentStore"]

Filter = dict[str, Any]


class MedkgDocumentStore(AsyncDocumentStore):
    """All visible chunks of a tenant, a document each; thread-safe.

    Without `collection` the first use opens a data folder: what is not given comes from MEDKG_* variables, as
    for the command line. Documents are read without embeddings. Writes are visible to every reader when they
    return. Raises ConfigurationError for settings that are wrong, UnavailableError while a store is away.
    """

    def __init__(
        self,
        data_dir: str | None = None,
        tenant_id: str | None = None,
        profile: str | None = None,
        *,
        collection: ChunkCollection | None = None,
    ) -> None:
        """Raises UsageError for a collection together with what opens one."""
        if collection is not None and (data_dir, tenant_id, profile) != (None, None, None):
            raise UsageError(
                "give MedkgDocumentStore a collection, or data_dir, tenant_id and profile to open one, "
                "not both."
            )
        self._given = collection
        self.settings: Final = {"data_dir": data_dir, "tenant_id": tenant_id, "profile": profile}
        self._opened = Opened(_collection, data_dir, tenant_id, profile)

    def to_dict(self) -> dict[str, Any]:
        """The store as Haystack keeps it; raises SerializationError if it was given a collection."""
        if self._given is not None:
            raise SerializationError(
                "a MedkgDocumentStore that was given a collection cannot be serialised; give it data_dir, "
                "tenant_id and profile instead, and it opens its own."
            )
        kept: dict[str, Any] = default_to_dict(self, **self.settings)
        return kept

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> MedkgDocumentStore:
        """The store that `to_dict` told; opens nothing yet."""
        made: MedkgDocumentStore = default_from_dict(cls, data)
        return made

    def warm_up(self) -> None:
        """Open the data folder; nothing to do if it is open, or a collection was given."""
        _ = self.collection

    def close(self) -> None:
        """Close what was opened, if it was; used again, it is opened again."""
        self._opened.close()

    @property
    def collection(self) -> ChunkCollection:
        """The chunks; opened if need be."""
        return self._given or self._opened()[0]

    # --- reading ------------------------------------------------------------------------------------

    def count_documents(self) -> int:
        """Visible chunks of the tenant."""
        return self.collection.count()

    def filter_documents(self, filters: Filter | None = None) -> list[Document]:
        """The documents that match, by Haystack's rules; in no order. Raises FilterError.

        Chunks are read and looked at one by one; conditions on id, meta.source and meta.doc_id that all must
        hold spare reading what cannot match.
        """
        return list(self._matching(filters))

    def count_documents_by_filter(self, filters: Filter) -> int:
        """How many documents match."""
        return sum(1 for _ in self._matching(filters))

    def count_unique_metadata_by_filter(self, filters: Filter, metadata_fields: list[str]) -> dict[str, int]:
        """How many different values each field has among the documents that match."""
        return fields.unique_counts(self._matching(filters), metadata_fields)

    def get_metadata_fields_info(self) -> dict[str, dict[str, str]]:
        """Fields of `meta` with their types."""
        return fields.field_types(self._matching(None))

    def get_metadata_field_min_max(self, metadata_field: str) -> dict[str, Any]:
        """Least and greatest value of a field of `meta`, None without any."""
        return fields.field_ranges(self._matching(None), metadata_field)

    def get_metadata_field_unique_values(
        self,
        metadata_field: str,
        search_term: str | None = None,
        from_: int = 0,
        size: int = 10,
        filters: Filter | None = None,
    ) -> tuple[list[Any], int]:
        """A page of a field's different values among the documents that match, and how many there are."""
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
        """Write documents, all visible when it returns; how many. NONE is FAIL; OVERWRITE counts all.

        What a document lacks of vectors is made by the tenant's models. Raises DuplicateDocumentError, and
        for what cannot be kept EmptyDocumentError, MalformedDocumentError or EmbeddingInputTooLongError
        naming the document; then nothing was written.
        """
        if not isinstance(documents, list) or not all(isinstance(one, Document) for one in documents):
            raise ValueError("write_documents takes a list of haystack Documents.")
        collection = self.collection
        given = {one.id: given_chunk(collection.tenant_id, one) for one in documents}  # the last one stands
        with collection.writing:
            held = self._held(collection, documents)
            if policy is DuplicatePolicy.OVERWRITE:
                collection.put(list(given.values()))
                return len(documents)
            if policy is DuplicatePolicy.SKIP:
                new = {
                    one.id: one for one in reversed(documents) if one.id not in held
                }  # the first one stands
                collection.put([given_chunk(collection.tenant_id, one) for one in new.values()])
                return len(new)
            _refuse_duplicates(documents, held)
            collection.put(list(given.values()))
            return len(documents)

    def delete_documents(self, document_ids: list[str]) -> None:
        """Delete the documents with these ids; ids that there are not are passed over."""
        self._delete(document_ids)

    def delete_all_documents(self) -> None:
        """Delete all of the tenant, whoever wrote it."""
        self.collection.remove_documents(self.collection.keys())

    def delete_by_filter(self, filters: Filter) -> int:
        """Delete the documents that match; how many."""
        with self.collection.writing:
            return self._delete([document.id for document in self._matching(filters)])

    def update_by_filter(self, filters: Filter, meta: dict[str, Any]) -> int:
        """Set fields of `meta` in the documents that match; how many. Their vectors are made again.

        Raises UsageError for fields that say where a chunk of a medkg document stands.
        """
        with self.collection.writing:
            found = list(self._matching(filters))
            moved = sorted(set(meta).intersection(PLACE))
            if moved and (placed := next(filter(has_place, found), None)):
                raise UsageError(
                    f"{', '.join(moved)} of document {placed.id} say where it stands and cannot be set. "
                    "Set other fields."
                )
            updated = [replace(document, meta={**document.meta, **meta}) for document in found]
            return self.write_documents(updated, DuplicatePolicy.OVERWRITE)

    def _delete(self, document_ids: Sequence[str]) -> int:
        collection = self.collection
        with collection.writing:
            of_key: dict[DocumentKey, set[str]] = defaultdict(set)
            for document_id, key in _places(collection, document_ids).items():
                of_key[key].add(document_id)
            collection.remove(of_key)
            return sum(map(len, of_key.values()))

    def _held(self, collection: ChunkCollection, documents: Sequence[Document]) -> set[str]:
        """Ids that are visible already; raises MalformedDocumentError for one that is another chunk's."""
        places = _places(collection, [one.id for one in documents])
        for document in documents:
            key = places.get(document.id)
            if key is not None and key.source != SOURCE and not has_place(document):
                raise MalformedDocumentError(
                    f"{document.id} is the id of a chunk of {key.source} {key.doc_id}, and the document's "
                    "meta does not say so. Keep meta as it was read, or give it another id."
                )
        return set(places)


def _collection(data_folder: DataFolder, closing: ExitStack) -> ChunkCollection:
    collection = data_folder.chunk_collection(SOURCE, structlog.get_logger(__name__).info)
    closing.callback(collection.close)
    return collection


def _places(collection: ChunkCollection, document_ids: Sequence[str]) -> dict[str, DocumentKey]:
    """The document that holds each of these ids; ids that there are not are left out."""
    asked: dict[DocumentKey, set[str]] = defaultdict(set)
    for document_id in document_ids:
        for key in possible_keys(collection.tenant_id, document_id):
            asked[key].add(document_id)
    return {
        chunk.chunk_id: key
        for key, wanted in asked.items()
        for chunk in collection.of_document(key)
        if chunk.chunk_id in wanted
    }


def _refuse_duplicates(documents: Sequence[Document], held: set[str]) -> None:
    seen = set(held)
    for document in documents:
        if document.id in seen:
            raise DuplicateDocumentError(
                f"there is a document {document.id} already. Write with DuplicatePolicy.OVERWRITE or SKIP."
            )
        seen.add(document.id)
