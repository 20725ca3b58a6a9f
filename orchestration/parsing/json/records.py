"""The records of a JSON file with their ids, versions and byte offsets: a list, JSON Lines, or one object.

Comes in: a stream and a function that returns a record's id. Leaves: one RecordLocation per record, in order;
a broken one carries its error and the others are still yielded. No more than one record is held at a time,
and none that is over the limit. Where records begin and end is found by `json_pieces`; `load_record` reads
again what was located.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, BinaryIO

from orchestration.contracts import RecordLocation
from orchestration.errors import MalformedDocumentError, MedkgError
from orchestration.parsing.byte_stream import Stretch, too_large
from orchestration.parsing.json.pieces import Piece, json_pieces
from orchestration.parsing.json.wrappers import inside_of
from orchestration.records import json_version

Identify = Callable[[dict[str, Any]], str]
"""The id of a record; raises MissingIdentifierError."""

Revision = Callable[[dict[str, Any]], str]
"""The revision of a record, see `contracts.revisions`; never raises."""

_SHOWN = 40
"""Characters of a wrong record that an error quotes."""


@dataclass(frozen=True, slots=True)
class _Reading:
    """What a format knows of its records."""

    identify: Identify
    unversioned: frozenset[str]
    revision: Revision | None


def load_record(content: bytes, place: str) -> dict[str, Any]:
    """One record from its bytes; raises MalformedDocumentError naming `place`."""
    try:
        record = json.loads(content, parse_constant=_no_number, parse_float=_finite)
    except RecursionError as error:
        raise MalformedDocumentError(
            f"{place}: its values are nested deeper than can be read. Leave out the record, or the field."
        ) from error
    except ValueError as error:
        raise MalformedDocumentError(
            f"{place}: not valid JSON: {error}. It may be cut off; fetch the record again."
        ) from error
    if not isinstance(record, dict):
        shown = json.dumps(record)[:_SHOWN]
        raise MalformedDocumentError(
            f"{place}: a record is a JSON object, this is {shown}. Check the file's format."
        )
    return record


def _no_number(name: str) -> float:
    raise ValueError(f"{name} is no number of JSON")


def _finite(digits: str) -> float:
    number = float(digits)
    if not math.isfinite(number):
        raise ValueError(f"the number {digits[:_SHOWN]} is too large to be kept")
    return number


def json_records(
    stream: BinaryIO,
    uri: str,
    limit: int,
    identify: Identify,
    list_key: str | None = None,
    unversioned: frozenset[str] = frozenset(),
    nested: Identify | None = None,
    revision: Revision | None = None,
) -> Iterator[RecordLocation]:
    """Yield every record of the file in order.

    `list_key` names a list inside one object, a page of an API, that holds records too. Fields named in
    `unversioned` do not count for a record's version. With `nested`, which distinguishes records from what
    wraps them, those in lists of pages and other wrappers are found too. `revision` is of formats that have
    revisions.
    """
    reading = _Reading(identify, unversioned, revision)
    pieces = json_pieces(stream, uri, limit, list_key)
    return (
        (_located(piece, limit, reading) for piece in pieces)
        if nested is None
        else (
            location for piece in pieces for location in _unwrapped(piece, limit, reading, nested, list_key)
        )
    )


def _located(piece: Piece, limit: int, reading: _Reading) -> RecordLocation:
    stretch = piece.stretch
    if stretch.content is None:
        return too_large(stretch, piece.place, limit)
    try:
        if piece.problem:
            raise MalformedDocumentError(f"{piece.place}: {piece.problem}")
        record = load_record(stretch.content, piece.place)
        version = _version(record, reading.unversioned, piece.place)
    except MalformedDocumentError as error:
        return RecordLocation(None, stretch.start, stretch.length, None, error)
    try:
        doc_id = reading.identify(record)
    except MedkgError as error:
        placed = type(error)(f"{piece.place}: {error.message}")
        return RecordLocation(None, stretch.start, stretch.length, None, placed)
    revision = reading.revision(record) if reading.revision is not None else None
    return RecordLocation(doc_id, stretch.start, stretch.length, version, revision=revision)


def _unwrapped(
    piece: Piece,
    limit: int,
    reading: _Reading,
    nested: Identify,
    list_key: str | None,
) -> Iterator[RecordLocation]:
    """The record of the piece; those inside of it if it is none itself, nothing for a page without any."""
    location = _located(piece, limit, reading)
    content = piece.stretch.content
    if location.error is None or content is None or piece.problem:
        yield location
        return
    try:
        value = json.loads(content)
        inside = (
            inside_of(content, lambda record: _identifies(nested, record), list_key)
            if isinstance(value, dict | list)
            else []
        )
    except (ValueError, RecursionError):
        yield location
        return
    for part in inside:
        start, end = part.start, part.start + part.length
        stretch = Stretch(piece.stretch.start + start, part.length, content[start:end])
        place = f"{piece.place}, inside of it (byte {stretch.start:,})"
        yield _located(Piece(stretch, place), limit, reading)
    if not inside and not _is_empty_page(value, list_key):
        yield location


def _identifies(identify: Identify, record: dict[str, Any]) -> bool:
    try:
        identify(record)
    except MedkgError:
        return False
    return True


def _is_empty_page(value: Any, list_key: str | None) -> bool:
    return isinstance(value, dict) and list_key is not None and value.get(list_key) == []


def _version(record: dict[str, Any], unversioned: frozenset[str], place: str) -> str:
    try:
        return json_version({key: value for key, value in record.items() if key not in unversioned})
    except (ValueError, RecursionError) as error:
        raise MalformedDocumentError(f"{place}: cannot be put in canonical form: {error}.") from error
