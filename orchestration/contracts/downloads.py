"""Files that records link to.

A parser whose records link to PDFs says so with `pdf_links`; the download stage tries them in its order.
"""

from __future__ import annotations

from collections.abc import Sequence
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
