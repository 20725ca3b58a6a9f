"""PubMed over E-utilities: citations with abstracts of a search, or its modified citations.

Comes in: a query in PubMed's own language (`--query "EGFR[Title] AND 2024:2026[pdat]"`). Leaves: pages of
PubmedArticle records, as efetch sends them. Their parser flags retracted and corrected articles.
"""

from __future__ import annotations

from orchestration.sources.entrez import EntrezSource

__all__ = ["PubmedSource"]


class PubmedSource(EntrezSource):
    """The source plugin `pubmed`: a PagedSource of citations."""

    name = "pubmed"
    format = "pubmed-xml"
    closing = b"</PubmedArticleSet>"
    page_size = 200
    """Records per batch: a megabyte or two."""

    def address(self, doc_id: str) -> str:
        return f"https://pubmed.ncbi.nlm.nih.gov/{doc_id}/"
