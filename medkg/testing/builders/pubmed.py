"""Records of PubMed: XML, and abstracts as JSON."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any


def an_abstract(pmid: str | int | None = "10000001", **fields: Any) -> dict[str, Any]:
    """A PubMed-style JSON record."""
    record = {
        "pmid": pmid,
        "title": "Walking and sleep",
        "year": "2020",
        "mesh": ["Sleep", "Walking"],
        "sections": [
            {"label": "METHODS", "text": "We followed 80 adults for 12 weeks."},
            {"label": "RESULTS", "text": "Walkers slept longer."},
        ],
    } | fields
    return {key: value for key, value in record.items() if value is not None}


def a_pubmed_article(
    pmid: str | None = "10000002",
    abstract: str = '<AbstractText Label="METHODS">We walked.</AbstractText>',
    title: str = "Walking and sleep.",
    types: Sequence[str] = ("Journal Article",),
    corrections: Sequence[str] = (),
) -> bytes:
    """One PubmedArticle element; `corrections` are its CommentsCorrections, see `a_correction`."""
    listed = "".join(f"<PublicationType>{name}</PublicationType>" for name in types)
    corrected = f"<CommentsCorrectionsList>{''.join(corrections)}</CommentsCorrectionsList>"
    identifier = f'<PMID Version="1">{pmid}</PMID>' if pmid else ""
    return (
        f"<PubmedArticle><MedlineCitation>{identifier}<Article><Journal><JournalIssue><PubDate>"
        f"<Year>2020</Year></PubDate></JournalIssue><Title>Journal of Walks</Title></Journal>"
        f"<ArticleTitle>{title}</ArticleTitle>"
        f"<Abstract>{abstract}</Abstract><PublicationTypeList>{listed}</PublicationTypeList></Article>"
        f"{corrected if corrections else ''}</MedlineCitation></PubmedArticle>"
    ).encode()


def a_correction(kind: str, pmid: str | None = None, source: str = "J Walks. 2021;2:9.") -> str:
    """A CommentsCorrections element: what another publication has to do with this one."""
    identifier = f'<PMID Version="1">{pmid}</PMID>' if pmid else ""
    return (
        f'<CommentsCorrections RefType="{kind}"><RefSource>{source}</RefSource>{identifier}'
        "</CommentsCorrections>"
    )


def a_pubmed_set(*articles: bytes) -> bytes:
    inside = b"\n".join(articles or (a_pubmed_article(),))
    return b'<?xml version="1.0" ?>\n<PubmedArticleSet>\n' + inside + b"\n</PubmedArticleSet>\n"
