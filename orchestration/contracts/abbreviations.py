"""Abbreviations that a text defines itself: "acute liver failure (ALF)", and "ALF (acute liver failure)".

Comes in: any text. Leaves: short and long forms with their spans. A definition is taken where the letters of
the short form occur in order in the words before the parenthesis, the first one at the start of a word.
Source: Schwartz, Hearst: A simple algorithm for identifying abbreviation definitions, PSB 2003,
https://psb.stanford.edu/psb-online/proceedings/psb03/schwartz.pdf.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final, NamedTuple

__all__ = ["Abbreviation", "abbreviates", "abbreviations", "long_forms"]

MOST_SHORT: Final = 12
"""Characters of a short form."""
MOST_LONG: Final = 300
"""Characters before a parenthesis in which a long form is looked for."""

_PARENTHESIS: Final = re.compile(r"[(\[]([^()\[\]\n]{2,200})[)\]]")
_END_OF_FORM: Final = re.compile(r"[,;:=]| or ")
_BOUNDARY: Final = re.compile(r"[.;:!?]\s|[()\[\]\n]")
_WORD: Final = re.compile(r"\S+")
_QUOTES: Final = " \t'\"\u2018\u2019\u201c\u201d"


class Abbreviation(NamedTuple):
    """A definition: characters [short_start, short_end) stand for [long_start, long_end)."""

    short_start: int
    short_end: int
    long_start: int
    long_end: int


def abbreviations(text: str) -> list[Abbreviation]:
    """Definitions in the order of the text. Linear in the length of the text."""
    return list(_definitions(text))


def long_forms(text: str) -> dict[str, str]:
    """Long form by short form, each as written; of several definitions of a short form the first one."""
    forms: dict[str, str] = {}
    for each in _definitions(text):
        forms.setdefault(text[each.short_start : each.short_end], text[each.long_start : each.long_end])
    return forms


def abbreviates(short: str, long: str) -> bool:
    """Whether a form may stand for a name: its letters in order, the first at the start of the name."""
    return _is_short(short) and short.lower() != short and _long_start(long, short, 0, len(long)) == 0


def _definitions(text: str) -> Iterator[Abbreviation]:
    for match in _PARENTHESIS.finditer(text):
        start, end = _trimmed(text, match.start(1), match.end(1))
        cut = _END_OF_FORM.search(text, start, end)
        inner_end = _trimmed(text, start, cut.start())[1] if cut else end
        before = _before(text, match.start())
        if _is_short(text[start:inner_end]):
            long_start = _long_start(text, text[start:inner_end], *before)
            if long_start is not None:
                yield Abbreviation(start, inner_end, long_start, before[1])
        elif words := list(_WORD.finditer(text, *before)):
            short_start, short_end = _trimmed(text, words[-1].start(), words[-1].end())
            short = text[short_start:short_end]
            written_as_form = _is_short(short) and short.lower() != short
            if written_as_form and _long_start(text, short, start, end) == start:
                yield Abbreviation(short_start, short_end, start, end)


def _trimmed(text: str, start: int, end: int) -> tuple[int, int]:
    while start < end and text[start] in _QUOTES:
        start += 1
    while end > start and text[end - 1] in _QUOTES:
        end -= 1
    return start, end


def _before(text: str, parenthesis: int) -> tuple[int, int]:
    """The part of the sentence before a parenthesis."""
    start = max(0, parenthesis - MOST_LONG)
    for boundary in _BOUNDARY.finditer(text, start, parenthesis):
        start = boundary.end()
    return _trimmed(text, start, parenthesis)


def _is_short(form: str) -> bool:
    return (
        2 <= len(form) <= MOST_SHORT
        and len(form.split()) <= 2
        and form[0].isalnum()
        and any(map(str.isalpha, form))
    )


def _long_start(text: str, short: str, start: int, end: int) -> int | None:
    """Where the long form of `short` starts, which ends at `end`; None if its letters are not there."""
    words = list(_WORD.finditer(text, start, end))
    most = min(len(short) + 5, 2 * len(short))
    if len(words) > most:
        start = words[-most].start()
    place = end
    for position in range(len(short) - 1, -1, -1):
        letter = short[position].lower()
        if not letter.isalnum():
            continue
        place -= 1
        while place >= start and not (
            text[place].lower() == letter and (position > 0 or _starts_word(text, place, start))
        ):
            place -= 1
        if place < start:
            return None
    long_form = text[place:end]
    return place if len(long_form) > len(short) and short not in long_form.split() else None


def _starts_word(text: str, place: int, start: int) -> bool:
    return place == start or not text[place - 1].isalnum()
