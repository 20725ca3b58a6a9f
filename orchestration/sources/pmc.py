"""PMC's open-access articles over E-utilities: full text in JATS of a search, or its modified articles.

Comes in: a query in PMC's own language (`--query "EGFR[Title]"`); the open-access filter is added to it,
because PMC sends no text of other articles. Leaves: pages of articles. Their licence is metadata, which the
parser reads.

E-utilities can search, which neither PMC's cloud listing nor its OA service can, and efetch sends the XML of
the cloud service: https://www.nlm.nih.gov/pubs/techbull/jf26/jf26_Changes_to_PMC_ArtDsDistribServs_2026.html
(read 2026-11-28; the OA service and FTP were removed in August 2026).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Final, Self

from orchestration.contracts import Page, SourceRequest
from orchestration.sources.eutilities import EUtilities
from orchestration.sources.queries import required_query
from orchestration.sources.services import SourceServices

__all__ = ["PmcSource"]

PAGE_SIZE: Final = 25
"""Articles per batch: each has 100 to 500 kB."""

OPEN_ACCESS: Final = "open access[filter]"


class PmcSource:
    """The source plugin `pmc`: a PagedSource."""

    name = "pmc"
    format = "jats"

    def __init__(self, services: SourceServices, page_size: int = PAGE_SIZE) -> None:
        self._services = services
        self._entrez = EUtilities(services, "pmc", self.format, b"</pmc-articleset>", page_size)

    @classmethod
    def from_services(cls, services: SourceServices) -> Self:
        return cls(services)

    @property
    def origin(self) -> str:
        return self._services.settings.ncbi_url

    def pages(self, request: SourceRequest, since: datetime | None, cursor: str | None) -> Iterator[Page]:
        """Open articles that match the query; with `since` those modified on the day before it or later."""
        query = required_query(request, "--query 'EGFR[Title]'")
        term = f"({query}) AND {OPEN_ACCESS}" if query.strip() else OPEN_ACCESS
        return self._entrez.pages(term, since, cursor)

    def again(self, doc_ids: Sequence[str]) -> Iterator[Page]:
        """The articles of these PMC ids."""
        return self._entrez.again([doc_id.removeprefix("PMC") for doc_id in doc_ids])

    def address(self, doc_id: str) -> str:
        return f"https://pmc.ncbi.nlm.nih.gov/articles/{doc_id}/"
