"""Pieces of inline text joined to runs: each run is one text, one superscript, one subscript or one mark.

Input: the pieces of a line in reading order, each with its level. Output: runs, in which what a publisher
splits over several elements is one again: the marks of a list or a range, a mark and the brackets set high
around it, a power in two superscripts, a fraction of a superscript and a subscript.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from enum import IntEnum


class Level(IntEnum):
    """The line that a piece stands on, or that it is a mark."""

    TEXT = 0
    HIGH = 1
    LOW = 2
    MARK = 3
    HIGH_MARK = 4
    """A mark that is set high, or that names a footnote: brackets on the line around it are not its own."""

    @property
    def is_mark(self) -> bool:
        return self >= Level.MARK


Piece = tuple[Level, str]

DASHES = r"\-‐‑‒–—−"
_BETWEEN_MARKS = re.compile(rf"\s*[,;{DASHES}]\s*")
_MORE_MARKS = re.compile(rf"[,;{DASHES}]\s*\w[\w,;\s{DASHES}]*")
_MARKS_BEFORE = re.compile(rf"\w+(?:\s*[,;{DASHES}]\s*\w+)*\s*[,;{DASHES}]\s*")
_NUMBER_BEFORE_MARK = re.compile(r"(\d{1,2})(\s*[,;]\s*)")
_BEFORE_MARK = re.compile(
    rf"\s*+(?P<script>\d{{1,2}}|[{DASHES}+]\s*\d{{1,3}}(?:\.\d+)?|\d{{1,2}}\.\d+|(?:\d\d?\s*)?\+|\d\s*[{DASHES}]"
    rf"|[*†‡§¶#®™©°]+|st|nd|rd|th|[nkt])\s*+(?P<separator>[,;]?)\s*+(?P<bracket>[(\[]?)\s*+"
)
_OPENING = re.compile(r"([(\[])\s*\Z")
_CLOSING = re.compile(r"\A\s*+([)\]])")
_IN_BRACKETS = re.compile(r"\([^()\[\]]*\)|\[[^()\[\]]*\]")
_NUMERATOR = re.compile(r"\s*+(\d{1,3})\s*+([/⁄∕]?)\s*+")
_SLASH = re.compile(r"\s*[/⁄∕]\s*")
_DENOMINATOR = re.compile(r"\s*+([/⁄∕]?)\s*+(\d{1,4})\s*+")
_SCRIPT_AT_END = re.compile(rf"[\^_][{DASHES}+]?[\w.]+\Z")
_CHARGE = re.compile(rf"\d?\s*[{DASHES}]")
_ION = re.compile(r"(?<!\w)[A-Z][a-z]?\Z")
_LAST_WORD = re.compile(r"[^\W\d_]+\Z")
TEN = re.compile(r"(?<![\d.,])10\Z")
LENGTHS = frozenset({"m", "km", "cm", "dm", "mm", "µm", "μm", "nm", "ft", "in", "s", "Å"})
"""Units that have squares and cubes."""


def joined(pieces: Iterable[Piece]) -> list[Piece]:
    """The runs of a line."""
    return _with_fractions(_with_high_brackets(_joined(pieces)))


def marks_alone(pieces: Iterable[Piece]) -> str:
    """The pieces of a mark, e.g. of a superscript that holds references: '1,2–4'."""
    return "".join(text for _, text in _joined([(Level.MARK, text) for _, text in pieces if text]))


def with_marks_joined(runs: Iterable[Piece]) -> list[Piece]:
    """Runs in which marks directly behind each other are one mark, with commas between them."""
    line: list[Piece] = []
    for level, text in runs:
        if level.is_mark and line and line[-1][0].is_mark:
            _add_mark(line, level, text)
        else:
            line.append((level, text))
    return line


def _joined(pieces: Iterable[Piece]) -> list[Piece]:
    """Pieces of one level as one; marks with only a comma or a dash between them as one mark.

    A superscript element behind the power of another one is a separate run: m<sup>2</sup><sup>a</sup>.
    """
    runs: list[Piece] = []
    for level, text in pieces:
        if not text:
            continue
        if level.is_mark:
            _add_mark(runs, level, text)
            continue
        previous, before = runs[-1] if runs else (None, "")
        if (previous is level and not _is_second_script(runs, level, text)) or (
            previous is not None and previous.is_mark and level is Level.HIGH and _MORE_MARKS.fullmatch(text)
        ):
            runs[-1] = (runs[-1][0], before + _apart(before, text, level) + text)
        else:
            runs.append((level, text))
    return runs


def _is_second_script(runs: Sequence[Piece], level: Level, text: str) -> bool:
    """Whether a superscript stands behind another one that ends with a digit and belongs to a base."""
    if level is not Level.HIGH or len(runs) < 2 or not (runs[-1][1][-1].isdigit() and text[0].isalnum()):
        return False
    base, before = runs[-2]
    return not base.is_mark and not before[-1].isspace() and before[-1] not in "([{/-–—"


def _apart(before: str, after: str, level: Level) -> str:
    """A blank between two texts of separate elements that would read as one number or one power."""
    if level is not Level.TEXT or not (before[-1].isalnum() and after[0].isalnum()):
        return ""
    is_number = before[-1].isdigit() and after[0].isdigit()
    return " " if is_number or _SCRIPT_AT_END.search(before[-16:]) else ""


def _add_mark(runs: list[Piece], height: Level, mark: str) -> None:
    """Append a mark to `runs`, joined with the marks before it."""
    level, text = runs[-1] if runs else (None, "")
    own_brackets = mark.startswith("[") or (len(runs) > 1 and runs[-2][1].endswith("]"))
    if level is not None and level.is_mark:
        comma = "," if text[-1:].isalnum() and mark[:1].isalnum() else ""
        runs[-1] = (level, f"{text}{comma}{mark}")
    elif len(runs) > 1 and runs[-2][0].is_mark and not own_brackets and _BETWEEN_MARKS.fullmatch(text):
        del runs[-1]
        runs[-1] = (runs[-1][0], f"{runs[-1][1]}{text}{mark}")
    elif level is Level.HIGH and _MARKS_BEFORE.fullmatch(text):
        power = _NUMBER_BEFORE_MARK.fullmatch(text)
        if len(runs) > 1 and _is_charge(text.strip(), runs[-2]):
            runs.append((height, mark))
        elif power and len(runs) > 1 and _takes_power(runs[-2][1], power[1]):
            runs[-1:] = [(Level.HIGH, power[1]), (Level.TEXT, power[2].rstrip()), (height, mark)]
        else:
            runs[-1] = (Level.HIGH_MARK, text + mark)
    else:
        runs.append((height, mark))


def _with_high_brackets(runs: list[Piece]) -> list[Piece]:
    """Brackets set high around a mark as part of it: `<sup>2(</sup>`, mark, `<sup>)</sup>`."""
    for number, (level, mark) in enumerate(runs):
        if not level.is_mark:
            continue
        opening = _high(runs, number - 1, _OPENING)
        closing = _high(runs, number + 1, _CLOSING)
        bracketed = (opening[1] if opening else "") + mark.strip() + (closing[1] if closing else "")
        if bracketed == mark.strip() or not _IN_BRACKETS.fullmatch(bracketed):
            continue
        runs[number] = (Level.HIGH_MARK, bracketed)
        if opening:
            runs[number - 1] = (Level.HIGH, opening.string[: opening.start()].rstrip())
        if closing:
            runs[number + 1] = (Level.HIGH, closing.string[closing.end() :])
    return [run for run in runs if run[1]]


def _high(runs: Sequence[Piece], number: int, pattern: re.Pattern[str]) -> re.Match[str] | None:
    is_high = 0 <= number < len(runs) and runs[number][0] is Level.HIGH
    return pattern.search(runs[number][1]) if is_high else None


def _with_fractions(runs: list[Piece]) -> list[Piece]:
    """Fractions of a superscript and a subscript as text, apart from what is beside them: 22 1/2."""
    line: list[Piece] = []
    number = 0
    while number < len(runs):
        fraction, length = _fraction(runs[number : number + 3])
        if not fraction:
            line.append(runs[number])
            number += 1
            continue
        number += length
        blank = " " if line and line[-1][1][-1].isalnum() else ""
        is_glued = number < len(runs) and runs[number][0] is Level.TEXT and runs[number][1][0].isalnum()
        line.append((Level.TEXT, f"{blank}{fraction}{' ' if is_glued else ''}"))
    return _joined(line)


def _fraction(runs: Sequence[Piece]) -> tuple[str, int]:
    """The fraction that `runs` start with and the number of its runs; '' for none."""
    if len(runs) < 2 or runs[0][0] is not Level.HIGH:
        return "", 0
    length = 2 if runs[1][0] is Level.LOW else 3
    if runs[length - 1 : length] == [] or runs[length - 1][0] is not Level.LOW:
        return "", 0
    has_slash = length == 3 and runs[1][0] is Level.TEXT and _SLASH.fullmatch(runs[1][1]) is not None
    above, below = _NUMERATOR.fullmatch(runs[0][1]), _DENOMINATOR.fullmatch(runs[length - 1][1])
    if above is None or below is None or [bool(above[2]), has_slash, bool(below[1])].count(True) != 1:
        return "", 0
    if length == 3 and not has_slash:
        return "", 0
    return f"{above[1]}/{below[2]}", length


def without_marks(runs: Sequence[Piece]) -> list[Piece]:
    """Runs without the marks, and without the brackets on the line that hold only marks."""
    rest: list[Piece] = []
    is_after_mark = False
    for run in runs:
        if run[0].is_mark:
            is_after_mark = True
            continue
        rest.extend(_without_brackets(rest.pop(), run) if is_after_mark and rest else [run])
        is_after_mark = False
    return _joined(rest)


def _without_brackets(before: Piece, after: Piece) -> list[Piece]:
    """The runs around a mark that was dropped, without the brackets that stood directly around it."""
    opening, closing = _OPENING.search(before[1]), _CLOSING.match(after[1])
    if opening is None or closing is None:
        return [before, after]
    return [(before[0], before[1][: opening.start()].rstrip()), (after[0], after[1][closing.end() :])]


def script_before_mark(base: Piece, text: str) -> tuple[str, str, str] | None:
    """The power or charge that shares a superscript with a mark, the comma and the bracket after it.

    None if there is none. `text` stands in the superscript before its first mark, `base` in front of it.
    """
    level, before = base
    match = _BEFORE_MARK.fullmatch(text)
    if match is None or not (before[-1:].isalnum() or before[-1:] in ")]"):
        return None
    script = match["script"]
    is_range = script[-1] in "-‐‑‒–—−" and not _is_charge(script, (level, before))
    is_no_power = script.isdigit() and not _takes_power(before, script)
    is_no_suffix = script.isalpha() and not before[-1].isdigit()
    if is_range or is_no_power or is_no_suffix:
        return None
    return script, match["separator"], match["bracket"]


def _is_charge(script: str, base: Piece) -> bool:
    """Whether a number with a dash is a charge (SO4^2−) rather than the start of a range of marks (2–4)."""
    if not _CHARGE.fullmatch(script):
        return False
    return script.endswith("−") or (base[0] is Level.TEXT and _ION.search(base[1]) is not None)


def _takes_power(base: str, number: str) -> bool:
    """Whether a bare high number is a power rather than a mark: after 10, a length, or one letter (R2)."""
    if TEN.search(base):
        return number != "1"
    word = last_word(base)
    return number in ("2", "3") and (word in LENGTHS or (len(word) == 1 and base == base.rstrip()))


def last_word(text: str) -> str:
    """The letters that a text ends with, '' if it ends otherwise."""
    match = _LAST_WORD.search(text[-24:])
    return match.group() if match else ""
