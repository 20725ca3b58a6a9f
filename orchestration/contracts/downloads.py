"""Files that records link to: which links a format gives, and what fetches one without harm.

A parser whose records link to PDFs says so with `pdf_links`; the download stage tries them in its order.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, runtime_checkable

from pydantic import Field

from orchestration.records import RawPayload, Record


class PdfLink(Record):
    """Where a record says that its PDF is."""

    url: str = Field(description="http or https; a landing page is found out and passed over.")
    licence: str | None = Field(default=None, description="Of that copy, as the record names it, e.g. cc-by.")


@runtime_checkable
class LinksToPdfs(Protocol):
    """What a parser may offer beside `parse`."""

    def pdf_links(self, payload: RawPayload) -> Sequence[PdfLink]:
        """Where the record's PDF is, best place first, none twice; empty if the record names none.

        Raises MalformedDocumentError for a record that cannot be read.
        """
        ...


@dataclass(frozen=True, slots=True)
class FetchedFile:
    """A file as it came, on this machine."""

    path: Path
    url: str
    """Where it was in the end, after redirects."""
    content_type: str | None
    """As the server called it; never believed."""
    etag: str | None
    size: int
    """Bytes."""


class FileFetcher(Protocol):
    """Fetches public files. Thread-safe."""

    def fetch(self, url: str) -> AbstractContextManager[FetchedFile]:
        """The file at a URL, there until the context ends. What was fetched before a break is not fetched
        again, if the server takes part.

        Raises DownloadRefusedError (a scheme or host that is not allowed, a private address, also behind a
        redirect), DocumentTooLargeError, RequestRejectedError (4xx), RateLimitedError and ServiceError.
        """
        ...
