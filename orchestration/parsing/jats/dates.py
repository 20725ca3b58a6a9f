"""The date of publication of a JATS article: the one that readers cite it by.

Comes in: the article-meta element. Leaves: the date of its issue, else of its appearance online, else of its
collection. Dates of receipt, update or retraction are no dates of publication. Each is read from its ISO
attribute and its elements, never from their joined text. Values of the attributes:
https://jats.nlm.nih.gov/archiving/tag-library/1.3/element/pub-date.html (read 2026-11-30).
"""

from __future__ import annotations

import re

from lxml import etree

from orchestration.parsing.dates import date_in_words, iso_date
from orchestration.parsing.xml.inline import child_text, inline_text
from orchestration.parsing.xml.trees import first_child

_YEAR = re.compile(r"(?<!\d)(?:1[5-9]|20)\d\d(?!\d)")
_ISO = re.compile(r"((?:1[5-9]|20)\d\d)(?:-?(\d\d))?(?:-?(\d\d))?(?!\d)")
_GREGORIAN = frozenset({"", "gregorian", "julian"})
_COMMON_ERA = frozenset({"", "ce", "ad", "common era", "anno domini"})
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
    """A Gregorian date by its ISO attributes, its elements or its words; '' without a year.

    An ISO date stands beside a year of another calendar (2563 of the Buddhist one), so it decides; the
    elements are taken where they are the same date more precisely.
    """
    words = first_child(date, "string-date")
    places = [part for part in (date, words, first_child(date, "year")) if part is not None]
    iso = next(filter(None, map(_iso_date, places)), "")
    if any(map(_has_other_calendar, places)):
        return iso
    stated = _by_elements(date)
    if not stated and words is not None:
        stated = _by_elements(words) or date_in_words(inline_text(words))
    return stated if stated.startswith(iso) else iso


def _iso_date(part: etree._Element) -> str:
    iso = _ISO.match((part.get("iso-8601-date") or "").strip())
    return iso_date(iso[1], iso[2] or "", iso[3] or "") if iso else ""


def _by_elements(date: etree._Element) -> str:
    """The date of the elements for its year, month or season (a range of months too) and day."""
    year = _YEAR.search(child_text(date, "year"))
    if year is None:
        return ""
    month = child_text(date, "month") or child_text(date, "season")
    return iso_date(year.group(), month, child_text(date, "day"))


def _has_other_calendar(part: etree._Element) -> bool:
    calendar = (part.get("calendar") or "").casefold()
    era = child_text(part, "era").casefold().replace(".", "")
    return calendar not in _GREGORIAN or era not in _COMMON_ERA


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
