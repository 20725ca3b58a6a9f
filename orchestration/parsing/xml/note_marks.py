"""Superscripts of a table that name its footnotes.

Input: the runs of a cell and the labels of the notes in the table's foot. Output: runs in which a superscript
of labels is a mark, and a power, a charge or a sign before them is one still: m<sup>2,a</sup> is m2,[a].
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from orchestration.parsing.xml.inline_runs import DASHES, LENGTHS, TEN, Level, Piece, last_word

_LABELS = re.compile(r"[^,;\s()\[\]]+")
_RANGE = re.compile(rf"([^{DASHES}]+)[{DASHES}]([^{DASHES}]+)")
_ORDINAL = re.compile(r"st|nd|rd|th")
_FIRST_NUMBER = re.compile(r"\s*(\d{1,2})(?!\d)")
_POWER_BEFORE_LABELS = re.compile(
    rf"\s*+(?P<power>[{DASHES}+]\s*\d{{1,3}}(?:\.\d+)?|\d{{1,2}}\.\d+|(?:\d\d?\s*)?[+{DASHES}]|\d{{1,2}}|[*†‡§¶#®™]+)"
    r"(?P<separator>\s*+[,;]?\s*+)(?P<labels>[^\s,;].*)",
    re.DOTALL,
)
_SIGNED_POWER = re.compile(rf"\s*[{DASHES}+]\s*\d+(?:\.\d+)?\s*")
_SIGNS = re.compile(r"[*†‡§¶#®™]+")
_ELEMENT = re.compile(r"[A-Z][a-z]?(?![A-Za-z])")
_LABELLED_ELEMENT = re.compile(r"H(?![A-Za-z.])|[A-Z][a-z]?(?![A-Za-z.])")
_DELTA = re.compile(r"(?<!\w)[δΔ]\Z")
_NAMED_SQUARE = r"[RrχΧηωτσε]|(?<=[a-z]{3})R|[Cc]hi|[Ee]ta"
_SQUARED_BY_NAME = re.compile(
    rf"(?:(?<![^\W\d_])|(?<=[ΔδΔ])|(?<=[a-z]{{3}}(?=R)))"
    rf"(?:{_NAMED_SQUARE}|(?<![^\W\d_]\s)[IXTQD]|(?<!\d\s)(?<!\d)[fhxy])\s*\Z"
)
"""Squared by name; a capital behind a word is its number (Stage I, Hepatitis D), 24 h a time."""

_SQUARED_WITH_INDEX = re.compile(r"(?<![^\W\d_])(?:[RrχΧηωτσε]|[Cc]hi|[Ee]ta)\s*\Z")


def with_note_marks(runs: Sequence[Piece], labels: frozenset[str]) -> Iterator[Piece]:
    """The runs, in which superscripts that name footnotes are marks: with a note 2, 45<sup>2</sup>.

    A number stays a power after 10, after a unit of length and after a statistic (R2).
    """
    for number, (level, text) in enumerate(runs):
        if level is not Level.HIGH or _is_of_isotope(runs, number):
            yield level, text
        else:
            yield from _divided(text, _Base.of(runs, number), labels)


class _Base:
    """What a superscript stands behind: the text and whether an index is between them."""

    def __init__(self, text: str, *, has_index: bool) -> None:
        self.text = text
        self.has_index = has_index

    @classmethod
    def of(cls, runs: Sequence[Piece], number: int) -> _Base:
        """The base of the superscript `runs[number]`; a power on a power has none."""
        place = number - 1
        has_index = place >= 0 and runs[place][0] is Level.LOW
        if has_index:
            place -= 1
        is_text = place >= 0 and runs[place][0] is Level.TEXT
        return cls(runs[place][1] if is_text else "", has_index=has_index)

    def takes(self, number: str) -> bool:
        """Whether a number that a note of the table has is a power all the same: 10^3, cm3, R2."""
        if self.has_index:
            return number == "2" and _SQUARED_WITH_INDEX.search(self.text) is not None
        if TEN.search(self.text):
            return True
        is_statistic = number == "2" and is_squared_by_name(self.text)
        return is_statistic or (number in ("2", "3") and last_word(self.text) in LENGTHS)

    def is_symbol(self) -> bool:
        """Whether the text ends with something that may have a signed power or a charge."""
        return self.has_index or self.text[-1:].isalnum() or self.text[-1:] in (")", "]")


def is_squared_by_name(text: str) -> bool:
    """Whether a text ends with the symbol of a statistic that is always a square: R2, χ2, I2."""
    return _SQUARED_BY_NAME.search(text[-12:]) is not None


def is_isotope(script: str, after: str) -> bool:
    """Whether a number belongs to the symbol of an element after it: 18 F, 3 H."""
    return script.isdigit() and bool(_ELEMENT.match(after)) and (len(script) > 1 or after[0] == "H")


def _is_of_isotope(runs: Sequence[Piece], number: int) -> bool:
    """Whether a superscript belongs to the element directly after it: 3H-thymidine, δ2H."""
    script = runs[number][1].strip()
    level, after = runs[number + 1] if number + 1 < len(runs) else (Level.TEXT, "")
    if level is not Level.TEXT or not is_isotope(script, after) or not _LABELLED_ELEMENT.match(after):
        return False
    before = runs[number - 1][1] if number else ""
    return not before[-1:].isalnum() or _DELTA.search(before) is not None


def _divided(text: str, base: _Base, labels: frozenset[str]) -> Iterator[Piece]:
    """The power and the marks of one superscript."""
    first = _FIRST_NUMBER.match(text)
    is_power = (first is not None and base.takes(first[1])) or _SIGNED_POWER.fullmatch(text) is not None
    marks = None if is_power else _as_marks(text, labels)
    if marks is not None:
        yield Level.HIGH_MARK, marks
        return
    match = None if _SIGNED_POWER.fullmatch(text) else _POWER_BEFORE_LABELS.fullmatch(text)
    marks = _as_marks(match["labels"], labels) if match is not None else None
    if match is None or marks is None or not _is_power_before(match, base):
        yield Level.HIGH, text
        return
    yield Level.HIGH, match["power"]
    if match["separator"].strip():
        yield Level.TEXT, match["separator"].rstrip()
    yield Level.HIGH_MARK, marks


def _is_power_before(match: re.Match[str], base: _Base) -> bool:
    """Whether what is before the labels of a superscript is a power, a charge or a sign, apart from them."""
    if match["labels"][0].isdigit() and not match["separator"]:
        return False
    power = match["power"]
    if power.isdigit():
        return base.takes(power)
    return _SIGNS.fullmatch(power) is not None or base.is_symbol()


def _as_marks(text: str, labels: frozenset[str]) -> str | None:
    """A superscript of labels with commas between them; None if it holds anything else."""
    parts: list[str] = []
    end = 0
    for match in _LABELS.finditer(text):
        mark = _as_mark(match.group(), labels)
        if mark is None:
            return None
        parts += [text[end : match.start()], mark]
        end = match.end()
    return "".join([*parts, text[end:]]) if parts else None


def _as_mark(text: str, labels: frozenset[str]) -> str | None:
    """One label, a range of them, or labels of one letter without commas."""
    if text in labels:
        return text
    ends = _RANGE.fullmatch(text)
    if ends is not None:
        return text if ends[1] in labels and ends[2] in labels else None
    is_series = text.isalnum() and len(set(text)) == len(text) and sum(map(str.isdigit, text)) < 2
    return ",".join(text) if is_series and labels.issuperset(text) and not _ORDINAL.fullmatch(text) else None
