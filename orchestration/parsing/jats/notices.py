"""Retractions, corrections and concerns of a JATS article, and which article a notice is about.

Comes in: the article. Leaves: the flags of `pubmed.notices` that the article states: publishers seldom
change the article itself, so no flag is ever false. Values of article-type and related-article-type:
https://jats.nlm.nih.gov/archiving/tag-library/1.1d2/attribute/related-article-type.html (read 2026-11-28),
and what publishers use for concerns.
"""

from __future__ import annotations

from typing import Any, Final

from lxml import etree

from orchestration.parsing.text_builder import one_line
from orchestration.parsing.xml.inline import inline_text

_HREF = "{http://www.w3.org/1999/xlink}href"
_DOI_RESOLVERS = ("https://doi.org/", "http://doi.org/", "https://dx.doi.org/", "http://dx.doi.org/")
_NOTICE_TYPES: Final = {
    "retraction": "retraction",
    "partial-retraction": "retraction",
    "correction": "correction",
    "expression-of-concern": "expression-of-concern",
}
_SUBJECTS: Final = frozenset({"retracted-article", "corrected-article", "object-of-concern"})


def notices_metadata(root: etree._Element) -> dict[str, Any]:
    """`is_retracted`, `is_corrected`, the notices behind them, and the article that a notice is about."""
    links = [
        (link.get("related-article-type", ""), _linked(link))
        for link in root.iterfind("{*}front/{*}article-meta/{*}related-article")
    ]
    kinds = {kind for kind, _ in links}
    notice = _NOTICE_TYPES.get(root.get("article-type", ""))
    return {
        "is_retracted": True if "retraction-forward" in kinds else None,
        "is_corrected": True if "correction-forward" in kinds else None,
        "retracted_by": _behind(links, {"retraction-forward"}),
        "corrected_by": _behind(links, {"correction-forward"}),
        "notice": notice,
        "notice_of": _behind(links, _SUBJECTS) if notice else [],
    }


def _linked(link: etree._Element) -> str:
    """The other article's DOI, id or address, else its citation."""
    href = one_line(link.get(_HREF) or "")
    for resolver in _DOI_RESOLVERS:
        href = href.removeprefix(resolver)
    return href or one_line(inline_text(link))


def _behind(links: list[tuple[str, str]], kinds: set[str] | frozenset[str]) -> list[str]:
    return list(dict.fromkeys(text for kind, text in links if kind in kinds and text))
