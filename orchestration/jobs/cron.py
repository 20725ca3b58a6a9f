"""Cron expressions of schedules: five fields, as Dagster evaluates them.

Input: text such as `0 3 * * mon-fri`. Output: None, or what is wrong with which field. Dagster checks it
again when it loads a schedule; here the error can name file and line, and needs no import of dagster.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

__all__ = ["cron_problem"]

MONTHS: Final = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
DAYS: Final = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")


@dataclass(frozen=True, slots=True)
class _Field:
    name: str
    least: int
    most: int
    names: tuple[str, ...] = ()

    def number(self, text: str) -> int | None:
        """The value of a number or name; None if it is neither or out of bounds."""
        lower = text.lower()
        if lower in self.names:
            return self.names.index(lower) + self.least
        value = int(text) if re.fullmatch(r"[0-9]{1,2}", text) else None
        return value if value is not None and self.least <= value <= self.most else None

    def accepts(self, part: str) -> bool:
        """Whether one part of a list is valid: *, 5, 1-5, */10 or 1-30/10."""
        values, slash, step = part.partition("/")
        if slash and not (re.fullmatch(r"[0-9]{1,2}", step) and 0 < int(step) <= self.most):
            return False
        if values == "*":
            return True
        first, dash, last = values.partition("-")
        start, end = self.number(first), self.number(last) if dash else self.most
        return start is not None and end is not None and start <= end and bool(dash or not slash)


FIELDS: Final = (
    _Field("minute", 0, 59),
    _Field("hour", 0, 23),
    _Field("day of month", 1, 31),
    _Field("month", 1, 12, MONTHS),
    _Field("day of week", 0, 7, DAYS),
)


def cron_problem(expression: str) -> str | None:
    """What is wrong with a cron expression, and what would be valid; None if it is valid."""
    parts = expression.split()
    if len(parts) != len(FIELDS):
        names = ", ".join(field.name for field in FIELDS)
        return f"a cron expression has five fields ({names}), e.g. '0 3 * * *' for every day at 3:00"
    for field, text in zip(FIELDS, parts, strict=True):
        if not all(field.accepts(part) for part in text.split(",")):
            return (
                f"{text!r} is no {field.name}: use *, {field.least} to {field.most}, ranges (1-5), "
                "lists (1,3) or steps (*/10)"
            )
    return None
