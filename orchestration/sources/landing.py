"""Landing: stores the pages of a service and locates each record in them, as if they were files.

Comes in: a PagedSource, the object store and the parsers. Leaves: a source that enumerates items and fetches
them. The bytes of a page are an object, `raw/TENANT/PLUGIN/SHA256`, and a record's locator is a range of it:
10,000 studies cost 100 requests, and versions are known before a document is queued. When an object has
expired, as artifacts do, the records are requested from the service again by their ids.
"""

from __future__ import annotations

import hashlib
import io
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from itertools import islice
from typing import Final

from orchestration.contracts import (
    ListedPage,
    ObjectStore,
    Outcome,
    Page,
    PagedSource,
    Parser,
    RecordLocation,
    SourceRequest,
)
from orchestration.contracts.objects import LANDED, READERS
from orchestration.errors import (
    ConfigurationError,
    DagsterResourceUnavailableError,
    DocumentTooLargeError,
    InputUnreadableError,
    MedkgError,
    UnexpectedAnswerError,
)
from orchestration.records import AdapterRequest, Locator, RawPayload, SourceItem, content_version

__all__ = ["Landing"]

REFETCH_SECONDS: Final = 15.0
"""Time limit for requests of expired records per call; the rest is handed back without an attempt spent."""


class Landing:
    """A ListedSource over a PagedSource."""

    def __init__(
        self,
        paged: PagedSource,
        objects: Callable[[], ObjectStore],
        parsers: Mapping[str, Parser],
        max_document_bytes: int,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        """`objects` opens the store; commands that read other sources never call it."""
        self._paged = paged
        self._objects = objects
        self._parsers = parsers
        self._max_document_bytes = max_document_bytes
        self._now = now
        self.name = paged.name
        self.format = paged.format

    @property
    def origin(self) -> str:
        """Address of the service."""
        return self._paged.origin

    def enumerate(self, request: SourceRequest) -> Iterator[SourceItem]:
        """All records of the request, each once, also those that were enumerated before."""
        pages = self.listing(request, READERS, None, None)
        doc_ids: set[str] = set()

        def items() -> Iterator[SourceItem]:
            for item in (item for page in pages for item in page.items):
                if item.doc_id not in doc_ids:
                    doc_ids.add(item.doc_id)
                    yield item

        return islice(items(), request.limit)

    def listing(
        self, request: SourceRequest, tenant_id: str, since: datetime | None, cursor: str | None
    ) -> Iterator[ListedPage]:
        """The records of each page, stored; see ListedSource.listing."""
        for page in self._paged.pages(request, since, cursor):
            if page.cursor is not None and page.cursor == cursor:
                raise UnexpectedAnswerError(
                    f"{page.uri}: the page names itself as the next one, so the enumeration would never end. "
                    "Run again with --resync; if it persists, report it to the service."
                )
            cursor = page.cursor
            yield ListedPage(tuple(self._landed(page, tenant_id)), page.cursor, page.total)

    def fetch(self, requests: Sequence[AdapterRequest]) -> Sequence[Outcome[RawPayload]]:
        """The stored bytes of each record; expired ones are requested together."""
        by_object: dict[str, list[int]] = defaultdict(list)
        for position, request in enumerate(requests):
            by_object[request.locator.uri].append(position)
        outcomes: dict[int, Outcome[RawPayload]] = {}
        expired: list[int] = []
        for key, positions in by_object.items():
            content = self._objects().get(key)
            for position in positions:
                request = requests[position]
                payload = None if content is None else self._at_position(request, content.data)
                if payload is None:
                    expired.append(position)
                else:
                    outcomes[position] = payload
        refetched = self._refetch([requests[position] for position in expired])
        outcomes.update(zip(expired, refetched, strict=True))
        return [outcomes[position] for position in range(len(requests))]

    # --- storing ------------------------------------------------------------------------------------

    def _landed(self, page: Page, tenant_id: str) -> Iterator[SourceItem]:
        parser = self._parser(page.format)
        digest = hashlib.sha256(page.content).hexdigest()
        key = f"{LANDED}/{tenant_id}/{self.name}/{digest}"
        self._objects().put(key, page.content)
        for number, location in enumerate(self._locations(parser, page), start=1):
            error = location.error
            yield SourceItem(
                doc_id=location.doc_id or f"{self.name}/{digest[:12]}#{number}",
                source=parser.source,
                locator=Locator(uri=key, start=location.start, length=location.length, format=parser.format),
                version=location.version,
                revision=location.revision,
                deleted=location.deleted,
                error_code=error.code if error else None,
                error_message=error.message if error else None,
            )

    def _locations(self, parser: Parser, page: Page) -> Iterator[RecordLocation]:
        if not page.content:
            return iter(())
        return parser.records(io.BytesIO(page.content), page.uri, self._max_document_bytes)

    def _parser(self, name: str) -> Parser:
        try:
            return self._parsers[name]
        except KeyError:
            raise ConfigurationError(
                f"source {self.name!r} returns records of format {name!r}, but no parser of that format is "
                f"installed; installed: {', '.join(sorted(self._parsers))}."
            ) from None

    # --- fetching -----------------------------------------------------------------------------------

    def _at_position(self, request: AdapterRequest, landed: bytes) -> Outcome[RawPayload] | None:
        """The record at its enumerated position; None if that holds something else."""
        locator = request.locator
        start, length = locator.start or 0, locator.length or len(landed)
        if length > self._max_document_bytes:
            return DocumentTooLargeError(
                f"{self._paged.address(request.doc_id)}: {request.doc_id} has {length:,} bytes, more than "
                f"max_document_bytes ({self._max_document_bytes:,}). Raise MEDKG_MAX_DOCUMENT_BYTES."
            )
        content = landed[start : start + length]
        page = Page(self._paged.address(request.doc_id), content, locator.format)
        locations = list(self._locations(self._parser(locator.format), page))
        if len(locations) != 1:
            return None
        return self._payload(request, page, locations[0])

    def _payload(
        self, request: AdapterRequest, page: Page, location: RecordLocation
    ) -> Outcome[RawPayload] | None:
        """The record at a location in a page; its error if it is broken, None if it is another record."""
        if location.error is not None:
            return location.error
        if location.doc_id != request.doc_id:
            return None
        content = page.content[location.start : location.start + location.length]
        parser = self._parser(page.format)
        return RawPayload(
            doc_id=request.doc_id,
            source=parser.source,
            format=parser.format,
            content=content,
            uri=self._paged.address(request.doc_id),
            version=location.version or content_version(content),
            revision=location.revision,
        )

    def _refetch(self, requests: Sequence[AdapterRequest]) -> Sequence[Outcome[RawPayload]]:
        """The present versions of these records, from the service."""
        outcomes: dict[str, Outcome[RawPayload]] = {}
        if requests:
            by_id = {request.doc_id: request for request in requests}
            end = self._now() + REFETCH_SECONDS
            try:
                for page in self._paged.again(list(by_id)):
                    outcomes |= self._payloads(page, by_id)
                    if len(outcomes) < len(by_id) and self._now() > end:
                        raise self._next_call(len(by_id) - len(outcomes))
            except MedkgError as error:
                outcomes = {**dict.fromkeys(by_id, error), **outcomes}
        return [outcomes.get(request.doc_id) or self._withdrawn(request) for request in requests]

    def _next_call(self, count: int) -> DagsterResourceUnavailableError:
        return DagsterResourceUnavailableError(
            f"{self._paged.origin}: {count} records whose bytes have expired are requested in the next call."
        )

    def _payloads(self, page: Page, by_id: Mapping[str, AdapterRequest]) -> dict[str, Outcome[RawPayload]]:
        outcomes: dict[str, Outcome[RawPayload]] = {}
        for location in self._locations(self._parser(page.format), page):
            request = by_id.get(location.doc_id or "")
            payload = None if request is None else self._payload(request, page, location)
            if request is not None and payload is not None:
                outcomes[request.doc_id] = payload
        return outcomes

    def _withdrawn(self, request: AdapterRequest) -> InputUnreadableError:
        return InputUnreadableError(
            f"{self._paged.address(request.doc_id)}: {self._paged.origin} no longer has {request.doc_id}. "
            f"If it was withdrawn, `medkg docs delete {request.doc_id}` removes it here too."
        )
