"""The date of publication of a JATS article: the one that readers cite it by.

Comes in: the article-meta element. Leaves: the date of its issue, else of its appearance online, else of its
collection. Dates of receipt, update or retraction are no dates of publication. Each is read from its
elements, never from their joined text. Values of the attributes:
https://jats.nlm.nih.gov/archiving/tag-library/1.3/element/pub-date.html (read 2026-11-30).
"""

from __future__ import annotations

import re

from lxml import etree

from orchestration.parsing.dates import iso_date
from orchestration.parsing.xml.inline import child_text, inline_text
from orchestration.parsing.xml.trees import first_child

_YEAR = re.compile(r"(?<!\d)(?:1[5-9]|20)\d\d(?!\d)")
_ISO = re.compile(r"((?:1[5-9]|20)\d\d)(?:-(\d\d))?(?:-(\d\d))?(?!\d)")
_PUBLISHED = frozenset({"pub", "publication", "published", "release", ""})
_PUBLICATION = re.compile(r"publ|pub\b|\bissue|online|version-of-record|ahead")
"""Signs of a publication in a type that no list names: 'original-publication', 'issue-pub', 'online'."""
_NO_PUBLICATION = re.compile(r"rece?i?v|accept|submi|updat|corr|retract|withdr|embargo|expir")
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


def dates_metadata(meta: etree._Element) -> dict[str, str | None]:
    """`year`, `date` ('2012-05-01', '2012-05' or '2012') and `electronic_date`, None where not stated."""
    dates: dict[str, str] = {}
    for date in meta.iterchildren("{*}pub-date"):
        kind, stated = _kind(date), date_of(date)
        if kind is not None and stated:
            dates.setdefault(kind, stated)
    published = next((dates[kind] for kind in _ORDER if kind in dates), None)
    return {
        "year": published[:4] if published else None,
        "date": published,
        "electronic_date": dates.get("electronic"),
    }


def date_of(date: etree._Element) -> str:
    """A date by its elements, else by its ISO attribute, else the year in its words; '' without a year."""
    year = _YEAR.search(child_text(date, "year"))
    if year:
        return iso_date(year.group(), child_text(date, "month"), child_text(date, "day"))
    iso = _ISO.match(date.get("iso-8601-date") or "")
    if iso:
        return iso_date(iso[1], iso[2] or "", iso[3] or "")
    words = first_child(date, "string-date")
    if words is None:
        return ""
    return date_of(words) if first_child(words, "year") is not None else _year_in(inline_text(words))


def _year_in(words: str) -> str:
    year = _YEAR.search(words)
    return year.group() if year else ""


def _kind(date: etree._Element) -> str | None:
    """What is dated: print, electronic, collection, ...; None for what is no publication."""
    stated = (date.get("pub-type") or date.get("date-type") or "").casefold()
    if stated in _KINDS:
        return _KINDS[stated]
    if stated not in _PUBLISHED and (_NO_PUBLICATION.search(stated) or not _PUBLICATION.search(stated)):
        return None
    if "issue" in stated:
        return "print"
    medium = (date.get("publication-format") or "").casefold()
    return "print" if "print" in medium else "electronic"
