"""VectorStore in files: one immutable, checksummed segment an intent, searched exactly with FAISS.

Any number of processes write, each its own files (temporary name, fsync, rename). Readers keep an index of
the segments they have seen and take up new ones at the next search; the index is always rebuildable.
Segment: magic, sha256 of the rest, length of a JSON header, the header (rows), float32 vectors.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
import struct
import tempfile
import threading
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from orchestration.contracts import Candidate, ChunkRef, Filters, Holding, VectorRow, Visible
from orchestration.errors import StoreCorruptError, StoreUnwritableError
from orchestration.records import DocumentKey, Float32Matrix

__all__ = ["FaissVectors"]

MAGIC: Final = b"MEDKGVEC"
SUFFIX: Final = ".segment"


class FaissVectors:
    """Segments under folder/tenant/namespace/INTENT.segment."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._indexes: dict[Path, _Index] = {}
        self._lock = threading.Lock()

    def write(
        self,
        tenant_id: str,
        namespace: str,
        intent_id: str,
        rows: Sequence[VectorRow],
        dense: Float32Matrix,
    ) -> None:
        """One segment for the intent, replacing one it wrote before. Durable; idempotent."""
        header = {
            "rows": [[row.key.source, row.key.doc_id, row.chunk_id, row.section] for row in rows],
            "dimensions": int(dense.shape[1]),
        }
        encoded = json.dumps(header).encode()
        encoded += b" " * (-(8 + len(encoded)) % 64)  # vectors begin aligned
        payload = struct.pack("<Q", len(encoded)) + encoded + np.ascontiguousarray(dense).tobytes()
        path = self._namespace(tenant_id, namespace) / f"{intent_id}{SUFFIX}"
        _write_durably(path, MAGIC + hashlib.sha256(payload).digest() + payload)

    def search(
        self,
        tenant_id: str,
        namespace: str,
        query: npt.NDArray[np.float32],
        limit: int,
        filters: Filters,
        visible: Visible,
    ) -> list[Candidate]:
        """Best by inner product among visible chunks; exact."""
        folder = self._namespace(tenant_id, namespace)
        with self._lock:
            index = self._indexes.setdefault(folder, _Index(tenant_id))
            index.refresh(folder)
            return index.search(query, limit, filters, visible)

    def discard(self, tenant_id: str, intent_id: str) -> None:
        """Remove an intent's segments. Idempotent."""
        for path in self._segments(tenant_id):
            if path.stem == intent_id:
                path.unlink(missing_ok=True)

    def holdings(self, tenant_id: str) -> Iterator[Holding]:
        """Everything held, for verify; damaged segments are left out."""
        for path in self._segments(tenant_id):
            with contextlib.suppress(StoreCorruptError):
                rows, _ = _read(path)
                for (source, doc_id), count in Counter((row[0], row[1]) for row in rows).items():
                    key = DocumentKey(tenant_id=tenant_id, source=source, doc_id=doc_id)
                    yield Holding(key, path.stem, count)

    def damaged(self, tenant_id: str) -> dict[str, str]:
        """Intents whose segment is damaged, with what is wrong with it."""
        found: dict[str, str] = {}
        for path in self._segments(tenant_id):
            try:
                _read(path)
            except StoreCorruptError as error:
                found[path.stem] = error.message
        return found

    def _segments(self, tenant_id: str) -> list[Path]:
        return sorted((self._folder / tenant_id).glob(f"*/*{SUFFIX}"))

    def _namespace(self, tenant_id: str, namespace: str) -> Path:
        return self._folder / tenant_id / re.sub(r"[^A-Za-z0-9._@-]", "_", namespace)


@dataclass
class _Index:
    """Vectors of one namespace in memory, with what each stands for."""

    tenant_id: str
    loaded: set[tuple[str, int]] = field(default_factory=set)
    """(file name, mtime in ns): a segment that was written anew is another one."""
    refs: list[ChunkRef] = field(default_factory=list)
    sections: list[str] = field(default_factory=list)
    faiss: Any = None

    def refresh(self, folder: Path) -> None:
        """Take up new segments; start over when one that was loaded is gone."""
        present = {}
        for path in folder.glob(f"*{SUFFIX}"):
            with contextlib.suppress(FileNotFoundError):  # discarded by another process just now
                present[(path.name, path.stat().st_mtime_ns)] = path
        if self.loaded - present.keys():
            self.loaded, self.refs, self.sections, self.faiss = set(), [], [], None
        for mark in sorted(present.keys() - self.loaded):
            with contextlib.suppress(FileNotFoundError):
                self._add(present[mark])
            self.loaded.add(mark)

    def _add(self, path: Path) -> None:
        import faiss

        rows, dense = _read(path)
        if self.faiss is None:
            self.faiss = faiss.IndexFlatIP(dense.shape[1])
        self.faiss.add(dense)
        for source, doc_id, chunk_id, section in rows:
            key = DocumentKey(tenant_id=self.tenant_id, source=source, doc_id=doc_id)
            self.refs.append(ChunkRef(key, path.stem, chunk_id))
            self.sections.append(section)

    def search(
        self, query: npt.NDArray[np.float32], limit: int, filters: Filters, visible: Visible
    ) -> list[Candidate]:
        """Search deeper until enough of what is found may be seen."""
        depth = limit * 2
        while self.refs:
            scores, numbers = self.faiss.search(query.reshape(1, -1), min(depth, len(self.refs)))
            found = [
                Candidate(self.refs[number], float(score))
                for score, number in zip(scores[0], numbers[0], strict=True)
                if self._matches(number, filters) and visible(self.refs[number])
            ]
            if len(found) >= limit or depth >= len(self.refs):
                return found[:limit]
            depth *= 4
        return []

    def _matches(self, number: int, filters: Filters) -> bool:
        return (filters.source is None or self.refs[number].key.source == filters.source) and (
            filters.section is None or self.sections[number] == filters.section
        )


def _read(path: Path) -> tuple[list[list[str]], Float32Matrix]:
    """(rows, float32 [n, d]) of a segment; raises StoreCorruptError naming the file."""
    content = path.read_bytes()
    digest, payload = content[len(MAGIC) : len(MAGIC) + 32], content[len(MAGIC) + 32 :]
    if not content.startswith(MAGIC) or hashlib.sha256(payload).digest() != digest:
        raise StoreCorruptError(
            f"vector segment {path} is damaged (its checksum is wrong). `medkg verify --repair` rebuilds it."
        )
    (length,) = struct.unpack_from("<Q", payload)
    header = json.loads(payload[8 : 8 + length])
    dense = np.frombuffer(payload, dtype=np.float32, offset=8 + length)
    return header["rows"], dense.reshape(-1, header["dimensions"])


def _write_durably(path: Path, content: bytes) -> None:
    """All of the file or nothing, on disk when it returns."""
    temporary: str | None = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(dir=path.parent, suffix=".partial")
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        Path(temporary).replace(path)
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
    except OSError as error:
        if temporary is not None:
            Path(temporary).unlink(missing_ok=True)
        raise StoreUnwritableError(
            f"vector segment {path} cannot be written: {error.strerror}. Free space, or choose another "
            "--data-dir."
        ) from error
