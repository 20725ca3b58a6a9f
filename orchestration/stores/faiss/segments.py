"""Segment files: the vectors of one intent with what each stands for, checksummed, whole or not there.

Comes in: rows as columns and float32 [n, d]. Leaves: the same, mapped from the file, or StoreCorruptError
naming it. Layout, little-endian: magic, sha256 of the rest, then uint64 rows, dimensions and bytes of the
table; the table (an Arrow IPC stream, padded to 64 bytes); the vectors. Written beside its place, flushed to
disk, renamed, and the folder flushed, so no reader ever sees a part of one; a process locks a folder
before it changes its segments.
"""

from __future__ import annotations

import fcntl
import hashlib
import mmap
import os
import struct
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np

from orchestration.disk_space import unwritable_disk
from orchestration.errors import StoreCorruptError, StoreUnwritableError
from orchestration.records import Float32Matrix
from orchestration.stores.faiss.rows import COLUMNS, Rows, rows_of_table, table_bytes
from orchestration.stores.flushing import flush

__all__ = [
    "SUFFIX",
    "Mark",
    "Segment",
    "changing",
    "marks_in",
    "read_segment",
    "remove_segment",
    "rows_in",
    "segment_bytes",
    "segment_of",
    "write_segment",
]

Mark = tuple[str, int, int]
"""File name, inode and time of change (ns): a segment written again is another one."""

MAGIC: Final = b"MEDKGVEC"
SUFFIX: Final = ".segment"
PARTIAL: Final = ".partial"
HEAD: Final = struct.Struct("<8s32sQQQ")
COVERED_FROM: Final = 40
"""The checksum is over everything from this byte on."""
ALIGNED_TO: Final = 64
VALUE_BYTES: Final = 4


@dataclass(frozen=True, slots=True)
class Segment:
    """What one file holds: row i of `dense` (float32 [n, d], mapped) is what row i of `rows` stands for."""

    rows: Rows
    dense: Float32Matrix

    def without(self, documents: Iterable[tuple[str, str]]) -> Segment:
        """The same but for the rows of these (source, doc_id)."""
        gone = set(documents)
        remaining = [number for number, document in enumerate(self.rows.documents()) if document not in gone]
        return Segment(self.rows.taken(remaining), self.dense[remaining])


@contextmanager
def changing(folder: Path) -> Iterator[None]:
    """Only one process at a time changes this folder's segments; made if need be. Readers do not wait."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(folder, os.O_RDONLY)
    except OSError as error:
        raise unwritable_disk(error, folder) or StoreUnwritableError(
            f"vector folder {folder} cannot be used: {error.strerror}. Set its permissions, or choose "
            "another --data-dir."
        ) from error
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def write_segment(path: Path, rows: Rows, dense: Float32Matrix) -> None:
    """All of the file or nothing, on disk when it returns. Raises StoreUnwritableError."""
    parts = _parts(rows, dense)
    partial = path.with_suffix(PARTIAL)
    try:
        with partial.open("wb") as file:
            file.writelines(parts)
            file.flush()
            os.fsync(file.fileno())
        partial.replace(path)
        flush(path.parent)
    except OSError as error:
        _unlink_quietly(partial)
        raise unwritable_disk(error, path) or StoreUnwritableError(
            f"vector segment {path} cannot be written: {error.strerror}. Free space or set the permissions "
            "of its folder, or choose another --data-dir."
        ) from error


def read_segment(path: Path) -> Segment:
    """What the file holds, mapped. Raises StoreCorruptError naming it, FileNotFoundError if it is gone."""
    return segment_of(_mapped(path), str(path))


def segment_bytes(rows: Rows, dense: Float32Matrix) -> bytes:
    """What the file would hold."""
    return b"".join(_parts(rows, dense))


def segment_of(content: Any, name: str) -> Segment:
    """What a segment's bytes hold, in their place. Raises StoreCorruptError with the name."""
    if len(content) < HEAD.size or content[: len(MAGIC)] != MAGIC:
        raise _damaged(name, "it does not begin like one")
    _, digest, count, dimensions, table_length = HEAD.unpack_from(content)
    whole = memoryview(content)
    if hashlib.sha256(whole[COVERED_FROM:]).digest() != digest:
        raise _damaged(name, "its checksum is wrong")
    start = HEAD.size + table_length
    dense = np.frombuffer(whole, dtype="<f4", offset=start).reshape(count, dimensions)
    rows = rows_of_table(whole[HEAD.size : start])
    if tuple(rows.table.column_names) != COLUMNS:
        raise _damaged(name, "another version of medkg wrote it, with other facets")
    return Segment(rows, dense)


def rows_in(path: Path) -> int:
    """Rows that the file has by its head; 0 for one that is gone, or not as long as its head says."""
    try:
        with path.open("rb") as file:
            head = file.read(HEAD.size)
            size = os.fstat(file.fileno()).st_size
    except OSError:
        return 0
    if len(head) < HEAD.size:
        return 0
    magic, _, count, dimensions, table_length = HEAD.unpack(head)
    whole = magic == MAGIC and size == HEAD.size + table_length + count * dimensions * VALUE_BYTES
    return int(count) if whole else 0


def remove_segment(path: Path) -> None:
    """Remove the file and what a crash left of its writing. Idempotent. Raises StoreUnwritableError."""
    try:
        path.unlink(missing_ok=True)
        path.with_suffix(PARTIAL).unlink(missing_ok=True)
    except OSError as error:
        raise StoreUnwritableError(
            f"vector segment {path} cannot be removed: {error.strerror}. Set the permissions of its folder."
        ) from error


def marks_in(folder: Path) -> set[Mark]:
    """The segments in the folder. Raises FileNotFoundError if there is no such folder."""
    with os.scandir(folder) as entries:
        marks = {_mark(entry) for entry in entries if entry.name.endswith(SUFFIX)}
    return {mark for mark in marks if mark is not None}


def _mapped(path: Path) -> Any:
    """The file's bytes, mapped; empty bytes for an empty file, which cannot be mapped."""
    try:
        with path.open("rb") as file:
            if not os.fstat(file.fileno()).st_size:
                return b""
            return mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    except FileNotFoundError:
        raise
    except OSError as error:
        raise _damaged(str(path), f"it cannot be read, {error.strerror}") from error


def _parts(rows: Rows, dense: Float32Matrix) -> tuple[bytes, bytes, memoryview]:
    """Head, table and vectors, as they follow one another."""
    table = table_bytes(rows)
    table += b" " * (-len(table) % ALIGNED_TO)
    vectors = np.ascontiguousarray(dense, "<f4")
    digest = hashlib.sha256(struct.pack("<QQQ", *vectors.shape, len(table)))
    digest.update(table)
    digest.update(vectors.data)
    return HEAD.pack(MAGIC, digest.digest(), *vectors.shape, len(table)), table, vectors.data


def _mark(entry: os.DirEntry[str]) -> Mark | None:
    try:
        status = entry.stat()
    except FileNotFoundError:  # discarded by another process just now
        return None
    return entry.name, status.st_ino, status.st_mtime_ns


def _damaged(name: str, how: str) -> StoreCorruptError:
    return StoreCorruptError(
        f"vector segment {name} is damaged: {how}. `medkg verify --repair` makes it again."
    )


def _unlink_quietly(path: Path) -> None:
    """Remove what a failed write left; if even that fails, the caller reports the error of the write."""
    try:
        path.unlink(missing_ok=True)
    except OSError:
        return
