"""Segment files: the vectors of one intent with what each stands for, checksummed, whole or not there.

Comes in: rows and float32 [n, d]. Leaves: the same, or StoreCorruptError naming the file. Layout: magic,
sha256 of the rest, length of a JSON header (uint64, little-endian), the header (rows), the vectors.
Written beside its place, flushed to disk and renamed, so no reader ever sees a part of one; whoever changes
a folder's segments locks it first.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import struct
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np

from orchestration.contracts import Facets
from orchestration.errors import StoreCorruptError, StoreUnwritableError
from orchestration.records import Float32Matrix

__all__ = [
    "SUFFIX",
    "Segment",
    "SegmentRow",
    "changing",
    "read_segment",
    "remove_segment",
    "write_segment",
]

MAGIC: Final = b"MEDKGVEC"
SUFFIX: Final = ".segment"
PARTIAL: Final = ".partial"
DIGEST_BYTES: Final = 32
ALIGNED_TO: Final = 64

SegmentRow = tuple[str, str, str, Facets]
"""source, doc_id, chunk_id, facets."""


@dataclass(frozen=True, slots=True)
class Segment:
    """What one file holds: row i of `dense` (float32 [n, d]) stands for rows[i]."""

    rows: tuple[SegmentRow, ...]
    dense: Float32Matrix

    def without(self, documents: Iterable[tuple[str, str]]) -> Segment:
        """The same but for the rows of these (source, doc_id)."""
        gone = set(documents)
        kept = [number for number, row in enumerate(self.rows) if (row[0], row[1]) not in gone]
        return Segment(tuple(self.rows[number] for number in kept), self.dense[kept])


@contextmanager
def changing(folder: Path) -> Iterator[None]:
    """Only one process at a time changes this folder's segments; made if need be. Readers do not wait."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(folder, os.O_RDONLY)
    except OSError as error:
        raise StoreUnwritableError(
            f"vector folder {folder} cannot be used: {error.strerror}. Set its permissions, or choose "
            "another --data-dir."
        ) from error
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def write_segment(path: Path, rows: Sequence[SegmentRow], dense: Float32Matrix) -> None:
    """All of the file or nothing, on disk when it returns. Raises StoreUnwritableError."""
    header = json.dumps({"rows": rows, "dimensions": int(dense.shape[1])}).encode()
    header += b" " * (-(len(MAGIC) + DIGEST_BYTES + 8 + len(header)) % ALIGNED_TO)
    payload = struct.pack("<Q", len(header)) + header + np.ascontiguousarray(dense, "<f4").tobytes()
    partial = path.with_suffix(PARTIAL)
    try:
        with partial.open("wb") as file:
            file.write(MAGIC + hashlib.sha256(payload).digest())
            file.write(payload)
            file.flush()
            os.fsync(file.fileno())
        partial.replace(path)
        _flush_folder(path.parent)
    except OSError as error:
        _unlink_quietly(partial)
        raise StoreUnwritableError(
            f"vector segment {path} cannot be written: {error.strerror}. Free space or set the permissions "
            "of its folder, or choose another --data-dir."
        ) from error


def read_segment(path: Path) -> Segment:
    """What the file holds. Raises StoreCorruptError naming it, FileNotFoundError when it is not there."""
    try:
        content = memoryview(path.read_bytes())
    except FileNotFoundError:
        raise
    except OSError as error:
        raise _damaged(path, f"it cannot be read, {error.strerror}") from error
    start = len(MAGIC) + DIGEST_BYTES
    if bytes(content[: len(MAGIC)]) != MAGIC:
        raise _damaged(path, "it does not begin like one")
    if hashlib.sha256(content[start:]).digest() != content[len(MAGIC) : start]:
        raise _damaged(path, "its checksum is wrong")
    (length,) = struct.unpack_from("<Q", content, start)
    header = json.loads(bytes(content[start + 8 : start + 8 + length]))
    dense = np.frombuffer(content, dtype="<f4", offset=start + 8 + length)
    rows = tuple(
        (source, doc_id, chunk, {name: tuple(values) for name, values in facets.items()})
        for source, doc_id, chunk, facets in header["rows"]
    )
    return Segment(rows, dense.reshape(len(rows), header["dimensions"]))


def remove_segment(path: Path) -> None:
    """Remove the file and what a crash left of its writing. Idempotent. Raises StoreUnwritableError."""
    try:
        path.unlink(missing_ok=True)
        path.with_suffix(PARTIAL).unlink(missing_ok=True)
    except OSError as error:
        raise StoreUnwritableError(
            f"vector segment {path} cannot be removed: {error.strerror}. Set the permissions of its folder."
        ) from error


def _damaged(path: Path, how: str) -> StoreCorruptError:
    return StoreCorruptError(
        f"vector segment {path} is damaged: {how}. `medkg verify --repair` makes it anew."
    )


def _flush_folder(folder: Path) -> None:
    """Put the rename itself on disk."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _unlink_quietly(path: Path) -> None:
    """Remove what a failed write left; if even that fails, the write's own error is the one to tell."""
    try:
        path.unlink(missing_ok=True)
    except OSError:
        return
