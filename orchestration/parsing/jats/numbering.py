"""The marks of the items of a list: numbers, letters, Roman numbers or dashes.

Comes in: the type of a list, the word before its numbers, and where it starts. Leaves: one mark per item.
Types: https://jats.nlm.nih.gov/archiving/tag-library/1.3/attribute/list-type.html (read 2026-11-30).
"""

from __future__ import annotations

from dataclasses import dataclass

from lxml import etree

_NUMBERED = frozenset({"order", "ordered", "arabic"})
_ROMAN = ((1000, "m"), (900, "cm"), (500, "d"), (400, "cd"), (100, "c"), (90, "xc"), (50, "l"), (40, "xl"),
          (10, "x"), (9, "ix"), (5, "v"), (4, "iv"), (1, "i"))  # fmt: skip
_MOST_ROMAN = 4000
_A = ord("a")


@dataclass(slots=True)
class Numbering:
    """The marks of one list; `number` is that of the last item so far."""

    list_type: str
    prefix_word: str
    number: int = 0

    @classmethod
    def of(cls, element: etree._Element, before: Numbering | None) -> Numbering:
        """The numbering of a list element, which goes on from `before` where it continues that list."""
        word = " ".join((element.get("prefix-word") or "").split())
        if before is None:
            return cls(element.get("list-type", ""), word)
        return cls(element.get("list-type") or before.list_type, word or before.prefix_word, before.number)

    def next_mark(self, label: str) -> str:
        """The mark of the next item: its own label, else its number or a dash; the prefix word before it."""
        self.number += 1
        mark = label or self._mark()
        if not self.prefix_word or label.startswith(self.prefix_word):
            return mark
        return self.prefix_word if mark == "-" else f"{self.prefix_word} {mark}"

    def _mark(self) -> str:
        if self.list_type in _NUMBERED:
            return f"{self.number}."
        kind, _, case = self.list_type.partition("-")
        if kind == "alpha":
            mark = _letters(self.number)
        elif kind == "roman":
            mark = _roman(self.number)
        else:
            return "-"
        return f"{mark.upper() if case == 'upper' else mark}."


def _letters(number: int) -> str:
    """'a' to 'z', then 'aa', as spreadsheets name columns."""
    letters = ""
    while number:
        number, place = divmod(number - 1, 26)
        letters = chr(_A + place) + letters
    return letters


def _roman(number: int) -> str:
    if number >= _MOST_ROMAN:
        return str(number)
    numeral = ""
    for value, sign in _ROMAN:
        count, number = divmod(number, value)
        numeral += sign * count
    return numeral
