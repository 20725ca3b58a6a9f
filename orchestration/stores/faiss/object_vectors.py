"""VectorStore whose segments are objects, searched in copies that each machine keeps in its cache.

Comes in: vectors under an intent and a model id, written by any machine. Leaves: what FaissVectors finds in
the same segments. An object is the segment's file, vectors/TENANT/MODEL/INTENT.segment; who has changed one
replaces the model's marker, and a search asks for that first (see `mirror`). The derived index is made from
the copies, on each machine.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt

from orchestration.contracts import (
    Candidate,
    ChunkRef,
    Filters,
    Holding,
    ObjectStore,
    VectorRow,
    Visible,
)
from orchestration.errors import StoreCorruptError
from orchestration.records import DocumentKey, Float32Matrix
from orchestration.stores.faiss.mirror import Mirror, publish_change, publish_erasure
from orchestration.stores.faiss.rows import rows_of
from orchestration.stores.faiss.segments import SUFFIX, Segment, segment_bytes, segment_of
from orchestration.stores.faiss.sizes import IndexSizes
from orchestration.stores.faiss.vectors import FaissVectors
from orchestration.stores.file_names import file_name
from orchestration.stores.vector_rows import check_vectors

__all__ = ["ObjectVectors"]

PREFIX: Final = "vectors"


class ObjectVectors:
    """Segments in an object store, copies of them below `cache`; thread-safe.

    Every method raises what the object store raises.
    """

    def __init__(self, objects: ObjectStore, cache: Path, sizes: IndexSizes | None = None) -> None:
        self._objects = objects
        self._cache = cache
        self._copies = FaissVectors(cache, sizes)
        self._mirrors: dict[str, Mirror] = {}
        self._guard = threading.Lock()

    def write(
        self,
        tenant_id: str,
        namespace: str,
        intent_id: str,
        rows: Sequence[VectorRow],
        dense: Float32Matrix,
    ) -> None:
        """One segment for the intent, replacing one it wrote before. Durable; idempotent."""
        check_vectors(intent_id, rows, dense)
        prefix = _prefix(tenant_id, file_name(namespace))
        if rows:
            self._objects.put(_key(prefix, intent_id), segment_bytes(rows_of(rows), dense))
        else:
            self._objects.delete([_key(prefix, intent_id)])
        publish_change(self._objects, prefix)

    def search(
        self,
        tenant_id: str,
        namespace: str,
        query: npt.NDArray[np.float32],
        limit: int,
        filters: Filters,
        visible: Visible,
    ) -> list[Candidate]:
        """As FaissVectors finds them, among what any machine wrote before; asks the store once."""
        mirror = self._mirror(tenant_id, file_name(namespace))
        mirror.follow()
        try:
            return self._copies.search(tenant_id, namespace, query, limit, filters, visible)
        except StoreCorruptError:  # of the copy, perhaps
            mirror.renew()
            return self._copies.search(tenant_id, namespace, query, limit, filters, visible)

    def vectors(self, tenant_id: str, namespace: str, intent_id: str) -> tuple[list[ChunkRef], Float32Matrix]:
        """The intent's segment as it was written; no rows without one. Raises StoreCorruptError naming it."""
        segment = self._segment(_key(_prefix(tenant_id, file_name(namespace)), intent_id))
        if segment is None:
            return [], np.empty((0, 0), np.float32)
        return [
            ChunkRef(DocumentKey(tenant_id=tenant_id, source=source, doc_id=doc_id), intent_id, chunk_id)
            for source, doc_id, chunk_id in segment.rows.ids(np.arange(len(segment.rows)))
        ], segment.dense

    def discard(self, tenant_id: str, intent_id: str, keys: Sequence[DocumentKey] | None = None) -> None:
        """Forget what an intent wrote (for some documents, or all), under every model. Idempotent.

        A damaged segment stays as it is when only some documents are to go: `damaged` names it.
        """
        for name in self._objects.folders(_tenant_prefix(tenant_id)):
            prefix = _prefix(tenant_id, name)
            if keys is None:
                self._objects.delete([_key(prefix, intent_id)])
            else:
                documents = {(key.source, key.doc_id) for key in keys}
                while not self._taken_out(_key(prefix, intent_id), documents):
                    pass  # another machine has taken others out meanwhile
            publish_change(self._objects, prefix)

    def discard_other_models(self, tenant_id: str, models: Collection[str]) -> None:
        """Remove the segments of all models but these, and what was derived from them here. Idempotent."""
        names = {file_name(namespace) for namespace in models}
        for name in self._namespaces(tenant_id):
            if name not in names:
                self._objects.delete_all(_prefix(tenant_id, name))
                self._mirror(tenant_id, name).follow(certainly=True)
        self._copies.discard_other_models(tenant_id, models)

    def holdings(
        self, tenant_id: str, intent_id: str | None = None, namespace: str | None = None
    ) -> Iterator[Holding]:
        """What is held of all intents or one, under all models or one; damaged segments are left out."""
        if intent_id is None:
            self._follow_certainly(tenant_id, namespace)
            yield from self._copies.holdings(tenant_id, None, namespace)
            return
        names = self._namespaces(tenant_id) if namespace is None else [file_name(namespace)]
        for name in names:
            content = self._objects.get(_key(_prefix(tenant_id, name), intent_id))
            segment = None if content is None else _sound(content.data)
            counted = Counter(() if segment is None else segment.rows.documents())
            for (source, doc_id), count in counted.items():
                key = DocumentKey(tenant_id=tenant_id, source=source, doc_id=doc_id)
                yield Holding(key, intent_id, count)

    def chunk_counts(self, tenant_id: str, namespace: str) -> dict[str, int]:
        """Rows by intent, of the copies as the store holds the segments now."""
        self._mirror(tenant_id, file_name(namespace)).follow(certainly=True)
        return self._copies.chunk_counts(tenant_id, namespace)

    def models(self, tenant_id: str) -> list[str]:
        """Models with segments, by the names of their copies."""
        self._follow_certainly(tenant_id, None)
        return self._copies.models(tenant_id)

    def damaged(self, tenant_id: str, namespace: str | None = None) -> dict[str, str]:
        """Intents with a damaged segment (of any model, or one), and what is wrong with it."""
        self._follow_certainly(tenant_id, namespace)
        return self._copies.damaged(tenant_id, namespace)

    def compaction_due(self, tenant_id: str) -> bool:
        """Whether enough has come or gone since a derived index was built here, or was erased anywhere."""
        mirrors = self._followed(tenant_id)
        return any(mirror.has_to_forget for mirror in mirrors) or self._copies.compaction_due(tenant_id)

    def compact(self, tenant_id: str) -> int:
        """Build the derived indexes of this machine that are due; returns their number. Idempotent."""
        mirrors = self._followed(tenant_id)
        if any(mirror.has_to_forget for mirror in mirrors):
            self._rid_of_what_is_gone(tenant_id, mirrors)
        return self._copies.compact(tenant_id)

    def expunge(self, tenant_id: str) -> None:
        """Rid copies and derived indexes here of what was discarded; other machines do so with `compact`."""
        for name in self._objects.folders(_tenant_prefix(tenant_id)):
            publish_erasure(self._objects, _prefix(tenant_id, name))
        self._objects.sweep(_tenant_prefix(tenant_id))
        self._follow_certainly(tenant_id, None)
        self._rid_of_what_is_gone(tenant_id, self._followed(tenant_id))

    def _rid_of_what_is_gone(self, tenant_id: str, mirrors: Sequence[Mirror]) -> None:
        self._copies.expunge(tenant_id)
        for mirror in mirrors:
            mirror.forgot()

    # --- copies -------------------------------------------------------------------------------------

    def _mirror(self, tenant_id: str, name: str) -> Mirror:
        prefix = _prefix(tenant_id, name)
        with self._guard:
            if prefix not in self._mirrors:
                folder = self._cache / file_name(tenant_id) / name
                self._mirrors[prefix] = Mirror(self._objects, prefix, folder)
            return self._mirrors[prefix]

    def _followed(self, tenant_id: str) -> list[Mirror]:
        mirrors = [self._mirror(tenant_id, name) for name in self._namespaces(tenant_id)]
        for mirror in mirrors:
            mirror.follow()
        return mirrors

    def _follow_certainly(self, tenant_id: str, namespace: str | None) -> None:
        """Have the copies be what the store holds, so that what is damaged in them is damaged there."""
        names = self._namespaces(tenant_id) if namespace is None else [file_name(namespace)]
        mirrors = [self._mirror(tenant_id, name) for name in names]
        for mirror in mirrors:
            mirror.follow(certainly=True)
        if self._copies.damaged(tenant_id, namespace):
            for mirror in mirrors:
                mirror.renew()

    def _namespaces(self, tenant_id: str) -> list[str]:
        """Names of the tenant's models that the store or the cache knows."""
        here = (path.name for path in (self._cache / file_name(tenant_id)).glob("*") if path.is_dir())
        return sorted({*self._objects.folders(_tenant_prefix(tenant_id)), *here})

    # --- segments -----------------------------------------------------------------------------------

    def _taken_out(self, key: str, documents: set[tuple[str, str]]) -> bool:
        """Rewrite a segment without some documents, or remove it; False when it has changed meanwhile."""
        content = self._objects.get(key)
        segment = None if content is None else _sound(content.data)
        if content is None or segment is None:
            return True
        rest = segment.without(documents)
        if len(rest.rows) == len(segment.rows):
            return True
        if len(rest.rows):
            return self._objects.replace(key, segment_bytes(rest.rows, rest.dense), content.version)
        self._objects.delete([key])
        return True

    def _segment(self, key: str) -> Segment | None:
        content = self._objects.get(key)
        return None if content is None else segment_of(content.data, f"{self._objects.name}/{key}")


def _sound(content: bytes) -> Segment | None:
    """The segment; None if it is damaged."""
    try:
        return segment_of(content, "")
    except StoreCorruptError:
        return None


def _tenant_prefix(tenant_id: str) -> str:
    return f"{PREFIX}/{file_name(tenant_id)}"


def _prefix(tenant_id: str, name: str) -> str:
    return f"{_tenant_prefix(tenant_id)}/{name}"


def _key(prefix: str, intent_id: str) -> str:
    return f"{prefix}/{intent_id}{SUFFIX}"
