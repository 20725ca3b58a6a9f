r"""Indices, powers and marks in MinerU's texts and tables: '45<sup>2</sup>', '12.3$^ { \mathrm { a } }$'.

Input: text on the line, set high and set low. Output: the line as `text_layer.marks` writes it, with marks of
citations and notes apart from what they stand behind ('12.3[a]') and powers with a caret ('10^6').
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from enum import Enum, auto
from typing import Any, Final, NamedTuple

from orchestration.pdf.text_layer.marks import Stretch, spelled

__all__ = ["Piece", "Place", "piece_of_formula", "pieces_of_cell", "written"]

_SCRIPT: Final = re.compile(
    r"(?:\{\s*\})?\s*(?P<sign>[\^_])\s*(?P<script>\{[^{}]*(?:\{[^{}]*\}[^{}]*)*\}|\\?\w+|\S)"
)
_STYLE: Final = re.compile(r"\\(?:mathrm|mathsf|mathbf|mathit|text|textrm|rm|bf|it|scriptstyle)\b")
_COMMAND: Final = re.compile(r"\\(?P<name>[A-Za-z]+|[%#&_])")
_SIGNS: Final = {
    "dagger": "†",
    "ddagger": "‡",
    "dag": "†",
    "ddag": "‡",
    "ast": "*",
    "star": "*",
    "S": "§",
    "P": "¶",
    "parallel": "‖",
    "circ": "°",
    "prime": "′",
    "%": "%",
    "#": "#",
    "&": "&",
    "_": "_",
}
_WORDS: Final = re.compile(r"(\s+)")
_BEFORE_MARK: Final = re.compile(r"[\w)\]%]\Z")


class Place(Enum):
    """Where a piece stands: on the line, above it or below it."""

    LINE = auto()
    HIGH = auto()
    LOW = auto()


class Piece(NamedTuple):
    """Characters that stand in one place."""

    text: str
    place: Place


def piece_of_formula(formula: str) -> Piece | None:
    """The piece of a formula that is only an index or only what is set high; None for every other one."""
    script = _SCRIPT.fullmatch(formula.strip())
    if script is None:
        return None
    plain = _STYLE.sub("", script["script"])
    if any(command["name"] not in _SIGNS for command in _COMMAND.finditer(plain)):
        return None
    plain = _COMMAND.sub(lambda command: _SIGNS[command["name"]], plain)
    plain = "".join(plain.translate({ord("{"): None, ord("}"): None}).split())
    if not plain or "^" in plain:
        return None
    return Piece(plain, Place.HIGH if script["sign"] == "^" else Place.LOW)


def pieces_of_cell(cell: Any) -> Iterator[Piece]:
    """The pieces of a cell of an HTML table, in order; <br> is a blank."""
    if cell.text:
        yield Piece(cell.text, Place.LINE)
    for child in cell:
        if child.tag in ("sup", "sub"):
            place = Place.HIGH if child.tag == "sup" else Place.LOW
            yield Piece(" ".join(str(child.text_content()).split()), place)
        elif child.tag == "eq":
            formula = str(child.text_content())
            yield piece_of_formula(formula) or Piece(formula.strip(), Place.LINE)
        elif child.tag == "br":
            yield Piece(" ", Place.LINE)
        elif isinstance(child.tag, str):
            yield from pieces_of_cell(child)
        if child.tail:
            yield Piece(child.tail, Place.LINE)


def written(pieces: Iterable[Piece]) -> str:
    """The pieces as one line; white space is kept, but for a blank between a word and its mark."""
    line = _Line()
    for text, place in pieces:
        if place is Place.LINE:
            line.add(text)
        elif place is Place.LOW:
            line.add_low(text)
        elif text:
            line.add_high(text)
    return line.text()


class _Line:
    """A line whose last word may still get marks."""

    def __init__(self) -> None:
        self._done: list[str] = []
        self._word: list[Stretch] = []

    def add(self, text: str) -> None:
        for number, part in enumerate(_WORDS.split(text)):
            if number % 2:
                self._end_word()
                self._done.append(part)
            elif part:
                self._word.append(Stretch(part, raised=False))

    def add_low(self, text: str) -> None:
        """An index follows its word at once: CO2; a number after a number gets a sign between them."""
        before = self._word[-1].text if self._word else ""
        joint = "_" if before[-1:].isdigit() and text[:1].isdigit() else ""
        self._word.append(Stretch(f"{joint}{text}", raised=False))

    def add_high(self, text: str) -> None:
        """What is set high belongs to the word before it, also behind a blank of the converter."""
        if not self._word and len(self._done) > 1 and _BEFORE_MARK.search(self._done[-2]):
            self._done.pop()
            self._word.append(Stretch(self._done.pop(), raised=False))
        self._word.append(Stretch(text, raised=True))

    def text(self) -> str:
        self._end_word()
        return "".join(self._done)

    def _end_word(self) -> None:
        if self._word:
            self._done.append(spelled(self._word))
            self._word = []
