"""Retractions, corrections and concerns of a PubMed article, and which article a notice is about.

Comes in: a PubmedArticle. Leaves: flags for filters (retracted, corrected, under an expression of concern)
with the PMIDs of the notices, or their citations where they have none. Types of links and of publications:
https://www.nlm.nih.gov/bsd/licensee/elements_descriptions.html and pubmed_250101.dtd (read 2026-11-28).
"""

from __future__ import annotations

from typing import Any, Final

from lxml import etree

from orchestration.parsing.notices import articles_by_kind, weightiest
from orchestration.parsing.text_builder import one_line
from orchestration.parsing.xml.inline import inline_text

_RETRACTED_BY: Final = frozenset({"RetractionIn", "RetractedandRepublishedIn", "PartialRetractionIn"})
_CORRECTED_BY: Final = frozenset({"ErratumIn", "CorrectedandRepublishedIn"})
_DOUBTED_BY: Final = frozenset({"ExpressionOfConcernIn"})
_UPDATED_BY: Final = frozenset({"UpdateIn", "RepublishedIn"})
_NOTICES: Final = {
    "RetractionOf": "retraction",
    "RetractedandRepublishedFrom": "retraction",
    "PartialRetractionOf": "retraction",
    "ErratumFor": "correction",
    "CorrectedandRepublishedFrom": "correction",
    "ExpressionOfConcernFor": "expression-of-concern",
}
_RETRACTED_TYPE: Final = "Retracted Publication"
_NOTICE_TYPES: Final = {
    "Retraction of Publication": "retraction",
    "Retraction Notice": "retraction",
    "Published Erratum": "correction",
    "Corrected and Republished Article": "correction",
    "Expression of Concern": "expression-of-concern",
}


def notices_metadata(article: etree._Element) -> dict[str, Any]:
    """Flags that are always present, and the publications that PubMed links as their reason.

    `notice` is the kind of notice that the article itself is, the weightiest of several; `notice_of` are the
    articles that it is about, `other_notices` those that it is about in another way, by the kind.
    """
    links = [
        (link.get("RefType", ""), _linked(link))
        for link in article.iterfind(".//{*}CommentsCorrectionsList/{*}CommentsCorrections")
    ]
    types = [one_line(inline_text(kind)) for kind in article.iter("{*}PublicationType")]
    kinds = [_NOTICES[kind] for kind, _ in links if kind in _NOTICES]
    kinds += [_NOTICE_TYPES[kind] for kind in types if kind in _NOTICE_TYPES]
    notice = weightiest(kinds)
    subjects, others = articles_by_kind(
        notice, [(_NOTICES[kind], article) for kind, article in links if kind in _NOTICES]
    )
    linked_kinds = {kind for kind, _ in links}
    return {
        "is_retracted": _RETRACTED_TYPE in types or bool(linked_kinds & _RETRACTED_BY),
        "is_corrected": bool(linked_kinds & _CORRECTED_BY),
        "has_expression_of_concern": bool(linked_kinds & _DOUBTED_BY),
        "retracted_by": _behind(links, _RETRACTED_BY),
        "corrected_by": _behind(links, _CORRECTED_BY),
        "concern_raised_by": _behind(links, _DOUBTED_BY),
        "updated_by": _behind(links, _UPDATED_BY),
        "notice": notice,
        "notice_of": subjects,
        "other_notices": others,
    }


def _linked(link: etree._Element) -> str:
    for name in ("PMID", "RefSource"):
        element = link.find(f"{{*}}{name}")
        text = one_line(inline_text(element)) if element is not None else ""
        if text:
            return text
    return ""


def _behind(links: list[tuple[str, str]], kinds: frozenset[str]) -> list[str]:
    return list(dict.fromkeys(text for kind, text in links if kind in kinds and text))
