"""VectorStore in files: one immutable, checksummed segment an intent, searched exactly with FAISS.

Comes in: vectors under an intent and a model id. Leaves: the nearest visible chunks of that model. Any
number of processes write, each its own files; readers take up new ones at the next search. A folder a
tenant, in it one a model, so neither tenants nor models can mix.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from orchestration.contracts import Candidate, Filters, Holding, VectorRow, Visible
from orchestration.errors import StageContractError, StoreCorruptError
from orchestration.records import DocumentKey, Float32Matrix
from orchestration.stores.faiss.index import VectorIndex
from orchestration.stores.faiss.segments import (
    SUFFIX,
    Segment,
    changing,
    read_segment,
    remove_segment,
    write_segment,
)
from orchestration.stores.file_names import file_name

__all__ = ["FaissVectors"]


class FaissVectors:
    """Segments under folder/tenant/namespace/INTENT.segment; thread-safe."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._indexes: dict[tuple[str, str], VectorIndex] = {}
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
        if len(rows) != len(dense) or not np.isfinite(dense).all():
            raise StageContractError(
                f"intent {intent_id}: {len(rows)} chunks with {len(dense)} vectors, or vectors that are not "
                "finite numbers. This is a defect of the embed stage; please report it."
            )
        entries = [(row.key.source, row.key.doc_id, row.chunk_id, row.facets) for row in rows]
        folder = self._namespace(tenant_id, namespace)
        with changing(folder):
            if entries:
                write_segment(folder / f"{intent_id}{SUFFIX}", entries, dense)
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
        """Best by inner product among visible chunks; exact. Raises StoreCorruptError naming the file."""
        with self._guard:
            place = (tenant_id, namespace)
            if place not in self._indexes:
                self._indexes[place] = VectorIndex(tenant_id, self._namespace(tenant_id, namespace))
            index = self._indexes[place]
        return index.search(query, limit, filters, visible)

    def discard(self, tenant_id: str, intent_id: str, keys: Sequence[DocumentKey] | None = None) -> None:
        """Forget what an intent wrote (for some documents, or all). Idempotent.

        A damaged segment stays as it is when only some documents are to go: `damaged` names it.
        """
        documents = None if keys is None else {(key.source, key.doc_id) for key in keys}
        for folder in self._namespaces(tenant_id):
            with changing(folder):
                if documents is None:
                    remove_segment(folder / f"{intent_id}{SUFFIX}")
                else:
                    _take_out(folder / f"{intent_id}{SUFFIX}", documents)

    def holdings(self, tenant_id: str, intent_id: str | None = None) -> Iterator[Holding]:
        """Everything held, or what one intent wrote; damaged segments are left out."""
        for path in self._segments(tenant_id, intent_id):
            segment = _sound(path)
            if segment is None:
                continue
            counted = Counter((source, doc_id) for source, doc_id, _, _ in segment.rows)
            for (source, doc_id), count in counted.items():
                key = DocumentKey(tenant_id=tenant_id, source=source, doc_id=doc_id)
                yield Holding(key, path.stem, count)

    def damaged(self, tenant_id: str) -> dict[str, str]:
        """Intents whose segment is damaged, with what is wrong with it."""
        found: dict[str, str] = {}
        for path in self._segments(tenant_id, None):
            try:
                read_segment(path)
            except StoreCorruptError as error:
                found[path.stem] = error.message
            except FileNotFoundError:  # discarded by another process just now
                continue
        return found

    def _segments(self, tenant_id: str, intent_id: str | None) -> list[Path]:
        name = "*" if intent_id is None else intent_id
        return sorted(
            path for folder in self._namespaces(tenant_id) for path in folder.glob(f"{name}{SUFFIX}")
        )

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
    if not rest.rows:
        remove_segment(path)
    elif len(rest.rows) < len(segment.rows):
        write_segment(path, rest.rows, rest.dense)


def _sound(path: Path) -> Segment | None:
    """The segment; None if it is damaged or gone."""
    try:
        return read_segment(path)
    except (StoreCorruptError, FileNotFoundError):
        return None
