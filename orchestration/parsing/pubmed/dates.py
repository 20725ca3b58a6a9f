"""Dates of PubMed records, read from their elements.

Comes in: PubDate, ArticleDate, ContributionDate and others, with Year, Month, Day, Season, or a MedlineDate
such as '1998 Dec-1999 Jan'. Leaves: ISO dates as precise as the record is. The text of the elements is never
joined: in files without white space between tags it would read '2021Mar04'.
"""

from __future__ import annotations

import re

from lxml import etree

from orchestration.parsing.dates import date_in_words, iso_date
from orchestration.parsing.pubmed.fields import field_text

__all__ = ["date_of", "first_date"]

_YEAR = re.compile(r"(?<!\d)(?:1[6-9]|20|21)\d\d(?!\d)")


def date_of(date: etree._Element | None) -> str:
    """'2021-03-04', '2021-03' or '2021'; '' without a year. Of a range its begin."""
    if date is None:
        return ""
    year = _YEAR.fullmatch(_child(date, "Year"))
    if year:
        month = _child(date, "Month") or _child(date, "Season")
        return iso_date(year.group(), month, _child(date, "Day"))
    return date_in_words(_child(date, "MedlineDate") or _child(date, "Year"))


def first_date(record: etree._Element, *paths: str) -> str:
    """The date of the first of these elements that has a year."""
    for path in paths:
        for element in record.iterfind(path):
            date = date_of(element)
            if date:
                return date
    return ""


def _child(date: etree._Element, name: str) -> str:
    return field_text(next(date.iterchildren(f"{{*}}{name}"), None))
