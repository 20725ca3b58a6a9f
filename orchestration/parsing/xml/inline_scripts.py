"""Superscripts, subscripts and reference marks in one line of text.

Comes in: the pieces of a paragraph, a title or a cell, each with its level. Leaves: one string in which a
power stays a power (10^9/L), an index or a charge stays with its symbol (CO2, Ca2+), and a mark of a
reference or a footnote is set apart from what it stands beside: 500[7], growth[5,6]. No piece is dropped.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from enum import IntEnum


class Level(IntEnum):
    """The line that a piece stands on, or that it is a mark."""

    TEXT = 0
    HIGH = 1
    LOW = 2
    MARK = 3


Piece = tuple[Level, str]

_DASHES = r"\-‐‑‒–—−"
_BETWEEN_MARKS = re.compile(rf"\s*[,;{_DASHES}]\s*")
_MORE_MARKS = re.compile(rf"[,;{_DASHES}]\s*\w[\w,;\s{_DASHES}]*")
_MARKS_BEFORE = re.compile(rf"\w+(?:\s*[,;{_DASHES}]\s*\w+)*\s*[,;{_DASHES}]\s*")
_NUMBER_BEFORE_MARK = re.compile(r"(\d{1,2})(\s*[,;]\s*)")
_BEFORE_MARK = re.compile(rf"\s*(?P<script>\d{{1,2}}|\d?\d?\+|\d[{_DASHES}])\s*(?P<separator>[,;]?)\s*")
_NUMBERS_IN_PARENTHESES = re.compile(rf"\(\s*(\d{{1,3}}(?:\s*[,;{_DASHES}]\s*\d{{1,3}})*)\s*\)")
_WORDS = re.compile(r"[^\W\d_]{4,}|[^\W\d_]{2,}.*\d{4}")
_YEAR = re.compile(r"(?:1[6-9]|20)\d\d[a-z]?")
_POWER = re.compile(rf"[{_DASHES}+]?\d")
_SMALL_POWER = re.compile(rf"[{_DASHES}+]?\d(?:[.,]\d+)?")
_CHARGE = re.compile(rf"\d?\d?[+{_DASHES}⋅•·]+|[+{_DASHES}]\d")
_ORDINAL = re.compile(r"(?:st|nd|rd|th|er|ère|re|e|ème|de)\b", re.IGNORECASE)
_TRADE = frozenset({"TM", "SM", "R"})
_ISOTOPE = re.compile(r"\d{1,3}m?\Z")
_SYMBOL = re.compile(r"[A-Z][a-z]?(?![a-z])")
_ELEMENT = re.compile(r"[A-Z][a-z]?(?![A-Za-z])")
_NAME = re.compile(r"[^\W\d_]\d+\Z")
_NAME_SUFFIX = re.compile(r"[^\W\d_]{3,}")
_OPERATION = re.compile(r"[\w)]\s*[+\-−*/=⋅·]\s*[\w(]")
_TEN = re.compile(r"(?<![\d.,])10\Z")
_STATISTIC = re.compile(r"(?<![^\W\d_])(?:[RrχΧηωτσ]|[Cc]hi|[Ee]ta|(?<![^\W\d_]\s)[IX])\s*\Z")
"""Squared by name; a single I or X behind a word is its number (Stage I)."""

_LAST_WORD = re.compile(r"[^\W\d_]+\Z")
_OPEN_PARENTHESIS = re.compile(r"\([^()]*\Z")
_LENGTHS = frozenset({"m", "km", "cm", "dm", "mm", "µm", "μm", "nm", "ft", "in", "s"})
"""Units that have squares and cubes."""

_UNITS = frozenset(
    {"m", "km", "cm", "dm", "mm", "µm", "μm", "nm", "pm", "ft", "in", "yd", "mi", "s", "h", "d", "min",
     "sec", "hr", "day", "yr", "g", "kg", "mg", "ng", "µg", "μg", "l", "ml", "dl", "µl", "μl", "L", "mL",
     "dL", "µL", "μL", "mol", "mM", "Å", "Hz", "kHz", "Pa", "kPa", "J", "kJ", "W", "V", "K", "N", "cd",
     "sr", "ha", "rad"}
)  # fmt: skip


def written(pieces: Sequence[Piece], note_marks: frozenset[str] = frozenset()) -> str:
    """The pieces as one string; `note_marks` are the labels of footnotes that a superscript may name."""
    runs = _joined(pieces)
    _drop_blanks_of_layout(runs)
    if note_marks:
        runs = list(_with_note_marks(runs, note_marks))
    line = _Line()
    for number, (level, text) in enumerate(runs):
        next_level, after = runs[number + 1] if number + 1 < len(runs) else (Level.TEXT, "")
        after = after if next_level is Level.TEXT else ""
        line.add(level, text, after)
    return line.text()


def marks_alone(pieces: Iterable[Piece]) -> str:
    """The pieces of a mark, e.g. of a superscript that holds references: '1,2–4'."""
    return "".join(text for _, text in _joined([(Level.MARK, text) for _, text in pieces if text]))


def _joined(pieces: Iterable[Piece]) -> list[Piece]:
    """Pieces of one level as one; marks with only a comma or a dash between them as one mark."""
    runs: list[Piece] = []
    for level, text in pieces:
        if not text:
            continue
        if level is Level.MARK:
            _add_mark(runs, text)
            continue
        previous, before = runs[-1] if runs else (None, "")
        if previous is level or (
            previous is Level.MARK and level is Level.HIGH and _MORE_MARKS.fullmatch(text)
        ):
            runs[-1] = (runs[-1][0], before + text)
        else:
            runs.append((level, text))
    return runs


def _add_mark(runs: list[Piece], mark: str) -> None:
    """Append a mark to `runs`, joined with the marks before it."""
    level, text = runs[-1] if runs else (None, "")
    own_brackets = mark.startswith("[") or (len(runs) > 1 and runs[-2][1].endswith("]"))
    if level is Level.MARK:
        comma = "," if text[-1:].isalnum() and mark[:1].isalnum() else ""
        runs[-1] = (Level.MARK, f"{text}{comma}{mark}")
    elif len(runs) > 1 and runs[-2][0] is Level.MARK and not own_brackets and _BETWEEN_MARKS.fullmatch(text):
        del runs[-1]
        runs[-1] = (Level.MARK, f"{runs[-1][1]}{text}{mark}")
    elif level is Level.HIGH and _MARKS_BEFORE.fullmatch(text):
        power = _NUMBER_BEFORE_MARK.fullmatch(text)
        if power and len(runs) > 1 and _takes_power(runs[-2][1], power[1]):
            runs[-1:] = [(Level.HIGH, power[1]), (Level.TEXT, power[2].rstrip()), (Level.MARK, mark)]
        else:
            runs[-1] = (Level.MARK, text + mark)
    else:
        runs.append((Level.MARK, mark))


def script_before_mark(before: str, text: str) -> tuple[str, str] | None:
    """The power or charge that shares a superscript with a mark, and the comma after it; None for none.

    `text` stands in the superscript before its first mark, `before` in front of the superscript.
    """
    match = _BEFORE_MARK.fullmatch(text)
    if match is None or not before[-1:].isalnum():
        return None
    script = match["script"]
    if script.isdigit() and not _takes_power(before, script):
        return None
    return script, match["separator"]


def _takes_power(base: str, number: str) -> bool:
    """Whether a bare high number is a power rather than a mark: after 10, a length, or one letter (R2)."""
    if _TEN.search(base):
        return number != "1"
    word = _last_word(base)
    return number in ("2", "3") and (word in _LENGTHS or (len(word) == 1 and base == base.rstrip()))


def _drop_blanks_of_layout(runs: list[Piece]) -> None:
    """Drop the blank that a typesetter's program put before a script: '10 <sup>6</sup>', 'CO\\n<sub>2</sub>'.

    A script that belongs to what follows it keeps its blank: 'of <sup>18</sup>F'.
    """
    for number in range(1, len(runs)):
        (before, text), (level, script) = runs[number - 1 : number + 1]
        bare = text.rstrip()
        if before is not Level.TEXT or level is Level.TEXT or len(bare) == len(text) or not bare:
            continue
        after = runs[number + 1][1] if number + 1 < len(runs) else ""
        if _is_set_apart(script.strip(), text[len(bare) :], bare, after, level):
            runs[number - 1] = (before, bare)


def _is_set_apart(script: str, blank: str, before: str, after: str, level: Level) -> bool:
    """Whether the blank before a script was not the author's."""
    is_line_break = "\n" in blank
    if level is Level.MARK:
        return is_line_break
    if level is Level.LOW:
        return is_line_break or (before[-1:].isalpha() and script.isdigit())
    if after[:1].isalnum() or (_is_isotope(script, after.lstrip()) and not _TEN.search(before)):
        return False
    is_script = script[:1].isalnum() or _POWER.match(script) or _CHARGE.fullmatch(script)
    return is_line_break or (bool(is_script) and (before[-1:].isalnum() or before[-1:] in ")]%"))


def _is_isotope(script: str, after: str) -> bool:
    """Whether a number belongs to the symbol of an element after it: 18 F, 3 H."""
    return script.isdigit() and bool(_ELEMENT.match(after)) and (len(script) > 1 or after[0] == "H")


def _with_note_marks(runs: list[Piece], note_marks: frozenset[str]) -> Iterator[Piece]:
    """Superscripts that name footnotes become marks: in a table whose foot has a note 2, 45<sup>2</sup>.

    A number stays a power after 10, after a unit of length and after a statistic (R2).
    """
    before = ""
    for level, text in runs:
        marks = [mark for mark in re.split(r"[,;\s]+", text) if mark] if level is Level.HIGH else []
        is_power = text.strip().isdecimal() and _stays_a_power(before, text.strip())
        named = bool(marks) and note_marks.issuperset(marks) and not is_power
        yield (Level.MARK if named else level), text
        before = text


def _stays_a_power(base: str, number: str) -> bool:
    """Whether a number that a note of the table has is a power all the same: 10^3, cm3, R2."""
    if _TEN.search(base):
        return True
    is_statistic = number == "2" and _STATISTIC.search(base)
    return bool(is_statistic) or (number in ("2", "3") and _last_word(base) in _LENGTHS)


class _Line:
    """One line of text that grows to the right."""

    def __init__(self) -> None:
        self._parts: list[str] = []
        self._scripted = False

    def add(self, level: Level, text: str, after: str) -> None:
        if level is Level.TEXT:
            glued = self._scripted and text[0].isdigit() and self._parts[-1][-1:].isdigit()
            self._parts.append(f" {text}" if glued else text)
            self._scripted = False
            return
        tail = "".join(self._parts[-4:])[-200:]
        if level is Level.MARK:
            self._parts.append(_mark(text, tail, after))
        elif level is Level.LOW:
            joint = "_" if tail[-1:].isdigit() and text.strip()[:1].isdigit() else ""
            self._parts.append(joint + text)
        else:
            self._parts.append(_superscript(text, tail, after))
        self._scripted = level is not Level.MARK

    def text(self) -> str:
        return "".join(self._parts)


def _mark(text: str, tail: str, after: str) -> str:
    """A mark in brackets, unless it is a sign, a name, or stands in brackets already."""
    mark = text.strip()
    if tail[-1:].isalnum() and (numbers := _NUMBERS_IN_PARENTHESES.fullmatch(mark)):  # else 2010(2,3)
        return f"[{numbers[1]}]"
    if not any(map(str.isalnum, mark)) or (mark[0] in "[(" and mark[-1] in "])"):
        return text
    if not tail.strip() and mark.isalnum() and after[:1].isalnum():  # a note: '1 Adjusted', '[1] 20 kites'
        return f"[{mark}] " if mark[-1].isdigit() and after[0].isdigit() else f"{mark} "
    if tail[-1:].isalnum():
        return f"[{mark}]"
    is_word = _WORDS.search(mark) or _YEAR.fullmatch(mark)
    return text if is_word or _in_brackets(tail) else f"[{mark}]"


def _in_brackets(tail: str) -> bool:
    """Whether the text before stands in square brackets, or in parentheses that hold no words."""
    if tail.rfind("[") > tail.rfind("]"):
        return True
    parenthesis = _OPEN_PARENTHESIS.search(tail)
    return parenthesis is not None and not any(map(str.isalpha, parenthesis.group()))


def _superscript(text: str, tail: str, after: str) -> str:
    script = text.strip()
    last = tail[-1:]
    if not script or not last or last.isspace() or last in "([{/-–—":
        return text + _blank_after(script, after)
    if not script[0].isalnum() and not _POWER.match(script) and not script[1:2].isalpha():
        return text  # a sign: CD4+
    if last.isdigit() and (_ORDINAL.fullmatch(script) or (_NAME.search(tail) and _NAME_SUFFIX.match(script))):
        return text  # 20th, p27Kip1
    if last.isalpha() and _belongs_to(script, _last_word(tail)):
        return text
    if script[0].isalnum() or last.isalnum() or _POWER.match(script):
        return f"^{_grouped(script)}{_blank_after(script, after)}"
    return text


def _belongs_to(script: str, word: str) -> bool:
    """Whether a superscript is read as one with the letters before it: Ca2+, m2, R2, h-1, ith."""
    if _CHARGE.fullmatch(script) or script in _TRADE:
        return True
    if len(word) == 1 and _ORDINAL.fullmatch(script):
        return True
    if not _POWER.match(script):
        return False
    return len(word) == 1 or (word in _UNITS and _SMALL_POWER.fullmatch(script) is not None)


def _grouped(script: str) -> str:
    """An exponent with an operator in parentheses: R^(t+1)."""
    return f"({script})" if _OPERATION.search(script) and any(map(str.isalpha, script)) else script


def _blank_after(script: str, after: str) -> str:
    """A blank between a mark that is set high and the word after it; none within 18F or 3H."""
    if not after[:1].isalnum() or not script[-1:].isalnum():
        return ""
    return "" if _ISOTOPE.match(script) and _SYMBOL.match(after) else " "


def _last_word(text: str) -> str:
    match = _LAST_WORD.search(text[-24:])
    return match.group() if match else ""
