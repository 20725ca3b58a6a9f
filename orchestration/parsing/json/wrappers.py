"""Records inside of other JSON: a list of pages, an answer that holds its page under a key, lists in lists.

Comes in: the bytes of a JSON value that is no record. Leaves: the records in it at any depth with their byte
offsets, and the elements of their lists that are no records, so that none is lost unseen.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Final

__all__ = ["Inside", "inside_of"]

_DECODER: Final = json.JSONDecoder()
_BLANK: Final = re.compile(r"[ \t\r\n,]*")
_KEY: Final = re.compile(r'"(?:[^"\\]|\\.)*"[ \t\r\n]*:[ \t\r\n]*')
_DEPTH: Final = 8
"""Pages are wrapped once or twice; deeper values belong to something else."""


@dataclass(frozen=True, slots=True)
class Inside:
    """An object at a position of its wrapper."""

    start: int
    length: int
    is_record: bool
    """False: an element of a list of records that is none."""


def inside_of(
    content: bytes, is_record: Callable[[dict[str, Any]], bool], list_key: str | None
) -> list[Inside]:
    """The records in `content`, a JSON object or list in UTF-8, in order; [] if there are none.

    `list_key` names a list that holds nothing but records. Raises ValueError for anything else.
    """
    text = content.decode("latin-1")  # one character per byte, so that positions in both agree
    return list(_walk(text, _after_blank(text, 0), is_record, list_key, 0))


def _walk(
    text: str, at: int, is_record: Callable[[dict[str, Any]], bool], list_key: str | None, depth: int
) -> Iterator[Inside]:
    for key, start, end, value in _children(text, at):
        if not isinstance(value, list | dict) or depth > _DEPTH:
            continue
        if isinstance(value, dict) and is_record(value):
            yield Inside(start, end - start, True)
            continue
        parts = list(_walk(text, start, is_record, list_key, depth + 1))
        if isinstance(value, list) and (key == list_key or any(inside.is_record for inside in parts)):
            parts += _others(text, start, parts)
        yield from sorted(parts, key=lambda inside: inside.start)


def _others(text: str, at: int, parts: list[Inside]) -> Iterator[Inside]:
    """Objects of the list at `at` in which there is no record."""
    for _, start, end, value in _children(text, at):
        if isinstance(value, dict) and not any(start <= inside.start < end for inside in parts):
            yield Inside(start, end - start, False)


def _children(text: str, at: int) -> Iterator[tuple[str, int, int, Any]]:
    """Key ('' in a list), position, end and value of what the object or list at `at` holds."""
    is_object = text[at] == "{"
    at = _after_blank(text, at + 1)
    while text[at] not in "}]":
        key = ""
        if is_object:
            match = _KEY.match(text, at)
            if match is None:
                raise ValueError(f"no key at byte {at:,}")  # JSON in UTF-16, which `json.loads` reads too
            key, at = json.loads(match.group().rstrip()[:-1].rstrip()), match.end()
        value, end = _DECODER.raw_decode(text, at)
        yield key, at, end, value
        at = _after_blank(text, end)


def _after_blank(text: str, at: int) -> int:
    match = _BLANK.match(text, at)
    return match.end() if match else at
