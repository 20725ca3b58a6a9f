"""Superscripts, subscripts and reference marks in one line of text.

Comes in: the pieces of a paragraph, a title or a cell, each with its level. Leaves: one string in which a
power stays a power (10^9/L), an index or a charge stays with its symbol (CO2, Ca2+), and a mark of a
reference or a footnote is set apart from what it stands beside: 500[7], growth[5,6]. No piece is dropped.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from orchestration.parsing.xml.inline_runs import (
    DASHES,
    LENGTHS,
    TEN,
    Level,
    Piece,
    joined,
    last_word,
    without_marks,
)

_NUMBERS_IN_PARENTHESES = re.compile(rf"\(\s*(\d{{1,3}}(?:\s*[,;{DASHES}]\s*\d{{1,3}})*)\s*\)")
_WORDS = re.compile(r"[^\W\d_]{4,}|[^\W\d_]{2,}.*\d{4}")
_YEAR = re.compile(r"(?:1[6-9]|20)\d\d[a-z]?")
_POWER = re.compile(rf"[{DASHES}+]?\d")
_SMALL_POWER = re.compile(rf"[{DASHES}+]?\d(?:\.\d+)?")
_CHARGE = re.compile(rf"\d?\d?[+{DASHES}⋅•·]+|[+{DASHES}]\d")
_ORDINAL = re.compile(r"(?:st|nd|rd|th|er|ère|re|e|ème|de)\b", re.IGNORECASE)
_TRADE = frozenset({"TM", "SM", "R"})
_ISOTOPE = re.compile(r"\d{1,3}m?\Z")
_SYMBOL = re.compile(r"[A-Z][a-z]?(?![a-z])")
_ELEMENT = re.compile(r"[A-Z][a-z]?(?![A-Za-z])")
_NAME = re.compile(r"[^\W\d_]\d+\Z")
_NAME_SUFFIX = re.compile(r"[^\W\d_]{3,}")
_SEVERAL_POWERS = re.compile(rf"[,;×*=]|\b\d/|/\d\b|\d\s*[{DASHES}+]\s*\w")
_BRACKETED = re.compile(r"\([^()]*\)|\[[^\[\]]*\]")
_NUMBERS_IN_BRACKETS = re.compile(rf"\[\s*\d[\d\s,;{DASHES}]*\]")
_SIGN = re.compile(rf"[+*†‡§¶#]\s*\Z|\d[{DASHES}]\s*\Z")
_OPERATION = re.compile(r"[\w)]\s*[+\-−*/=⋅·]\s*[\w(]")
_STATISTIC = re.compile(r"(?<![^\W\d_])(?:[RrχΧηωτσ]|[Cc]hi|[Ee]ta|(?<![^\W\d_]\s)[IX])\s*\Z")
"""Squared by name; a single I or X behind a word is its number (Stage I)."""

_OPEN_PARENTHESIS = re.compile(r"\([^()]*\Z")
_UNITS = frozenset(
    {"m", "km", "cm", "dm", "mm", "µm", "μm", "nm", "pm", "ft", "in", "yd", "mi", "s", "h", "d", "min",
     "sec", "hr", "day", "yr", "g", "kg", "mg", "ng", "µg", "μg", "l", "ml", "dl", "µl", "μl", "L", "mL",
     "dL", "µL", "μL", "mol", "mM", "Å", "Hz", "kHz", "Pa", "kPa", "J", "kJ", "W", "V", "K", "N", "cd",
     "sr", "ha", "rad"}
)  # fmt: skip


def written(
    pieces: Sequence[Piece], note_marks: frozenset[str] = frozenset(), *, with_marks: bool = True
) -> str:
    """The pieces as one string; `note_marks` are the labels of footnotes that a superscript may name."""
    runs = joined(pieces)
    if not with_marks:
        runs = without_marks(runs)
    _drop_blanks_of_layout(runs)
    if note_marks:
        runs = list(_with_note_marks(runs, note_marks))
    line = _Line()
    for number, (level, text) in enumerate(runs):
        next_level, after = runs[number + 1] if number + 1 < len(runs) else (Level.TEXT, "")
        after = after if next_level is Level.TEXT else ""
        line.add(level, text, after)
    return line.text()


def _drop_blanks_of_layout(runs: list[Piece]) -> None:
    """Drop the blank that a typesetter's program put before a script: '10 <sup>6</sup>', 'CO\\n<sub>2</sub>'.

    A script that belongs to what follows it keeps its blank: 'of <sup>18</sup>F'.
    """
    for number in range(1, len(runs)):
        (before, text), (level, script) = runs[number - 1 : number + 1]
        bare = text.rstrip()
        if before is not Level.TEXT or level is Level.TEXT or len(bare) == len(text) or not bare:
            continue
        next_level, after = runs[number + 1] if number + 1 < len(runs) else (Level.TEXT, "")
        after = "" if next_level is Level.MARK else after
        if _is_set_apart(script.strip(), text[len(bare) :], bare, after, level):
            runs[number - 1] = (before, bare)


def _is_set_apart(script: str, blank: str, before: str, after: str, level: Level) -> bool:
    """Whether the blank before a script was not the author's."""
    is_line_break = "\n" in blank
    if level is Level.MARK:
        return is_line_break
    if level is Level.LOW:
        return is_line_break or (before[-1:].isalpha() and script.isdigit())
    if after[:1].isalnum() or (_is_isotope(script, after.lstrip()) and not TEN.search(before)):
        return False
    is_script = (
        script.strip("([")[:1].isalnum() or _POWER.match(script.lstrip("(")) or _CHARGE.fullmatch(script)
    )
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
        marks = re.findall(r"[^,;\s()\[\]]+", text) if level is Level.HIGH else []
        is_power = text.strip().isdecimal() and _stays_a_power(before, text.strip())
        named = bool(marks) and note_marks.issuperset(marks) and not is_power
        yield (Level.MARK if named else level), text
        before = text


def _stays_a_power(base: str, number: str) -> bool:
    """Whether a number that a note of the table has is a power all the same: 10^3, cm3, R2."""
    if TEN.search(base):
        return True
    is_statistic = number == "2" and _STATISTIC.search(base)
    return bool(is_statistic) or (number in ("2", "3") and last_word(base) in LENGTHS)


class _Line:
    """One line of text that grows to the right."""

    def __init__(self) -> None:
        self._parts: list[str] = []
        self._level = Level.TEXT

    def add(self, level: Level, text: str, after: str) -> None:
        if level is Level.TEXT:
            glued = text[0].isdigit() and self._is_number_or_sign()
            self._parts.append(f" {text}" if glued else text)
            self._level = level
            return
        tail = "".join(self._parts[-4:])[-200:]
        if level is Level.MARK:
            self._parts.append(_mark(text, tail, after))
        elif level is Level.LOW:
            joint = "_" if tail[-1:].isdigit() and text.strip()[:1].isdigit() else ""
            self._parts.append(joint + text)
        else:
            self._parts.append(_superscript(text, tail, after))
        self._level = level

    def _is_number_or_sign(self) -> bool:
        """Whether the line ends with a script or a mark that a digit after it would change."""
        if self._level is Level.TEXT:
            return False
        last = self._parts[-1]
        is_sign = _SIGN.search(last) is not None and len(self._parts) > 1 and self._parts[-2][-1:].isalnum()
        return last[-1:].isdigit() or (is_sign and self._level is not Level.LOW)

    def text(self) -> str:
        return "".join(self._parts)


def _mark(text: str, tail: str, after: str) -> str:
    """A mark in brackets, unless it is a sign, a name, or stands in brackets already."""
    mark = text.strip()
    is_attached = tail != "" and not tail[-1].isspace() and tail[-1] not in "([{"
    if is_attached and (numbers := _NUMBERS_IN_PARENTHESES.fullmatch(mark)):  # else 2010(2,3)
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
    is_bracketed = _BRACKETED.fullmatch(script) is not None
    if is_bracketed and (last.isalnum() or last in ")]") and _is_power_in_brackets(script):
        return f"^{script}{_blank_after(script, after)}"
    is_sign = not script[0].isalnum() and not _POWER.match(script) and not script[1:2].isalpha()
    if is_sign or (is_bracketed and script[1].isalnum()) or _is_suffix(script, tail):
        return text  # CD4+, a citation [3] without a link, 20th
    if script[0].isalnum() or last.isalnum() or _POWER.match(script):
        return f"^{_grouped(script)}{_blank_after(script, after)}"
    return text


def _is_power_in_brackets(script: str) -> bool:
    """Whether brackets hold a power or an index, (−3) or (n), not signs (+/−) or citations [3,4]."""
    return any(map(str.isalnum, script)) and not _NUMBERS_IN_BRACKETS.fullmatch(script)


def _is_suffix(script: str, tail: str) -> bool:
    """Whether a superscript is read as one with what is before it: 20th, p27Kip1, Ca2+."""
    if tail[-1].isdigit():
        is_name = _NAME.search(tail) and _NAME_SUFFIX.match(script)
        return is_name is not None or _ORDINAL.fullmatch(script) is not None
    return tail[-1].isalpha() and _belongs_to(script, last_word(tail))


def _belongs_to(script: str, word: str) -> bool:
    """Whether a superscript is read as one with the letters before it: Ca2+, m2, R2, h-1, ith."""
    if _CHARGE.fullmatch(script) or script in _TRADE:
        return True
    if len(word) == 1 and _ORDINAL.fullmatch(script):
        return True
    if not _POWER.match(script):
        return False
    if len(word) == 1:
        return _SEVERAL_POWERS.search(script) is None
    return word in _UNITS and _SMALL_POWER.fullmatch(script) is not None


def _grouped(script: str) -> str:
    """An exponent with an operator in parentheses: R^(t+1), 2^(1/2)."""
    is_operation = _OPERATION.search(script) and ("/" in script or any(map(str.isalpha, script)))
    return f"({script})" if is_operation else script


def _blank_after(script: str, after: str) -> str:
    """A blank between a mark that is set high and the word after it; none within 18F or 3H."""
    if not after[:1].isalnum() or not script[-1:].isalnum():
        return ""
    return "" if _ISOTOPE.match(script) and _SYMBOL.match(after) else " "
