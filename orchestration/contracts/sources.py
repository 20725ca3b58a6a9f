"""Sources, which enumerate and fetch records, and parsers, which turn their bytes into documents.

Both are plugins by entry point; docs/plugins.md shows one in 30 lines.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import BinaryIO, Protocol

from pydantic import ConfigDict, Field

from orchestration.contracts.stages import Outcome
from orchestration.errors import MedkgError
from orchestration.records import (
    AdapterRequest,
    Document,
    RawPayload,
    Record,
    SourceItem,
)


class SourceRequest(Record):
    """What a user requests of a source plugin. Serialised, the plugin is `source`, as in `--source`."""

    model_config = ConfigDict(validate_by_name=True, serialize_by_alias=True)

    plugin: str = Field(
        validation_alias="source",
        serialization_alias="source",
        description="Name of the source plugin, e.g. files.",
    )
    paths: tuple[str, ...] = Field(default=(), description="Files and folders, for sources that read them.")
    query: str | None = Field(default=None, description="Query, for sources that search.")
    limit: int | None = Field(default=None, ge=1, description="Maximum number of documents.")
    resync: bool = Field(
        default=False, description="Enumerate everything, not only what changed since the last time."
    )
    mirror: bool = Field(
        default=False, description="Remove documents that the complete enumeration does not name any more."
    )


class Source(Protocol):
    """A source of documents. Plugins: entry point group `medkg.sources`.

    `name` is that of the plugin (`--source`); the origin of a record is `SourceItem.source`.

    Guarantees that an implementation gives. Order: stable for the same request. Idempotence: both calls may
    be repeated and change nothing. Delivery: every record of the request at least once. Errors of one record
    are outcomes of that record.

    A source whose places are paths may have `has_place(place: str) -> bool`: whether there is a file.
    A source may have `check(request)`: it raises UsageError for an invalid request, before a job is opened.
    """

    name: str

    def enumerate(self, request: SourceRequest) -> Iterator[SourceItem]:
        """Iterate over the documents of the request in a stable order; a broken one is an item with an error.

        Streams: memory does not grow with the number of documents. Raises UsageError when the request
        itself is invalid (no such path, a query for a source without queries).
        """
        ...

    def fetch(self, requests: Sequence[AdapterRequest]) -> Sequence[Outcome[RawPayload]]:
        """Return the bytes of enumerated documents: one outcome per request, in the same order."""
        ...


@dataclass(frozen=True, slots=True)
class Page:
    """One answer of a service that enumerates records, as received."""

    uri: str
    """Its address, without API keys."""
    content: bytes
    format: str
    """Registered format of the content, whose parser finds the records in it."""
    cursor: str | None = None
    """Position after this page; None: it was the last page."""
    total: int | None = None
    """Number of records in all, as the service reports it; it may change from page to page."""


class PagedSource(Protocol):
    """A service that enumerates its records page by page. Plugins: entry point group `medkg.sources`.

    It implements the protocol of the service and nothing else: no state, no writes, no retries (its web
    client retries). medkg stores the bytes of the pages, finds the records with the parser of the format,
    and saves the cursor, so that an interrupted enumeration continues and a later one requests changes only.

    Guarantees that an implementation gives. Order: that of the service, continued by `cursor`. Delivery:
    with `since`, at least everything that changed after it. Idempotence: a cursor may be used again.
    """

    name: str
    format: str
    """Registered format of its pages."""

    @property
    def origin(self) -> str:
        """Address of the service; each address has its own syncs."""
        ...

    def pages(self, request: SourceRequest, since: datetime | None, cursor: str | None) -> Iterator[Page]:
        """Iterate over the pages of the request from `cursor` on; with `since`, at least all later changes.

        Each page is requested when it is consumed. Raises UsageError at the first page when the request is
        invalid, CursorRefusedError when the service no longer knows the cursor, UnexpectedAnswerError when
        an answer is not of the documented shape, and what WebClient raises.
        """
        ...

    def again(self, doc_ids: Sequence[str]) -> Iterator[Page]:
        """Iterate over pages with the records of these ids, as far as the service still has them."""
        ...

    def address(self, doc_id: str) -> str:
        """Return the address of the page of the record for people."""
        ...


@dataclass(frozen=True, slots=True)
class ListedPage:
    """The records of one stored page, which can be fetched; broken ones are items with errors."""

    items: tuple[SourceItem, ...]
    cursor: str | None
    total: int | None


class ListedSource(Source, Protocol):
    """A source whose enumeration can be interrupted and continued: a PagedSource with its storage.

    Guarantees. Those of Source and PagedSource; the bytes of a page are durable when it is yielded.
    """

    format: str

    @property
    def origin(self) -> str: ...

    def listing(
        self, request: SourceRequest, tenant_id: str, since: datetime | None, cursor: str | None
    ) -> Iterator[ListedPage]:
        """Iterate over the pages of `PagedSource.pages`, each stored before it is yielded."""
        ...


@dataclass(frozen=True, slots=True)
class RecordLocation:
    """Location of one record inside a file, with its id and content hash, or its error."""

    doc_id: str | None
    start: int
    length: int
    version: str | None = None
    error: MedkgError | None = None
    revision: str | None = None
    """Of a format that has revisions, see `contracts.revisions`; None: two records of one id are an error."""
    deleted: bool = False
    """The source announces here that it deleted the record `doc_id`."""


class Parser(Protocol):
    """One format: recognises it, finds records in a file, turns a record into a Document.

    Plugins: entry point group `medkg.parsers`.

    Guarantees that an implementation gives. Stateless and pure: the same bytes give the same document until
    `version` changes. Records come in the order of the file. Errors of one record are that record's. `parse`
    runs in worker processes, which are killed after the time-out of the policy.
    """

    format: str
    """Registered name, e.g. ctgov-v2."""
    version: str
    """Changes whenever the output for the same bytes changes; part of the fingerprint."""
    source: str
    """Origin of records of this format: clinicaltrials, pmc, pubmed, files."""

    def recognises(self, head: bytes, name: str) -> int:
        """Return how surely the content is of this format: 0 not at all, 100 certain.

        `head` is up to 64 KiB from the file's start, `name` its file name (a hint, never proof).
        """
        ...

    def records(self, stream: BinaryIO, uri: str, max_record_bytes: int) -> Iterator[RecordLocation]:
        """Iterate over the records of a file in order; a broken one is a location with its error. Streams.

        A record larger than `max_record_bytes` is a location with DocumentTooLargeError, and is never
        held in memory whole.
        """
        ...

    def parse(self, payload: RawPayload, tenant_id: str) -> Document:
        """Return the document; raises MalformedDocumentError, EmptyDocumentError, UnsafeXmlError ..."""
        ...
