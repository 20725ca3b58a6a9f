"""The year of publication of a JATS article: the one that readers cite it by.

Comes in: the article-meta element. Leaves: the year of its issue, else of its appearance online, else of its
collection. Dates of receipt, update or retraction are no years of publication. Values of the attributes:
https://jats.nlm.nih.gov/archiving/tag-library/1.3/element/pub-date.html (read 2026-11-30).
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from lxml import etree

from orchestration.parsing.text_builder import one_line
from orchestration.parsing.xml_inline import inline_text

_YEAR = re.compile(r"(?<!\d)(1[5-9]|20)\d\d(?!\d)")
_PUBLISHED = frozenset({"pub", "publication", "published", "release", ""})
_ORDER = ("print", "epub-ppub", "electronic", "collection", "preprint", "other")
_KINDS = {
    "ppub": "print",
    "epub-ppub": "epub-ppub",
    "epub": "electronic",
    "collection": "collection",
    "ecollection": "collection",
    "epreprint": "preprint",
    "preprint": "preprint",
    "pmc-release": "other",
    "nihms-submitted": "other",
}


def publication_year(meta: etree._Element) -> str | None:
    """The year, or None if no date of publication states one."""
    years: dict[str, str] = {}
    for date in meta.iterchildren("{*}pub-date"):
        kind, year = _kind(date), date_year(date)
        if kind is not None and year is not None:
            years.setdefault(kind, year)
    return next((years[kind] for kind in _ORDER if kind in years), None)


def date_year(date: etree._Element) -> str | None:
    """The year of a date by its elements, else its ISO form, else its words."""
    for text in _statements(date):
        match = _YEAR.search(text)
        if match:
            return match.group()
    return None


def _statements(date: etree._Element) -> Iterator[str]:
    for year in date.iter("{*}year"):
        yield one_line(inline_text(year))
    yield date.get("iso-8601-date") or ""
    for words in date.iterchildren("{*}string-date"):
        yield one_line(inline_text(words))


def _kind(date: etree._Element) -> str | None:
    """What is dated: print, electronic, collection, ...; None for what is no publication."""
    stated = (date.get("pub-type") or date.get("date-type") or "").casefold()
    if stated in _KINDS:
        return _KINDS[stated]
    if stated not in _PUBLISHED:
        return None
    medium = (date.get("publication-format") or "").casefold()
    return "print" if "print" in medium else "electronic"
