"""Sources over a database of Entrez: what pubmed and pmc have in common.

Comes in: services, and a subclass that names its database, format and pages. Leaves: a PagedSource, to which
the subclass adds the address of a record and what else its database needs.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Self

from orchestration.contracts import Page, SourceRequest
from orchestration.sources.eutilities import EUtilities
from orchestration.sources.queries import required_query
from orchestration.sources.services import SourceServices

__all__ = ["EntrezSource"]


class EntrezSource:
    """A PagedSource over E-utilities, without the address of a record."""

    name: str
    """Name of the plugin, and of the database."""
    format: str
    closing: bytes
    """End tag of a batch."""
    page_size: int
    """Records per batch."""

    def __init__(self, services: SourceServices) -> None:
        self._services = services
        self._entrez = EUtilities(services, self.name, self.format, self.closing, self.page_size)

    @classmethod
    def from_services(cls, services: SourceServices) -> Self:
        return cls(services)

    @property
    def origin(self) -> str:
        return self._services.settings.ncbi_url

    def pages(self, request: SourceRequest, since: datetime | None, cursor: str | None) -> Iterator[Page]:
        """Records that match the query; with `since` those modified on the day before it or later."""
        return self._entrez.pages(self._term(request), since, cursor)

    def again(self, doc_ids: Sequence[str]) -> Iterator[Page]:
        """The records of these ids."""
        return self._entrez.again([self._number(doc_id) for doc_id in doc_ids])

    def _term(self, request: SourceRequest) -> str:
        """Entrez's term for a request; raises UsageError for one without a query."""
        return required_query(request, "--query 'EGFR[Title]'")

    def _number(self, doc_id: str) -> str:
        """The number of a document in its database."""
        return doc_id
