"""Files that records link to.

A parser whose records link to PDFs implements `pdf_links`; the download stage tries the links in order.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol, runtime_checkable

from pydantic import Field

from orchestration.records import RawPayload, Record


class PdfLink(Record):
    """Link of a record to its PDF."""

    url: str = Field(description="http or https; a landing page is detected and skipped.")
    licence: str | None = Field(
        default=None, description="Licence of that copy as the record names it, e.g. cc-by."
    )


@runtime_checkable
class LinksToPdfs(Protocol):
    """Optional protocol of parsers: links to PDFs.

    Guarantees. Pure: no network, no state; the same payload gives the same links in the same order.
    """

    def pdf_links(self, payload: RawPayload) -> Sequence[PdfLink]:
        """Return links to the PDF of the record, the best first, without repeats; empty if it has none.

        Raises MalformedDocumentError for a record that cannot be read.
        """
        ...
