"""Finds the records of a JSON file one by one with their byte offsets: a list, JSON Lines, or one object.

Comes in: a stream and a function that tells a record's id. Leaves: one RecordLocation a record, in order;
a broken one carries its error and those around it still come. No more than one record is held at a time,
and none that is over the limit. Reading again what was located is `load_record`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, BinaryIO

from orchestration.contracts import RecordLocation
from orchestration.errors import MalformedDocumentError, MedkgError
from orchestration.parsing.byte_stream import CHUNK_BYTES, GrowingStretch, Stretch, chunks, too_large
from orchestration.records import json_version

Identify = Callable[[dict[str, Any]], str]
"""The id of a record; raises MissingIdentifierError."""

_SHOWN = 40
"""Characters of a wrong record that an error quotes."""

_BOM = b"\xef\xbb\xbf"
_UTF16 = (b"\xff\xfe", b"\xfe\xff")
_BETWEEN = b" \t\r\n,"
_BEFORE_LIST = rb'(?:\xef\xbb\xbf)?\s*\{\s*(?:"\w+"\s*:\s*(?:\d+|\{[^{}\[\]]*\})\s*,\s*)*'
_NEXT_LINE_IS_RECORD = re.compile(rb'\s*\{\s*["}]')
_OUTSIDE_STRING = re.compile(rb'["\[\]{}]')
_INSIDE_STRING = re.compile(rb'["\\]')


@dataclass(frozen=True, slots=True)
class _Piece:
    """A stretch that should be a record, or something that should not be there (`problem`)."""

    stretch: Stretch
    place: str
    problem: str = ""


def load_record(content: bytes, place: str) -> dict[str, Any]:
    """One record from its bytes; raises MalformedDocumentError naming `place`."""
    try:
        record = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise MalformedDocumentError(
            f"{place}: not valid JSON: {error}. It may be cut off; fetch the record again."
        ) from error
    if not isinstance(record, dict):
        shown = json.dumps(record)[:_SHOWN]
        raise MalformedDocumentError(
            f"{place}: a record is a JSON object, this is {shown}. Check the file's format."
        )
    return record


def json_records(
    stream: BinaryIO, uri: str, limit: int, identify: Identify, list_key: str | None = None
) -> Iterator[RecordLocation]:
    """Every record of the file in order; `list_key` names a list inside one object that holds them too."""
    head = stream.read(CHUNK_BYTES)
    if head.startswith(_UTF16):
        return iter([_not_utf8(uri, len(head))])
    source = _Replay(head, stream)
    pieces: Iterator[_Piece]
    inner = _inner_list(head, list_key)
    if inner is not None:
        pieces = _ValueFinder(uri, limit, inside=True, skip=inner, trailer=True).pieces(source)
    elif head.lstrip(_BOM + _BETWEEN).startswith(b"["):
        opening = head.index(b"[") + 1
        pieces = _ValueFinder(uri, limit, inside=True, skip=opening).pieces(source)
    elif _is_json_lines(head):
        pieces = _lines(source, uri, limit)
    else:
        skip = len(_BOM) if head.startswith(_BOM) else 0
        pieces = _ValueFinder(uri, limit, inside=False, skip=skip).pieces(source)
    return (_located(piece, limit, identify) for piece in pieces)


def _not_utf8(uri: str, length: int) -> RecordLocation:
    error = MalformedDocumentError(
        f"{uri}: JSON is UTF-8, this is UTF-16. Convert it: `iconv -f UTF-16 -t UTF-8 old.json > new.json`."
    )
    return RecordLocation(None, 0, length, None, error)


def _located(piece: _Piece, limit: int, identify: Identify) -> RecordLocation:
    stretch = piece.stretch
    if stretch.content is None:
        return too_large(stretch, piece.place, limit)
    try:
        if piece.problem:
            raise MalformedDocumentError(f"{piece.place}: {piece.problem}")
        record = load_record(stretch.content, piece.place)
        version = _version(record, piece.place)
    except MalformedDocumentError as error:
        return RecordLocation(None, stretch.start, stretch.length, None, error)
    try:
        return RecordLocation(identify(record), stretch.start, stretch.length, version)
    except MedkgError as error:
        placed = type(error)(f"{piece.place}: {error.message}")
        return RecordLocation(None, stretch.start, stretch.length, None, placed)


def _version(record: dict[str, Any], place: str) -> str:
    try:
        return json_version(record)
    except (ValueError, RecursionError) as error:
        raise MalformedDocumentError(f"{place}: cannot be put in canonical form: {error}.") from error


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
    """Where the first element of `{"<list_key>": [` starts; numbers and flat objects may stand before it."""
    if list_key is None:
        return None
    match = re.match(_BEFORE_LIST + rb'"' + list_key.encode() + rb'"\s*:\s*\[', head)
    return match.end() if match else None


def _is_json_lines(head: bytes) -> bool:
    """One record a line? A record that is spread over lines is not valid before its last one."""
    first, newline, rest = head.removeprefix(_BOM).lstrip(_BETWEEN).partition(b"\n")
    if not newline or _NEXT_LINE_IS_RECORD.match(rest):
        return True
    try:
        json.loads(first)
    except (ValueError, RecursionError):
        return False
    return True


def _lines(source: _Replay, uri: str, limit: int) -> Iterator[_Piece]:
    """Lines that are not blank, with their numbers."""
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


def _line(stretch: Stretch, uri: str, number: int) -> Iterator[_Piece]:
    content = stretch.content
    if content is not None:
        trimmed = content.removeprefix(_BOM) if stretch.start == 0 else content
        stripped = trimmed.strip()
        start = stretch.start + len(content) - len(trimmed.lstrip())
        stretch = Stretch(start, len(stripped), stripped)
    if stretch.content != b"":
        yield _Piece(stretch, f"{uri}, line {number}")


class _ValueFinder:
    """Finds top-level objects by counting brackets outside of strings.

    `inside`: the objects are elements of a list whose bracket ends at `skip`; `trailer`: after that list
    other fields may follow, which are not read.
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
        self._growing = GrowingStretch(skip, limit)

    def pieces(self, source: _Replay) -> Iterator[_Piece]:
        position = 0
        begin = self._skip
        for chunk in source:
            yield from self._scan(chunk, begin, position)
            position += len(chunk)
            begin = 0
            if self._closed and self._trailer:
                return
        yield from self._end()

    def _scan(self, chunk: bytes, begin: int, position: int) -> Iterator[_Piece]:
        """The pieces that end in `chunk`, which stands at byte `position`; bytes before `begin` are done."""
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
                    return
        self._growing.add(view[begin:])

    def _marks(self, chunk: bytes, begin: int) -> Iterator[tuple[bytes, int]]:
        """Brackets outside of strings, each with the position behind it."""
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
        """The position behind the string's end, or the chunk's end if the string goes on."""
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
        """What was growing, ended by `rest`; the next stretch begins at byte `following`."""
        self._growing.add(rest)
        finished = self._growing.finished()
        self._growing = GrowingStretch(following, self._limit)
        return finished

    def _piece(self, stretch: Stretch, problem: str = "") -> _Piece:
        self._ordinal += 1
        return _Piece(stretch, f"{self._uri}, record {self._ordinal} (byte {stretch.start:,})", problem)

    def _gap(self, rest: memoryview, following: int) -> Iterator[_Piece]:
        """What stands between two records: commas and white space, else it is reported."""
        gap = self._cut(rest, following)
        if gap.content is None or gap.content.strip(_BETWEEN):
            yield self._piece(gap, "this is no JSON object. Check the file at that place.")

    def _end(self) -> Iterator[_Piece]:
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
