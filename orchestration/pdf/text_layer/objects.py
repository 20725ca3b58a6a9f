"""The objects of a PDF that PDFium wrote: pages, dictionaries and streams.

PDFium returns no raw streams, so the check for damage reads them from a copy that PDFium writes: without
encryption, object streams or a broken cross-reference table, and with every stream as it is in the file.
Input: the bytes of such a copy. Output: its objects, parsed when they are asked for. An object that is
missing or cannot be parsed is None, as ISO 32000-1, 7.3.10, has it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

__all__ = ["Reference", "Stream", "WrittenPdf"]

MAX_DEPTH: Final = 100
"""Of arrays and dictionaries in each other, and of the page tree."""

_TABLE = re.compile(rb"(\d+) (\d+)\s+(?=\d{10} )")
_REFERENCE = re.compile(rb"(\d+)\s+(\d+)\s+R(?![A-Za-z])")
_OBJECT = re.compile(rb"\s*\d+\s+\d+\s+obj\b")
_BLANK = re.compile(rb"[\s\0]*")
_NAME = re.compile(rb"/([^\s\0/<>\[\](){}%]*)")
_WORD = re.compile(rb"[^\s\0/<>\[\](){}%]+")
_STRING_MARK = re.compile(rb"[\\()]")
_STREAM = re.compile(rb"[\s\0]*stream(?:\r\n|\n|\r)")


@dataclass(frozen=True, slots=True)
class Reference:
    """A reference to a numbered object."""

    number: int


@dataclass(frozen=True, slots=True)
class Stream:
    """A stream: its dictionary, and its bytes as they are in the file."""

    number: int
    dictionary: dict[str, Any]
    content: memoryview


class WrittenPdf:
    """The objects of a PDF that PDFium wrote."""

    def __init__(self, written: bytes) -> None:
        self._bytes = written
        self._offsets = _offsets(written)
        self._parsed: dict[int, Any] = {}

    def resolved(self, value: Any) -> Any:
        """The object that a reference names; any other value as it is."""
        for _ in range(MAX_DEPTH):
            if not isinstance(value, Reference):
                return value
            if value.number not in self._parsed:
                self._parsed[value.number] = self._object(value.number)
            value = self._parsed[value.number]
        return None

    def dictionary(self, value: Any) -> dict[str, Any]:
        """The dictionary that a value or reference names, or an empty one."""
        value = self.resolved(value)
        return value if isinstance(value, dict) else {}

    def pages(self) -> Iterator[dict[str, Any]]:
        """The dictionaries of the pages in order, with the resources that they inherit."""
        trailer = self._parse(self._bytes.rfind(b"trailer") + len(b"trailer"))
        catalog = self.dictionary(self.dictionary(trailer).get("Root"))
        yield from self._below(catalog.get("Pages"), None, frozenset())

    def _below(self, node: Any, resources: Any, above: frozenset[int]) -> Iterator[dict[str, Any]]:
        if isinstance(node, Reference):
            if node.number in above:
                return
            above = above | {node.number}
        entries = self.dictionary(node)
        resources = entries.get("Resources", resources)
        kids = self.resolved(entries.get("Kids"))
        if not isinstance(kids, list):
            yield {**entries, "Resources": resources}
        elif len(above) < MAX_DEPTH:
            for kid in kids:
                yield from self._below(kid, resources, above)

    def _object(self, number: int) -> Any:
        match = _OBJECT.match(self._bytes, self._offsets.get(number, len(self._bytes)))
        if match is None:
            return None
        value, end = self._value(match.end(), 0)
        begins = _STREAM.match(self._bytes, end) if isinstance(value, dict) else None
        if begins is None:
            return value
        length = self.resolved(value.get("Length"))
        size = length if isinstance(length, int) and length > 0 else 0
        return Stream(number, value, memoryview(self._bytes)[begins.end() : begins.end() + size])

    def _parse(self, at: int) -> Any:
        return self._value(at, 0)[0]

    def _value(self, at: int, depth: int) -> tuple[Any, int]:
        """(The value that begins at `at` or behind the blanks there; where it ends)."""
        data = self._bytes
        at = _end_of_blanks(data, at)
        if data.startswith(b"<<", at) and depth < MAX_DEPTH:
            return self._entries(at + 2, depth)
        if data.startswith(b"[", at) and depth < MAX_DEPTH:
            return self._items(at + 1, depth)
        if data.startswith(b"(", at):
            return None, _end_of_string(data, at)
        if data.startswith(b"<", at):
            return None, data.find(b">", at) + 1 or len(data)
        return _word(data, at)

    def _entries(self, at: int, depth: int) -> tuple[dict[str, Any], int]:
        entries: dict[str, Any] = {}
        data = self._bytes
        while (at := _end_of_blanks(data, at)) < len(data):
            if data.startswith(b">>", at):
                return entries, at + 2
            match = _NAME.match(data, at)
            if match is None:
                return entries, at + 1
            value, at = self._value(match.end(), depth + 1)
            entries[match.group(1).decode("latin-1")] = value
        return entries, at

    def _items(self, at: int, depth: int) -> tuple[list[Any], int]:
        items: list[Any] = []
        data = self._bytes
        while (at := _end_of_blanks(data, at)) < len(data):
            if data.startswith(b"]", at):
                return items, at + 1
            value, at = self._value(at, depth + 1)
            items.append(value)
        return items, at


def _word(data: bytes, at: int) -> tuple[Any, int]:
    """(A name, reference or whole number, or None for any other word; where it ends)."""
    if match := _NAME.match(data, at):
        return match.group(1).decode("latin-1"), match.end()
    if match := _REFERENCE.match(data, at):
        return Reference(int(match.group(1))), match.end()
    if match := _WORD.match(data, at):
        word = match.group()
        return int(word) if word.isdigit() and len(word) < 20 else None, match.end()
    return None, at + 1


def _offsets(written: bytes) -> dict[int, int]:
    """Where each object begins, by the cross-reference table at the end."""
    offsets: dict[int, int] = {}
    at = written.rfind(b"\nxref") + 1
    for section in _TABLE.finditer(written, at):
        first, count = int(section.group(1)), int(section.group(2))
        for index in range(count):
            entry = written[section.end() + 20 * index : section.end() + 20 * index + 20]
            if len(entry) < 18:
                break
            if entry[17:18] == b"n":
                offsets[first + index] = int(entry[:10])
    return offsets


def _end_of_blanks(data: bytes, at: int) -> int:
    match = _BLANK.match(data, at)
    return match.end() if match else at


def _end_of_string(data: bytes, at: int) -> int:
    depth = 0
    while match := _STRING_MARK.search(data, at):
        at = match.end()
        if match.group() == b"\\":
            at += 1
        else:
            depth += 1 if match.group() == b"(" else -1
            if depth == 0:
                return at
    return len(data)
