"""VectorStore in files: one immutable, checksummed segment an intent, and an index derived from them.

Comes in: vectors under an intent and a model id. Leaves: the nearest visible chunks of that model, exactly
while they are few, else with the recall that IndexSizes asks for. Any number of processes write, each its own
files; readers take up new ones at the next search. One folder per tenant holds one per model, so neither
tenants nor models can mix.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt

from orchestration.contracts import Candidate, ChunkRef, Filters, Holding, VectorRow, Visible
from orchestration.errors import StoreCorruptError
from orchestration.records import DocumentKey, Float32Matrix
from orchestration.stores.faiss.derived import due
from orchestration.stores.faiss.index import VectorIndex
from orchestration.stores.faiss.rows import rows_of
from orchestration.stores.faiss.segments import (
    SUFFIX,
    Segment,
    changing,
    read_segment,
    remove_segment,
    rows_in,
    write_segment,
)
from orchestration.stores.faiss.sizes import IndexSizes
from orchestration.stores.file_names import file_name, name_of
from orchestration.stores.vector_rows import check_vectors

__all__ = ["FaissVectors"]


OPEN_INDEXES: Final = 64
"""Indexes that are kept in memory, with a descriptor for each file that is mapped."""


class FaissVectors:
    """Segments under folder/tenant/namespace/INTENT.segment; thread-safe."""

    def __init__(self, folder: Path, sizes: IndexSizes | None = None) -> None:
        self._folder = folder
        self._sizes = IndexSizes() if sizes is None else sizes
        self._indexes: dict[Path, VectorIndex] = {}
        self._searched: dict[tuple[str, str], VectorIndex] = {}
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
        folder = self._namespace(tenant_id, namespace)
        with changing(folder):
            if rows:
                write_segment(folder / f"{intent_id}{SUFFIX}", rows_of(rows), dense)
            else:
                remove_segment(folder / f"{intent_id}{SUFFIX}")

    def search(
        self,
        tenant_id: str,
        namespace: str,
        query: npt.NDArray[np.float32],
        limit: int,
        filters: Filters,
        visible: Visible,
    ) -> list[Candidate]:
        """Best by inner product among visible chunks, with their exact scores.

        Finds all of the best while they are few, or few match the filters; else the share of them that
        IndexSizes.recall asks for, as measured when the index was built. Never fewer than there are, and
        never waits for a build. Raises StoreCorruptError naming the file.
        """
        return self._recent(tenant_id, namespace).search(query, limit, filters, visible)

    def compaction_due(self, tenant_id: str) -> bool:
        """Whether enough has come or gone since the derived index of one of the tenant's models was built."""
        return any(due(folder, self._sizes, forget=False) for folder in self._namespaces(tenant_id))

    def compact(self, tenant_id: str) -> int:
        """Build the derived index of each of the tenant's models where it is due; returns their number.

        Takes minutes for a million vectors; searches go on meanwhile. Idempotent; any process may call it at
        any time, and one that finds another building leaves that to it.
        """
        return self._compact(tenant_id, forget=False)

    def expunge(self, tenant_id: str) -> None:
        """Build again the derived indexes that hold discarded rows; segments hold none."""
        self._compact(tenant_id, forget=True)

    def _compact(self, tenant_id: str, *, forget: bool) -> int:
        indexes = [self._index(tenant_id, folder) for folder in self._namespaces(tenant_id)]
        return sum(index.compact(forget=forget) for index in indexes)

    def vectors(self, tenant_id: str, namespace: str, intent_id: str) -> tuple[list[ChunkRef], Float32Matrix]:
        """The intent's segment as it was written; no rows without one. Raises StoreCorruptError naming it."""
        path = self._namespace(tenant_id, namespace) / f"{intent_id}{SUFFIX}"
        try:
            segment = read_segment(path)
        except FileNotFoundError:
            return [], np.empty((0, 0), np.float32)
        return [
            ChunkRef(DocumentKey(tenant_id=tenant_id, source=source, doc_id=doc_id), intent_id, chunk_id)
            for source, doc_id, chunk_id in segment.rows.ids(np.arange(len(segment.rows)))
        ], segment.dense

    def discard(self, tenant_id: str, intent_id: str, keys: Sequence[DocumentKey] | None = None) -> None:
        """Forget what an intent wrote (for some documents, or all), under every model. Idempotent.

        A damaged segment stays as it is when only some documents are to go: `damaged` names it.
        """
        documents = None if keys is None else {(key.source, key.doc_id) for key in keys}
        for folder in self._namespaces(tenant_id):
            with changing(folder):
                if documents is None:
                    remove_segment(folder / f"{intent_id}{SUFFIX}")
                else:
                    _take_out(folder / f"{intent_id}{SUFFIX}", documents)

    def discard_other_models(self, tenant_id: str, models: Collection[str]) -> None:
        """Remove the segments of all models but these, and what was derived from them. Idempotent."""
        names = {file_name(namespace) for namespace in models}
        for folder in self._namespaces(tenant_id):
            if folder.name not in names:
                with changing(folder):
                    for path in folder.glob(f"*{SUFFIX}"):
                        remove_segment(path)
                self._index(tenant_id, folder).compact(forget=True)

    def holdings(
        self, tenant_id: str, intent_id: str | None = None, namespace: str | None = None
    ) -> Iterator[Holding]:
        """What is held of all intents or one, under all models or one; damaged segments are left out."""
        for path in self._segments(tenant_id, intent_id, namespace):
            segment = _sound(path)
            if segment is None:
                continue
            counted = Counter(segment.rows.documents())
            for (source, doc_id), count in counted.items():
                key = DocumentKey(tenant_id=tenant_id, source=source, doc_id=doc_id)
                yield Holding(key, path.stem, count)

    def chunk_counts(self, tenant_id: str, namespace: str) -> dict[str, int]:
        """Rows by intent, as heads and lengths of the segments state them."""
        counts = ((path.stem, rows_in(path)) for path in self._segments(tenant_id, None, namespace))
        return {intent_id: count for intent_id, count in counts if count}

    def models(self, tenant_id: str) -> list[str]:
        """Models with segments, by the names of their folders."""
        folders = {path.parent.name for path in self._segments(tenant_id, None, None)}
        return sorted(filter(None, map(name_of, folders)))

    def damaged(self, tenant_id: str, namespace: str | None = None) -> dict[str, str]:
        """Intents with a damaged segment (of any model, or one), and what is wrong with it."""
        messages: dict[str, str] = {}
        for path in self._segments(tenant_id, None, namespace):
            try:
                read_segment(path)
            except StoreCorruptError as error:
                messages[path.stem] = error.message
            except FileNotFoundError:  # discarded by another process just now
                continue
        return messages

    def _recent(self, tenant_id: str, namespace: str) -> VectorIndex:
        """The index of a search; of the others the one that was searched longest ago may be dropped."""
        place = (tenant_id, namespace)
        index = self._searched.get(place)
        if index is None:  # names of files take longer than a search in memory
            index = self._index(tenant_id, self._namespace(tenant_id, namespace))
        with self._guard:
            self._searched.pop(place, None)
            self._searched[place] = index
            while len(self._searched) > OPEN_INDEXES:
                dropped = self._searched.pop(next(iter(self._searched)))
                self._indexes = {
                    folder: other for folder, other in self._indexes.items() if other is not dropped
                }
        return index

    def _index(self, tenant_id: str, folder: Path) -> VectorIndex:
        with self._guard:
            if folder not in self._indexes:
                self._indexes[folder] = VectorIndex(tenant_id, folder, self._sizes)
            return self._indexes[folder]

    def _segments(self, tenant_id: str, intent_id: str | None, namespace: str | None) -> list[Path]:
        name = "*" if intent_id is None else intent_id
        folders = (
            self._namespaces(tenant_id) if namespace is None else [self._namespace(tenant_id, namespace)]
        )
        return sorted(path for folder in folders for path in folder.glob(f"{name}{SUFFIX}"))

    def _namespaces(self, tenant_id: str) -> list[Path]:
        return sorted(path for path in (self._folder / file_name(tenant_id)).glob("*") if path.is_dir())

    def _namespace(self, tenant_id: str, namespace: str) -> Path:
        return self._folder / file_name(tenant_id) / file_name(namespace)


def _take_out(path: Path, documents: set[tuple[str, str]]) -> None:
    """Rewrite a segment without some documents; remove it when nothing is left."""
    segment = _sound(path)
    if segment is None:
        return
    rest = segment.without(documents)
    if not len(rest.rows):
        remove_segment(path)
    elif len(rest.rows) < len(segment.rows):
        write_segment(path, rest.rows, rest.dense)


def _sound(path: Path) -> Segment | None:
    """The segment; None if it is damaged or gone."""
    try:
        return read_segment(path)
    except (StoreCorruptError, FileNotFoundError):
        return None
