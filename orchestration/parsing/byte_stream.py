"""Reading a record file piece by piece with the byte position known, never more than asked for.

Comes in: a binary stream. Leaves: chunks with their positions, and stretches of bytes that are kept only
while they are smaller than the largest record allowed. Record finders of all formats stand on this.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

from orchestration.contracts import RecordLocation
from orchestration.errors import DocumentTooLargeError

CHUNK_BYTES = 1 << 18


@dataclass(frozen=True, slots=True)
class Stretch:
    """A range of bytes of a file; `content` is None if it is longer than the limit."""

    start: int
    length: int
    content: bytes | None


class GrowingStretch:
    """A range that is still being read; beyond `limit` it keeps its length but not its bytes."""

    def __init__(self, start: int, limit: int) -> None:
        self.start = start
        self.length = 0
        self._limit = limit
        self._content = bytearray()

    def add(self, piece: bytes | memoryview) -> None:
        self.length += len(piece)
        if self.length <= self._limit:
            self._content += piece
        else:
            self._content.clear()

    def finished(self) -> Stretch:
        content = bytes(self._content) if self.length <= self._limit else None
        return Stretch(self.start, self.length, content)


def chunks(stream: BinaryIO) -> Iterator[bytes]:
    """The stream in pieces of CHUNK_BYTES."""
    while piece := stream.read(CHUNK_BYTES):
        yield piece


def whole_file(stream: BinaryIO, limit: int, head: bytes = b"") -> Stretch:
    """The whole file as one range; `head` is the part already read."""
    growing = GrowingStretch(0, limit)
    growing.add(head)
    for piece in chunks(stream):
        growing.add(piece)
    return growing.finished()


def too_large(stretch: Stretch, place: str, limit: int) -> RecordLocation:
    """The location of a record that is over the limit."""
    error = DocumentTooLargeError(
        f"{place}: {stretch.length:,} bytes, more than max_document_bytes ({limit:,}). Split the record, or "
        "raise MEDKG_MAX_DOCUMENT_BYTES."
    )
    return RecordLocation(None, stretch.start, stretch.length, None, error)


def hashed_file(stream: BinaryIO, uri: str, limit: int) -> RecordLocation:
    """The location of a file that is one record that has no id; reads it once, keeps nothing."""
    digest = hashlib.sha256()
    length = 0
    for piece in chunks(stream):
        digest.update(piece)
        length += len(piece)
    if length > limit:
        return too_large(Stretch(0, length, None), uri, limit)
    return RecordLocation(None, 0, length, digest.hexdigest())
