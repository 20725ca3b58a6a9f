"""What a source and a parser are: where documents come from, and how bytes become one.

Both are plugins by entry point; docs/plugins.md shows one in 30 lines.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import BinaryIO, Protocol

from pydantic import Field

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
    """What a user asked a source for."""

    source: str = Field(description="Name of the source plugin, e.g. files.")
    paths: tuple[str, ...] = Field(default=(), description="Files and folders, for sources that read them.")
    query: str | None = Field(default=None, description="Query, for sources that search.")
    limit: int | None = Field(default=None, ge=1, description="At most so many documents.")
    resync: bool = Field(default=False, description="List everything, not only what changed since last time.")


class Source(Protocol):
    """Where documents come from. Plugins: entry point group `medkg.sources`."""

    name: str

    def enumerate(self, request: SourceRequest) -> Iterator[SourceItem]:
        """Every document the request means, in a stable order; a broken one as an item with an error.

        Streams: memory does not grow with the number of documents. Raises UsageError when the request
        itself is wrong (no such path, a query to a source that takes none).
        """
        ...

    def fetch(self, requests: Sequence[AdapterRequest]) -> Sequence[Outcome[RawPayload]]:
        """The bytes of enumerated documents, one outcome a request, same order."""
        ...


@dataclass(frozen=True, slots=True)
class Page:
    """One answer of a service that lists records: their bytes as they came."""

    uri: str
    """Where it came from, without keys."""
    content: bytes
    format: str
    """Registered format of the content, whose parser finds the records in it."""
    cursor: str | None = None
    """From where the listing goes on after this page; None: it was the last one."""
    total: int | None = None
    """How many records the service says there are, if it says so; it may change from page to page."""


class PagedSource(Protocol):
    """A service that lists its records page by page. Plugins: entry point group `medkg.sources`.

    It speaks the service's protocol and nothing else: it holds no state, writes nothing, and repeats nothing
    (its web client does). medkg keeps the pages' bytes, finds the records in them with the format's parser,
    and remembers the cursor, so that an interrupted listing goes on and a later one asks for changes only.
    """

    name: str
    format: str
    """Registered format of its pages."""

    @property
    def origin(self) -> str:
        """Address of the service; what was listed of another one does not count here."""
        ...

    def pages(self, request: SourceRequest, since: datetime | None, cursor: str | None) -> Iterator[Page]:
        """What the request means, from `cursor` on; with `since` at least all that changed after it.

        Each next page is asked for when it is taken. Raises UsageError at the first one when the request is
        wrong, CursorRefusedError when the service no longer knows the cursor, UnexpectedAnswerError when an
        answer is not of the documented shape, and what WebClient raises.
        """
        ...

    def again(self, doc_ids: Sequence[str]) -> Iterator[Page]:
        """Pages that hold the records of these ids, as far as the service still has them."""
        ...

    def address(self, doc_id: str) -> str:
        """Where a person finds the record."""
        ...


@dataclass(frozen=True, slots=True)
class ListedPage:
    """The records of one page, which are kept and can be fetched; broken ones as items with errors."""

    items: tuple[SourceItem, ...]
    cursor: str | None
    total: int | None


class ListedSource(Source, Protocol):
    """A source whose listing can be broken off and gone on with: what becomes of a PagedSource."""

    format: str

    @property
    def origin(self) -> str: ...

    def listing(
        self, request: SourceRequest, tenant_id: str, since: datetime | None, cursor: str | None
    ) -> Iterator[ListedPage]:
        """The pages of `PagedSource.pages`; a page's bytes are durable when it is told."""
        ...


@dataclass(frozen=True, slots=True)
class RecordLocation:
    """One record inside a file: its id, its bytes, its content hash, or the error that it is."""

    doc_id: str | None
    start: int
    length: int
    version: str | None = None
    error: MedkgError | None = None


class Parser(Protocol):
    """One format: recognises it, finds records in a file, turns a record into a Document.

    Plugins: entry point group `medkg.parsers`. Stateless; `parse` runs in worker processes.
    """

    format: str
    """Registered name, e.g. ctgov-v2."""
    version: str
    """Changes whenever the output for the same bytes changes; part of the fingerprint."""
    source: str
    """Where records of this format come from: clinicaltrials, pmc, pubmed, files."""

    def recognises(self, head: bytes, name: str) -> int:
        """How surely the content is of this format: 0 not at all, 100 certain.

        `head` is up to 64 KiB from the file's start, `name` its file name (a hint, never proof).
        """
        ...

    def records(self, stream: BinaryIO, uri: str, max_record_bytes: int) -> Iterator[RecordLocation]:
        """Every record of a file in order; a broken one as a location with its error. Streams.

        A record larger than `max_record_bytes` is a location with DocumentTooLargeError, and is never
        held in memory whole.
        """
        ...

    def parse(self, payload: RawPayload, tenant_id: str) -> Document:
        """The document; raises MalformedDocumentError, EmptyDocumentError, UnsafeXmlError ..."""
        ...
