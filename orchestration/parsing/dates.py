"""Dates of records as ISO dates that are as precise as the record is.

Comes in: year, month and day as a record writes them. Leaves: '2021-03-04', '2021-03' or '2021'.
"""

from __future__ import annotations

from calendar import monthrange
from typing import Final

__all__ = ["iso_date"]

_MONTHS: Final = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")


def iso_date(year: str, month: str, day: str) -> str:
    """The ISO date of a year of four digits, a month as a number or an English name, and a day.

    The month is left out if it is a season or a range of months, the day if the month has no such day.
    """
    number = _month_number(month)
    if not 1 <= number <= 12:
        return year
    if not (day.isdecimal() and 1 <= int(day) <= monthrange(int(year), number)[1]):
        return f"{year}-{number:02}"
    return f"{year}-{number:02}-{int(day):02}"


def _month_number(month: str) -> int:
    """3 for '03', 'Mar', 'Mar.' and 'March'; 0 for what is not one month."""
    if month.isdecimal():
        return int(month)
    name = month.rstrip(".")
    short = name[:3].lower()
    return _MONTHS.index(short) + 1 if short in _MONTHS and name.isalpha() else 0
