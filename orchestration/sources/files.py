"""Documents from files and folders; one file may hold one record or a million.

Comes in: paths, then the documents to fetch. Leaves: one item per record, with its position in the file and
its content hash, so that unchanged records are skipped without being read again; then their bytes. A file or
record that cannot be ingested is an item with its error. Files may change between the two steps: a record is
then searched by its id, so that `medkg dlq replay` finds a record that was repaired.
"""

from __future__ import annotations

import hashlib
import io
import os
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from itertools import chain, islice
from pathlib import Path
from typing import BinaryIO, Self

from orchestration.contracts import Outcome, Parser, RecordLocation, SourceRequest, is_older
from orchestration.errors import (
    DocumentTooLargeError,
    EmptyDocumentError,
    MalformedDocumentError,
    MedkgError,
    RecordWithheldError,
    StageFailedError,
    UsageError,
)
from orchestration.records import AdapterRequest, Locator, RawPayload, SourceItem, content_version
from orchestration.sources.file_format import HEAD_BYTES, recognised
from orchestration.sources.file_walk import WalkedFile, file_uri, is_path, path_of, unreadable, walk

_UNKNOWN = "unknown"
"""Format of a file that no parser recognises."""


class FilesSource:
    """The source plugin `files`."""

    name = "files"

    def __init__(self, parsers: Mapping[str, Parser], max_document_bytes: int) -> None:
        self._parsers = parsers
        self._max_document_bytes = max_document_bytes

    @classmethod
    def from_parsers(cls, parsers: Mapping[str, Parser], max_document_bytes: int) -> Self:
        """The plugin for the installed formats; assembly calls it."""
        return cls(parsers, max_document_bytes)

    def check(self, request: SourceRequest) -> None:
        """Raise UsageError for a path that does not exist, no path, or a query."""
        if request.query is not None:
            raise UsageError("--source files takes no --query. Name files or folders with --path.")
        if not request.paths:
            raise UsageError("--source files needs files or folders. Name them with --path.")
        for path in _absolute(request.paths):
            if not os.path.lexists(path):
                raise UsageError(f"--path {file_uri(path)}: no such file or folder. Check its name.")

    def enumerate(self, request: SourceRequest) -> Iterator[SourceItem]:
        """All records of all files, in the order of paths, names and bytes.

        Raises at once what `check` raises.
        """
        self.check(request)
        files = chain.from_iterable(map(walk, _absolute(request.paths)))
        return islice(chain.from_iterable(map(self._items, files)), request.limit)

    def fetch(self, requests: Sequence[AdapterRequest]) -> Sequence[Outcome[RawPayload]]:
        """The bytes of each record; each file is opened once."""
        by_uri: dict[str, list[int]] = defaultdict(list)
        for position, request in enumerate(requests):
            by_uri[request.locator.uri].append(position)
        outcomes: dict[int, Outcome[RawPayload]] = {}
        for uri, positions in by_uri.items():
            positions.sort(key=lambda position: requests[position].locator.start or 0)
            fetched = self._fetch_file(uri, [requests[position] for position in positions])
            outcomes.update(zip(positions, fetched, strict=True))
        return [outcomes[position] for position in range(len(requests))]

    def has_place(self, place: str) -> bool:
        """Whether a file or folder exists; true for places that are not paths."""
        return not is_path(place) or os.path.lexists(path_of(place))

    # --- enumeration ------------------------------------------------------------------------------

    def _items(self, file: WalkedFile) -> Iterator[SourceItem]:
        path = file.path
        if file.error is not None:
            yield _broken_file(path, file.error)
            return
        try:
            with path.open("rb") as stream:
                yield from self._items_of(path, stream)
        except MedkgError as error:
            yield _broken_file(path, error)
        except OSError as error:
            yield _broken_file(path, unreadable(path, error))

    def _items_of(self, path: Path, stream: BinaryIO) -> Iterator[SourceItem]:
        uri = file_uri(path)
        size = os.fstat(stream.fileno()).st_size
        parser = self._recognise(path, stream)
        count = 0
        for location in _locations(parser, stream, uri, self._max_document_bytes):
            count += 1
            yield _item(parser, path, location, count, size)
        if count == 0:
            raise EmptyDocumentError(
                f"{uri}: contains no records ({parser.format}). Check that it is complete."
            )

    def _recognise(self, path: Path, stream: BinaryIO) -> Parser:
        """The parser of an open file; leaves the file at its beginning."""
        uri = file_uri(path)
        head = stream.read(HEAD_BYTES)
        if not head:
            raise EmptyDocumentError(f"{uri}: the file is empty. Fetch it again, or leave it out.")
        parser = recognised(head, path.name, uri, self._parsers)
        stream.seek(0)
        return parser

    # --- fetching ---------------------------------------------------------------------------------

    def _fetch_file(self, uri: str, requests: Sequence[AdapterRequest]) -> Sequence[Outcome[RawPayload]]:
        """Each record from its enumerated position; records that have moved are searched in one pass."""
        path, ids = path_of(uri), [request.doc_id for request in requests]
        outcomes: dict[str, Outcome[RawPayload]] = {}
        try:
            with path.open("rb") as stream:
                parser = self._parsers.get(requests[0].locator.format) or self._recognise(path, stream)
                for request in requests:
                    payload = self._at_position(parser, stream, request)
                    if payload is not None:
                        outcomes[request.doc_id] = payload
                missing = {request.doc_id: request for request in requests if request.doc_id not in outcomes}
                if missing:
                    outcomes |= self._search(parser, path, stream, missing)
        except OSError as error:
            outcomes = {**dict.fromkeys(ids, unreadable(path, error)), **outcomes}
        except MedkgError as error:
            outcomes = {**dict.fromkeys(ids, error), **outcomes}
        return [outcomes[request.doc_id] for request in requests]

    def _at_position(
        self, parser: Parser, stream: BinaryIO, request: AdapterRequest
    ) -> Outcome[RawPayload] | None:
        """The record at its enumerated position; None if that now holds something else."""
        uri, start, length = request.locator.uri, request.locator.start, request.locator.length
        if start is None or length is None:
            return None
        if length > self._max_document_bytes:
            return DocumentTooLargeError(
                f"{uri}: {request.doc_id} has {length:,} bytes, more than max_document_bytes "
                f"({self._max_document_bytes:,}). Split the record, or raise MEDKG_MAX_DOCUMENT_BYTES."
            )
        stream.seek(start)
        content = stream.read(length)
        locations = list(islice(_locations(parser, io.BytesIO(content), uri, self._max_document_bytes), 2))
        if len(locations) != 1 or locations[0].error is not None or locations[0].doc_id != request.doc_id:
            return None
        (location,) = locations
        if location.deleted:
            return _deleted(uri, request)
        return _payload(parser, request, location, content[location.start : location.start + location.length])

    def _search(
        self, parser: Parser, path: Path, stream: BinaryIO, missing: Mapping[str, AdapterRequest]
    ) -> dict[str, Outcome[RawPayload]]:
        """The records at their present positions, found in one pass; errors for broken and missing ones."""
        stream.seek(0)
        uri = file_uri(path)
        size = os.fstat(stream.fileno()).st_size
        locations: dict[str, RecordLocation] = {}
        whole_file = [doc_id for doc_id, request in missing.items() if request.locator.start is None]
        for ordinal, location in enumerate(
            _locations(parser, stream, uri, self._max_document_bytes), start=1
        ):
            doc_id = location.doc_id or _derived_id(path, location, ordinal, size)
            if location.doc_id is None and _is_whole(location, size) and len(whole_file) == 1:
                doc_id = whole_file[0]  # its id may be of the place where the file was first
            if doc_id in missing and _replaces(location, locations.get(doc_id)):
                locations[doc_id] = location
        outcomes: dict[str, Outcome[RawPayload]] = {}
        for doc_id, request in missing.items():
            present = locations.get(doc_id)
            if present is None:
                outcomes[doc_id] = MalformedDocumentError(
                    f"{uri}: no longer contains {doc_id}; the file changed after it was enumerated. Run the "
                    "command again to ingest its present content."
                )
            elif present.error is not None:
                outcomes[doc_id] = present.error
            elif present.deleted:
                outcomes[doc_id] = _deleted(uri, request)
            else:
                stream.seek(present.start)
                outcomes[doc_id] = _payload(parser, request, present, stream.read(present.length))
        return outcomes


def _absolute(paths: Sequence[str]) -> list[Path]:
    """The paths, each once."""
    return list(dict.fromkeys(Path(os.path.abspath(path)) for path in paths))  # noqa: PTH100


def readable_id(path: Path) -> str:
    """The id of a document whose record has none: folder, name and 8 digits that distinguish equal names.

    It depends only on the file's absolute path, so it is the same however the user named the file.
    """
    digest = hashlib.sha256(os.fsencode(path)).hexdigest()[:8]
    name = "/".join(part for part in path.parts[-2:] if part != path.anchor)
    shown = os.fsencode(name).decode("utf-8", "backslashreplace")
    plain = "".join(letter if letter.isprintable() else "_" for letter in shown)
    return f"{plain}~{digest}"


def _derived_id(path: Path, location: RecordLocation, ordinal: int, size: int) -> str:
    """The id of a record that has none: the file's, with the record's number if it is not the whole file."""
    return readable_id(path) if _is_whole(location, size) else f"{readable_id(path)}#{ordinal}"


def _is_whole(location: RecordLocation, size: int) -> bool:
    """Whether the record is the whole file."""
    return location.start == 0 and location.length == size


def _locations(parser: Parser, stream: BinaryIO, uri: str, limit: int) -> Iterator[RecordLocation]:
    """The parser's records; an error from outside medkg's tree fails the file, not the program."""
    try:
        yield from parser.records(stream, uri, limit)
    except (MedkgError, OSError):
        raise
    except Exception as error:
        raise StageFailedError(
            f"{uri}: parser {parser.format!r} raised {type(error).__name__} while finding records: {error}. "
            "Fix the parser or the file, then run again."
        ) from error


def _item(parser: Parser, path: Path, location: RecordLocation, ordinal: int, size: int) -> SourceItem:
    whole = _is_whole(location, size)
    return SourceItem(
        doc_id=location.doc_id or _derived_id(path, location, ordinal, size),
        source=parser.source,
        locator=Locator(
            uri=file_uri(path),
            start=None if whole else location.start,
            length=None if whole else location.length,
            format=parser.format,
        ),
        version=location.version,
        revision=location.revision,
        deleted=location.deleted,
        place=file_uri(path),
        id_of_place=whole and location.doc_id is None,
        error_code=location.error.code if location.error else None,
        error_message=location.error.message if location.error else None,
    )


def _broken_file(path: Path, error: MedkgError) -> SourceItem:
    return SourceItem(
        doc_id=readable_id(path),
        source=FilesSource.name,
        locator=Locator(uri=file_uri(path), format=_UNKNOWN),
        place=file_uri(path),
        error_code=error.code,
        error_message=error.message,
    )


def _replaces(later: RecordLocation, first: RecordLocation | None) -> bool:
    """Whether the later of two records of one id is taken: only where the format has revisions."""
    if first is None:
        return True
    return later.revision is not None and not is_older(later.revision, first.revision)


def _deleted(uri: str, request: AdapterRequest) -> RecordWithheldError:
    return RecordWithheldError(
        f"{uri}: {request.doc_id} was deleted by its source, which announces it here. If it was ingested, "
        f"`medkg docs delete {request.doc_id}` removes it."
    )


def _payload(parser: Parser, request: AdapterRequest, location: RecordLocation, content: bytes) -> RawPayload:
    return RawPayload(
        doc_id=request.doc_id,
        source=parser.source,
        format=parser.format,
        content=content,
        uri=request.locator.uri,
        version=location.version or content_version(content),
        revision=location.revision,
    )
