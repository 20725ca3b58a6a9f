"""PubMed over E-utilities: citations with abstracts of a search, or its modified citations.

Comes in: a query in PubMed's own language (`--query "EGFR[Title] AND 2024:2026[pdat]"`). Leaves: pages of
PubmedArticle records, as efetch sends them. Their parser flags retracted and corrected articles.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Final, Self

from orchestration.contracts import Page, SourceRequest
from orchestration.sources.eutilities import EUtilities
from orchestration.sources.queries import required_query
from orchestration.sources.services import SourceServices

__all__ = ["PubmedSource"]

PAGE_SIZE: Final = 200
"""Records per batch: a megabyte or two."""


class PubmedSource:
    """The source plugin `pubmed`: a PagedSource."""

    name = "pubmed"
    format = "pubmed-xml"

    def __init__(self, services: SourceServices, page_size: int = PAGE_SIZE) -> None:
        self._services = services
        self._entrez = EUtilities(services, "pubmed", self.format, b"</PubmedArticleSet>", page_size)

    @classmethod
    def from_services(cls, services: SourceServices) -> Self:
        return cls(services)

    @property
    def origin(self) -> str:
        return self._services.settings.ncbi_url

    def pages(self, request: SourceRequest, since: datetime | None, cursor: str | None) -> Iterator[Page]:
        """Citations that match the query; with `since` those modified on the day before it or later."""
        return self._entrez.pages(required_query(request, "--query 'EGFR[Title]'"), since, cursor)

    def again(self, doc_ids: Sequence[str]) -> Iterator[Page]:
        """The citations of these PMIDs."""
        return self._entrez.again(doc_ids)

    def address(self, doc_id: str) -> str:
        return f"https://pubmed.ncbi.nlm.nih.gov/{doc_id}/"
