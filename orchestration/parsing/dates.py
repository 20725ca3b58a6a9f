"""Dates of records as ISO dates that are as precise as the record is.

Comes in: year, month and day as a record writes them, in parts or in words. Leaves: '2021-03-04', '2021-03'
or '2021'; of a range its begin. A season is no month: it depends on the hemisphere.
"""

from __future__ import annotations

import re
from calendar import monthrange
from typing import Final

__all__ = ["date_in_words", "iso_date"]

_MONTHS: Final = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_RANGE: Final = r"\s*(?:[-‐‑‒–—−/&]|\bto\b|\band\b)\s*"
_IN_A_RANGE: Final = re.compile(_RANGE)
_DAY_NUMBER: Final = re.compile(r"\s*(\d{1,2})(?!\d)")
_YEAR: Final = r"(?<!\d)(?:1[5-9]|2[01])\d\d(?!\d)"
_MONTH: Final = rf"(?:{'|'.join(_MONTHS)})[a-z]{{0,6}}\b\.?"
_DAY: Final = r"\d{1,2}(?:st|nd|rd|th)?"
_ANY_YEAR: Final = re.compile(_YEAR)
_OVER_YEARS: Final = re.compile(
    rf"(?P<year>{_YEAR})\s*[-‐‑‒–—−/]\s*(?P<next>\d{{4}}(?!\d)|\d\d(?=[\s,]+[A-Za-z]))[\s,]*(?P<month>{_MONTH})?"
    rf"(?:{_RANGE}(?P<last>{_MONTH}))?",
    re.IGNORECASE,
)
"""'1999/2000 Dec-Jan': the range of months begins in the first year if it passes the end of a year."""

_IN_WORDS: Final = (
    re.compile(r"\s*(?P<year>\d{4})-(?P<month>\d\d)(?:-(?P<day>\d\d))?(?!\d)"),
    re.compile(
        rf"(?P<year>{_YEAR})[\s,]+(?P<month>{_MONTH})(?:\s+(?P<day>\d{{1,2}})(?![\d/]))?", re.IGNORECASE
    ),
    re.compile(
        rf"(?:(?<![\w/.-])(?P<day>{_DAY})(?:{_RANGE}{_DAY})?\s+(?:of\s+)?)?\b(?P<month>{_MONTH})"
        rf"(?:\s+(?P<day_behind>{_DAY}))?(?:{_RANGE}(?:{_DAY}\s+)?(?:{_MONTH})?(?:\s*{_DAY})?)?"
        rf"[\s,]*(?P<year>{_YEAR})",
        re.IGNORECASE,
    ),
)
"""'2010-03-05'; '2010 Mar 5', '1998 Dec-1999 Jan'; '5 March 2010', 'March 5, 2010', 'Jul-Aug 2010'."""


def iso_date(year: str, month: str, day: str) -> str:
    """The ISO date of a year of four digits, a month as a number or an English name, and a day.

    Of a range of months ('Jul-Aug') the first is taken, without a day. The month is left out if it is a
    season, the day if the month has no such day.
    """
    first, *others = _IN_A_RANGE.split(month.strip(), maxsplit=1)
    number = _month_number(first)
    if not 1 <= number <= 12:
        return year
    days = _DAY_NUMBER.match(day)
    if others or not days or not 1 <= int(days[1]) <= monthrange(int(year), number)[1]:
        return f"{year}-{number:02}"
    return f"{year}-{number:02}-{int(days[1]):02}"


def date_in_words(words: str) -> str:
    """The date that words state, '5 March 2010' or 'Jul-Aug 2010'; the year alone where no month adjoins it.

    Numbers with slashes are not read, since the order of day and month differs by country. '' without a year.
    """
    over_years = _OVER_YEARS.match(words.strip())
    if over_years is not None and _follows(over_years["year"], over_years["next"]):
        return _begin_over_years(over_years)
    matches = filter(None, (pattern.search(words) for pattern in _IN_WORDS))
    match = min(matches, key=lambda part: part.start(), default=None)
    if match is None:
        any_year = _ANY_YEAR.search(words)
        return any_year.group() if any_year else ""
    parts = match.groupdict()
    return iso_date(parts["year"], parts["month"], parts["day"] or parts.get("day_behind") or "")


def _follows(year: str, following: str) -> bool:
    """Whether a second year, of four digits or two, is later than the first: 1999/2000, 1999-00."""
    return year < following if len(following) == 4 else (int(year) + 1) % 100 == int(following)


def _begin_over_years(match: re.Match[str]) -> str:
    """The begin of a range over two years; the month only where it is certain which of the years it is of."""
    first, last = (_month_number(match[name] or "") for name in ("month", "last"))
    return f"{match['year']}-{first:02}" if last and last < first else match["year"]


def _month_number(month: str) -> int:
    """3 for '03', 'Mar', 'Mar.' and 'March'; 0 for what is not one month."""
    if month.isdecimal():
        return int(month)
    name = month.rstrip(".")
    short = name[:3].lower()
    return _MONTHS.index(short) + 1 if short in _MONTHS and name.isalpha() else 0
