"""PMC's open-access articles over E-utilities: full text in JATS of a search, or its modified articles.

Comes in: a query in PMC's own language (`--query "EGFR[Title]"`); the open-access filter is added to it,
because PMC sends no text of other articles. Leaves: pages of articles. Their licence is metadata, which the
parser reads.

E-utilities can search, which neither PMC's cloud listing nor its OA service can, and efetch sends the XML of
the cloud service: https://www.nlm.nih.gov/pubs/techbull/jf26/jf26_Changes_to_PMC_ArtDsDistribServs_2026.html
(read 2026-11-28; the OA service and FTP were removed in August 2026).
"""

from __future__ import annotations

from typing import Final

from orchestration.contracts import SourceRequest
from orchestration.sources.entrez import EntrezSource

__all__ = ["PmcSource"]

OPEN_ACCESS: Final = "open access[filter]"


class PmcSource(EntrezSource):
    """The source plugin `pmc`: a PagedSource of open-access articles."""

    name = "pmc"
    format = "jats"
    closing = b"</pmc-articleset>"
    page_size = 25
    """Articles per batch: each has 100 to 500 kB."""

    def address(self, doc_id: str) -> str:
        return f"https://pmc.ncbi.nlm.nih.gov/articles/{doc_id}/"

    def _term(self, request: SourceRequest) -> str:
        query = super()._term(request)
        return f"({query}) AND {OPEN_ACCESS}" if query.strip() else OPEN_ACCESS

    def _number(self, doc_id: str) -> str:
        return doc_id.removeprefix("PMC")
