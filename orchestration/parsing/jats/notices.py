"""Retractions, corrections and concerns of a JATS article, and which article a notice is about.

Comes in: the article. Leaves: the flags of `pubmed.notices` that the article states: publishers seldom
change the article itself, so no flag is ever false. Values of article-type and related-article-type:
https://jats.nlm.nih.gov/archiving/tag-library/1.1d2/attribute/related-article-type.html (read 2026-11-28),
and what publishers use for concerns.
"""

from __future__ import annotations

import re
from typing import Any, Final

from lxml import etree

from orchestration.parsing.jats.parts import parts_text
from orchestration.parsing.notices import articles_by_kind, weightiest
from orchestration.parsing.text_builder import one_line

_HREF = "{http://www.w3.org/1999/xlink}href"
_DOI_RESOLVER = re.compile(r"\A(?:https?://(?:dx\.)?doi\.org/|info:doi/|doi:\s*)", re.IGNORECASE)
_RELATED: Final = ("{*}related-article", "{*}related-object")
_NOTICE_TYPES: Final = {
    "retraction": "retraction",
    "partial-retraction": "retraction",
    "correction": "correction",
    "expression-of-concern": "expression-of-concern",
}
_SUBJECTS: Final = {
    "retracted-article": "retraction",
    "corrected-article": "correction",
    "object-of-concern": "expression-of-concern",
}


def notices_metadata(root: etree._Element) -> dict[str, Any]:
    """`is_retracted`, `is_corrected`, the notices behind them, and the articles that a notice is about."""
    links = [link for meta in root.findall("{*}front/{*}article-meta") for link in _links(meta)]
    kinds = {kind for kind, _ in links}
    subjects = [(_SUBJECTS[kind], article) for kind, article in links if kind in _SUBJECTS]
    notice = _NOTICE_TYPES.get(root.get("article-type", ""))
    if notice is not None:
        notice = weightiest({notice, *(kind for kind, _ in subjects)})
    notice_of, others = articles_by_kind(notice, subjects if notice else [])
    return {
        "is_retracted": True if "retraction-forward" in kinds else None,
        "is_corrected": True if "correction-forward" in kinds else None,
        "retracted_by": _behind(links, {"retraction-forward"}),
        "corrected_by": _behind(links, {"correction-forward"}),
        "notice": notice,
        "notice_of": notice_of,
        "other_notices": others,
    }


def related_articles(meta: etree._Element) -> list[dict[str, str]]:
    """The articles and objects that an article names as related, in order: {type, article, citation}."""
    return [
        {"type": kind, "article": article, "citation": citation if citation != article else ""}
        for link, (kind, article) in zip(meta.iterchildren(*_RELATED), _links(meta), strict=True)
        if (citation := parts_text(link)) or article
    ]


def _links(meta: etree._Element) -> list[tuple[str, str]]:
    return [
        (link.get("related-article-type") or link.get("link-type") or "", _linked(link))
        for link in meta.iterchildren(*_RELATED)
    ]


def _linked(link: etree._Element) -> str:
    """The other article's DOI, id or address, else its citation."""
    href = _DOI_RESOLVER.sub("", one_line(link.get(_HREF) or ""))
    return href or parts_text(link)


def _behind(links: list[tuple[str, str]], kinds: set[str]) -> list[str]:
    return list(dict.fromkeys(text for kind, text in links if kind in kinds and text))
