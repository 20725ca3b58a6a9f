"""The pieces of a JSON file that should be its records, by their byte offsets, found without parsing it.

Comes in: a stream. Leaves: one Piece per element of a list, line of JSON Lines, or object, in order, and one
for what is no JSON object, with its problem. No more than one piece is held at a time, and none that is over
the limit.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import chain
from typing import BinaryIO

from orchestration.parsing.byte_stream import CHUNK_BYTES, GrowingStretch, Stretch, chunks

__all__ = ["Piece", "json_pieces"]

_BOM = b"\xef\xbb\xbf"
_UTF16 = (b"\xff\xfe", b"\xfe\xff")
_BETWEEN = b" \t\r\n,"
_PAGE_OPENS = re.compile(r"(?:\xef\xbb\xbf)?\s*\{\s*")
_KEY = re.compile(r'"([^"\\]*)"\s*:\s*')
_COMMA = re.compile(r"\s*,\s*")
_FIELD = json.JSONDecoder()
_NEXT_LINE_IS_RECORD = re.compile(rb'\s*\{\s*["}]')
_OUTSIDE_STRING = re.compile(rb'["\[\]{}]')
_INSIDE_STRING = re.compile(rb'["\\]')
_NOT_UTF8 = "JSON is UTF-8, this is UTF-16. Convert it: `iconv -f UTF-16 -t UTF-8 old.json > new.json`."


@dataclass(frozen=True, slots=True)
class Piece:
    """A range of bytes that should be a record, or unexpected content (`problem`)."""

    stretch: Stretch
    place: str
    problem: str = ""


def json_pieces(stream: BinaryIO, uri: str, limit: int, list_key: str | None = None) -> Iterator[Piece]:
    """Yield the pieces in order, also of the list under `list_key` in one object, a page of an API.

    The content of a piece that has more than `limit` bytes is left out.
    """
    head = stream.read(CHUNK_BYTES)
    if head.startswith(_UTF16):
        return iter([Piece(Stretch(0, len(head), b""), uri, _NOT_UTF8)])
    source = _Replay(head, stream)
    inner = _inner_list(head, list_key)
    if inner is not None:
        return _ValueFinder(uri, limit, inside=True, skip=inner, trailer=True).pieces(source)
    if head.lstrip(_BOM + _BETWEEN).startswith(b"["):
        return _ValueFinder(uri, limit, inside=True, skip=head.index(b"[") + 1).pieces(source)
    if _is_json_lines(head):
        return _lines(source, uri, limit)
    skip = len(_BOM) if head.startswith(_BOM) else 0
    return _ValueFinder(uri, limit, inside=False, skip=skip).pieces(source)


class _Replay:
    """A stream whose first chunk was read already."""

    def __init__(self, head: bytes, stream: BinaryIO) -> None:
        self._head = head
        self._stream = stream

    def __iter__(self) -> Iterator[bytes]:
        if self._head:
            yield self._head
        yield from chunks(self._stream)


def _inner_list(head: bytes, list_key: str | None) -> int | None:
    """Where the first element of the list under `list_key` starts; any fields may stand before it, as far
    as they end within `head`."""
    if list_key is None:
        return None
    text = head.decode("latin-1")  # one character per byte, so that positions in both agree
    opening = _PAGE_OPENS.match(text)
    at = opening.end() if opening else -1
    while opening and (key := _KEY.match(text, at)):
        if key[1] == list_key:
            return key.end() + 1 if text[key.end() : key.end() + 1] == "[" else None
        try:
            _, at = _FIELD.raw_decode(text, key.end())
        except (ValueError, RecursionError):
            return None
        comma = _COMMA.match(text, at)
        at = comma.end() if comma else len(text)
    return None


def _is_json_lines(head: bytes) -> bool:
    """Whether there is one record per line: the first line of a longer record is not valid JSON."""
    first, newline, rest = head.removeprefix(_BOM).lstrip(_BETWEEN).partition(b"\n")
    if not newline or _NEXT_LINE_IS_RECORD.match(rest):
        return True
    try:
        json.loads(first)
    except (ValueError, RecursionError):
        return False
    return True


def _lines(source: _Replay, uri: str, limit: int) -> Iterator[Piece]:
    """Non-blank lines with their numbers."""
    position, number = 0, 1
    growing = GrowingStretch(0, limit)
    for chunk in source:
        view = memoryview(chunk)
        begin = 0
        while (newline := chunk.find(b"\n", begin)) >= 0:
            growing.add(view[begin:newline])
            yield from _line(growing.finished(), uri, number)
            begin = newline + 1
            number += 1
            growing = GrowingStretch(position + begin, limit)
        growing.add(view[begin:])
        position += len(chunk)
    yield from _line(growing.finished(), uri, number)


def _line(stretch: Stretch, uri: str, number: int) -> Iterator[Piece]:
    content = stretch.content
    if content is not None:
        trimmed = content.removeprefix(_BOM) if stretch.start == 0 else content
        stripped = trimmed.strip()
        start = stretch.start + len(content) - len(trimmed.lstrip())
        stretch = Stretch(start, len(stripped), stripped)
    if stretch.content != b"":
        yield Piece(stretch, f"{uri}, line {number}")


class _ValueFinder:
    """Finds top-level objects by counting brackets outside of strings.

    `inside`: the objects are elements of a list whose bracket ends at `skip`; `trailer`: that list is a field
    of a page, of which others may follow; only where they end is read.
    """

    def __init__(self, uri: str, limit: int, *, inside: bool, skip: int = 0, trailer: bool = False) -> None:
        self._uri = uri
        self._limit = limit
        self._closed = not inside
        self._skip = skip
        self._trailer = trailer
        self._depth = 0
        self._in_string = False
        self._escaped = False
        self._ordinal = 0
        self._list_end = 0
        self._growing = GrowingStretch(skip, limit)

    def pieces(self, source: _Replay) -> Iterator[Piece]:
        position = 0
        begin = self._skip
        unread = iter(source)
        for chunk in unread:
            yield from self._scan(chunk, begin, position)
            if self._closed and self._trailer:
                rest = chain((chunk[self._list_end - position :],), unread)
                yield from self._rest_of_page(rest, self._list_end)
                return
            position += len(chunk)
            begin = 0
        yield from self._end()

    def _scan(self, chunk: bytes, begin: int, position: int) -> Iterator[Piece]:
        """Yield the pieces that end in `chunk`, which starts at `position`; bytes before `begin` are done."""
        view = memoryview(chunk)
        for mark, at in self._marks(chunk, begin):
            if mark in b"{[":
                if self._depth == 0:
                    yield from self._gap(view[begin : at - 1], position + at - 1)
                    begin = at - 1
                self._depth += 1
            elif self._depth > 0:
                self._depth -= 1
                if self._depth == 0:
                    yield self._piece(self._cut(view[begin:at], position + at))
                    begin = at
            elif mark == b"]" and not self._closed:
                yield from self._gap(view[begin : at - 1], position + at)
                begin = at
                self._closed = True
                if self._trailer:
                    self._list_end = position + at
                    return
        self._growing.add(view[begin:])

    def _marks(self, chunk: bytes, begin: int) -> Iterator[tuple[bytes, int]]:
        """Yield brackets outside of strings, each with the position after it."""
        at = begin
        while at < len(chunk):
            if self._in_string:
                at = self._skip_string(chunk, at)
                continue
            match = _OUTSIDE_STRING.search(chunk, at)
            if match is None:
                return
            at = match.end()
            if match.group() == b'"':
                self._in_string = True
            else:
                yield match.group(), at

    def _skip_string(self, chunk: bytes, at: int) -> int:
        """The position after the string's end, or the chunk's end if the string continues."""
        if self._escaped:
            self._escaped = False
            return at + 1
        match = _INSIDE_STRING.search(chunk, at)
        if match is None:
            return len(chunk)
        if match.group() == b'"':
            self._in_string = False
        else:
            self._escaped = True
        return match.end()

    def _cut(self, rest: memoryview, following: int) -> Stretch:
        """End the growing range with `rest`; the next range begins at byte `following`."""
        self._growing.add(rest)
        finished = self._growing.finished()
        self._growing = GrowingStretch(following, self._limit)
        return finished

    def _piece(self, stretch: Stretch, problem: str = "") -> Piece:
        self._ordinal += 1
        return Piece(stretch, f"{self._uri}, record {self._ordinal} (byte {stretch.start:,})", problem)

    def _gap(self, rest: memoryview, following: int) -> Iterator[Piece]:
        """Check the bytes between two records: commas and white space; anything else is reported."""
        gap = self._cut(rest, following)
        if gap.content is None or gap.content.strip(_BETWEEN):
            yield self._piece(gap, "this is no JSON object. Check the file at that place.")

    def _rest_of_page(self, rest: Iterable[bytes], position: int) -> Iterator[Piece]:
        """The problem after the list of a page, if any: it has no end, or something follows it."""
        depth = 1
        for chunk in rest:
            end = len(chunk) if depth else 0
            for mark, at in self._marks(chunk, 0) if depth else ():
                depth += 1 if mark in b"{[" else -1
                if depth == 0:
                    end = at
                    break
            if chunk[end:].strip(_BETWEEN):
                stretch = Stretch(position + end, 0, b"")
                yield self._piece(stretch, "more follows after the page. Put each page into its own file.")
                return
            position += len(chunk)
        if depth:
            yield self._piece(
                Stretch(position, 0, b""), "the page ends behind its list. It is cut off; fetch it again."
            )

    def _end(self) -> Iterator[Piece]:
        if self._depth > 0:
            yield self._piece(
                self._growing.finished(), "the file ends inside this record. It is cut off; fetch it again."
            )
            return
        end = self._growing.start + self._growing.length
        yield from self._gap(memoryview(b""), end)
        if not self._closed:
            yield self._piece(
                Stretch(end, 0, b""),
                "the list has no end, so records may be missing. The file is cut off; fetch it again.",
            )
