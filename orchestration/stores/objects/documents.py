"""DocumentStore of objects: parsed documents, each one compressed, so that any machine can show a citation.

Comes in: documents as parsers made them. Leaves: the same, by document, version and fingerprint. Keys are
documents/TENANT/SOURCE/DOCUMENT/VERSION/FINGERPRINT; what they stand for is in the object too, since a long
name is shortened in a key. Nothing here is kept between calls, and nothing needs a lock: objects are whole.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Final, TypeVar

from pydantic import Field, ValidationError

from orchestration.batching import batched
from orchestration.contracts import ObjectStore, Provenance
from orchestration.errors import StoreCorruptError
from orchestration.records import Document, DocumentKey, Record, StageContext
from orchestration.stores.file_names import file_name

__all__ = ["ObjectDocuments"]

PREFIX: Final = "documents"
AT_ONCE: Final = 16
"""Requests under way: a server answers each in milliseconds, whatever the others do."""

Item = TypeVar("Item")
Answer = TypeVar("Answer")


class _Kept(Record):
    """What an object holds."""

    key: DocumentKey = Field(description="The document.")
    version: str = Field(description="Content hash.")
    fingerprint: str = Field(description="Everything that shaped it.")
    document: Document = Field(description="As it was parsed.")
    pipeline: str = Field(default="", description="Topology that it was parsed for.")
    pipeline_version: str = Field(default="", description="Version of that topology.")
    revision: str | None = Field(default=None, description="Revision of its record.")


class ObjectDocuments:
    """Every parsed document under its version and fingerprint; thread-safe."""

    def __init__(self, objects: ObjectStore) -> None:
        self._objects = objects
        self._requests = ThreadPoolExecutor(AT_ONCE, thread_name_prefix="medkg-documents")

    def close(self) -> None:
        """End the threads."""
        self._requests.shutdown()

    def put(self, documents: Sequence[tuple[StageContext, Document]]) -> None:
        """Durable when it returns; idempotent."""
        self._each(
            self._put,
            [
                _Kept(
                    key=ctx.key,
                    version=ctx.version,
                    fingerprint=ctx.fingerprint,
                    document=document,
                    pipeline=ctx.pipeline_name,
                    pipeline_version=ctx.pipeline_version,
                    revision=ctx.revision,
                )
                for ctx, document in documents
            ],
        )

    def get(self, key: DocumentKey, version: str, fingerprint: str) -> Document | None:
        """The document as it was parsed; None if the store does not have it. Raises StoreCorruptError."""
        stored = self._read(_object_key(key, version, fingerprint))
        return None if stored is None else stored.document

    def titles(self, documents: Sequence[tuple[DocumentKey, str]]) -> list[str | None]:
        """Titles of (document, version) pairs, same order; None where the store has none, or damaged."""
        return self._each(self._title, documents)

    def copy(self, documents: Sequence[tuple[DocumentKey, str, str, str]]) -> None:
        """Keep each (document, version, fingerprint) under the fourth, another fingerprint, as well."""
        self._each(self._copy, documents)

    def discard(self, key: DocumentKey, keep: tuple[str, str] | None) -> None:
        """Forget a document, or all but one (version, fingerprint) of it. Idempotent."""
        retained_key = None if keep is None else _object_key(key, *keep)
        self._objects.delete(
            [object_key for object_key in self._keys(_folder(key)) if object_key != retained_key]
        )

    def forget(self, documents: Sequence[tuple[DocumentKey, str, str]]) -> None:
        """Forget (document, version, fingerprint) triples. Idempotent."""
        self._objects.delete([_object_key(*document) for document in documents])

    def held(self, tenant_id: str) -> Iterator[tuple[DocumentKey, str, str]]:
        """(document, version, fingerprint) of everything held, for verify; damaged ones are left out.

        Reads all of it.
        """
        for document in self.provenance(tenant_id):
            yield document[:3]

    def provenance(self, tenant_id: str) -> Iterator[Provenance]:
        """The same with the topology that each was parsed for, as far as it is known."""
        keys = self._keys(f"{PREFIX}/{file_name(tenant_id)}")
        for part in batched(keys, AT_ONCE):
            for stored in self._each(self._sound, part):
                if stored is not None:
                    yield Provenance(
                        stored.key,
                        stored.version,
                        stored.fingerprint,
                        stored.pipeline,
                        stored.pipeline_version,
                        stored.revision,
                    )

    def tenants(self) -> list[str]:
        """Tenants that have documents, by name; reads one document of each."""
        tenants = set()
        for folder in self._objects.folders(PREFIX):
            stored = next(filter(None, map(self._sound, self._keys(f"{PREFIX}/{folder}"))), None)
            if stored is not None:
                tenants.add(stored.key.tenant_id)
        return sorted(tenants)

    def damage(self) -> str | None:
        """None: each object is damaged or sound by itself."""
        return None

    def repair(self) -> None:
        """Nothing to do, see `damage`."""

    def expunge(self) -> None:
        """Remove what broken writes left; what was discarded is gone already."""
        self._objects.sweep(PREFIX)

    def _put(self, stored: _Kept) -> None:
        content = zlib.compress(stored.model_dump_json().encode(), 1)
        self._objects.put(_object_key(stored.key, stored.version, stored.fingerprint), content)

    def _copy(self, item: tuple[DocumentKey, str, str, str]) -> None:
        key, version, fingerprint, copied = item
        stored = self._read(_object_key(key, version, fingerprint))
        if stored is not None:
            self._put(stored.model_copy(update={"fingerprint": copied}))

    def _title(self, item: tuple[DocumentKey, str]) -> str | None:
        key, version = item
        readable = filter(None, map(self._sound, self._keys(f"{_folder(key)}/{file_name(version)}")))
        return next((stored.document.title for stored in readable), None)

    def _sound(self, object_key: str) -> _Kept | None:
        """What the object holds; None if it is damaged or gone."""
        try:
            return self._read(object_key)
        except StoreCorruptError:
            return None

    def _read(self, object_key: str) -> _Kept | None:
        content = self._objects.get(object_key)
        if content is None:
            return None
        try:
            return _Kept.model_validate_json(zlib.decompress(content.data))
        except (zlib.error, ValidationError) as error:
            raise StoreCorruptError(
                f"{object_key} in {self._objects.name} is damaged: {str(error).splitlines()[0]}. "
                "`medkg verify --repair` makes it due again."
            ) from error

    def _keys(self, prefix: str) -> list[str]:
        return sorted(stored.key for stored in self._objects.list(prefix))

    def _each(self, ask: Callable[[Item], Answer], items: Iterable[Item]) -> list[Answer]:
        """The answers, same order; raises the first error, when all have ended."""
        answers = [self._requests.submit(ask, item) for item in items]
        for answer in answers:
            answer.exception()
        return [answer.result() for answer in answers]


def _folder(key: DocumentKey) -> str:
    return "/".join((PREFIX, file_name(key.tenant_id), file_name(key.source), file_name(key.doc_id)))


def _object_key(key: DocumentKey, version: str, fingerprint: str) -> str:
    return f"{_folder(key)}/{file_name(version)}/{file_name(fingerprint)}"
