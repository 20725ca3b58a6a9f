"""Superscripts, subscripts and reference marks in one line of text.

Comes in: the pieces of a paragraph, a title or a cell, each with its level. Leaves: one string in which a
power stays a power (10^9/L), an index or a charge stays with its symbol (CO2, Ca2+), and a mark of a
reference or a footnote is set apart from what it stands beside: 500[7], growth[5,6]. No piece is dropped.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from orchestration.parsing.xml.inline_runs import (
    DASHES,
    TEN,
    Level,
    Piece,
    joined,
    last_word,
    with_marks_joined,
    without_marks,
)
from orchestration.parsing.xml.note_marks import is_isotope, is_squared_by_name, with_note_marks

_NUMBERS_IN_PARENTHESES = re.compile(rf"\(\s*(\d{{1,3}}(?:\s*[,;{DASHES}]\s*\d{{1,3}})*)\s*\)")
_WORD = re.compile(r"[^\W\d_]{2,}")
_LONG_WORD = re.compile(r"[^\W\d_]{4}")
_FOUR_DIGITS = re.compile(r"\d{4}")
_YEAR = re.compile(r"(?:1[6-9]|20)\d\d[a-z]?")
_POWER = re.compile(rf"[{DASHES}+]?\s*\d")
_SIGNED_DIGIT = re.compile(rf"[{DASHES}+]\d")
_SIGNED_OR_DECIMAL = re.compile(rf"[{DASHES}+]|\d+\.\d")
_CHARGE = re.compile(rf"\d?\d?\s*[+{DASHES}⋅•·]+")
_BLANK_BEHIND_SIGN = re.compile(rf"(?<![^(])([{DASHES}])\s+(?=\w)|(?<![^(])(\+)\s+(?=\d)")
_BLANK_BEFORE_CHARGE = re.compile(rf"(?<=\d)\s+(?=[+{DASHES}]\Z)")
_DECIMAL_AT_END = re.compile(r"\d[.,·]\d+\Z")
_TWO_DIGITS = re.compile(r"\d\d+")
_ORDINAL = re.compile(r"(?:st|nd|rd|th|er|ère|re|e|ème|de)\b", re.IGNORECASE)
_TRADE = frozenset({"TM", "SM", "R"})
_ISOTOPE = re.compile(r"\d{1,3}m?\Z")
_SYMBOL = re.compile(r"[A-Z][a-z]?(?![a-z])")
_NAME = re.compile(r"[^\W\d_]\d+\Z")
_NAME_SUFFIX = re.compile(r"[^\W\d_]{3,}")
_SEVERAL_POWERS = re.compile(rf"[,;×*=]|\b\d/|/\d\b|\d\s*[{DASHES}+]\s*\w")
_BRACKETED = re.compile(r"\([^()]*\)|\[[^\[\]]*\]")
_NUMBERS_IN_BRACKETS = re.compile(rf"\[\s*\d[\d\s,;{DASHES}]*\]")
_SIGN = re.compile(rf"[+*†‡§¶#]\s*\Z|\d[{DASHES}]\s*\Z")
_OPERATION = re.compile(r"[\w)]\s*[+\-−*/=⋅·]\s*[\w(]")
_OPENING_BRACKETS = re.compile(r"[(（]")
_LONE_DASH = re.compile(rf"\s*[{DASHES}]\s*")
_MARKS_ON_THE_LINE = re.compile(rf"[\s\d,;&{DASHES}]*[\s,;&{DASHES}]|\s*")
_VARIABLE_LIMIT = "\u2e80"
"""A letter behind it is a word of Chinese, Japanese or Korean, not a variable."""

_NAMES_OF_ONE_LETTER = frozenset("pδ")
"""With a number of several digits they are a name: p38, δ13C."""

_NOTE_LETTER = re.compile(r"[a-h]")
_SENTENCE = re.compile(r"\s+[A-Z][a-z]{2}")
_EQUALS_TEN = re.compile(r"[=<>≤≥≈]\s*10\Z")
_UNITS = frozenset(
    {"m", "km", "cm", "dm", "mm", "µm", "μm", "nm", "pm", "ft", "in", "yd", "mi", "s", "h", "d", "min",
     "sec", "hr", "day", "yr", "g", "kg", "mg", "ng", "µg", "μg", "l", "ml", "dl", "µl", "μl", "L", "mL",
     "dL", "µL", "μL", "mol", "mM", "Å", "Hz", "kHz", "Pa", "kPa", "J", "kJ", "W", "V", "K", "N", "cd",
     "sr", "ha", "rad"}
)  # fmt: skip
_UNITS_BELOW_THE_BAR = _UNITS | frozenset(
    {"M", "µM", "μM", "nM", "pM", "mmol", "µmol", "μmol", "nmol", "pmol", "fmol", "U", "IU", "Gy", "mGy",
     "Bq", "kBq", "MBq", "GBq", "Ci", "cal", "kcal", "Da", "kDa", "Hg", "mmHg", "atm", "bar", "mEq", "MJ",
     "kN", "mV", "mW", "mT", "T", "pg", "fg", "t", "eq", "hour", "day", "days", "week", "weeks", "month",
     "year", "years", "cell", "cells", "hours"}
)  # fmt: skip
"""Units that are written with −1 and are seldom squared."""

_IONS = frozenset(
    {"H", "Li", "Na", "K", "Rb", "Cs", "Mg", "Ca", "Sr", "Ba", "Al", "Fe", "Cu", "Zn", "Mn", "Co", "Ni",
     "Cr", "Cd", "Pb", "Hg", "Ag", "Au", "Sn", "Ti", "As", "Se", "F", "Cl", "Br", "I", "O", "S", "P", "Pt",
     "Gd", "La"}
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
        runs = with_marks_joined(with_note_marks(runs, note_marks))
    line = _Line()
    for number, (level, text) in enumerate(runs):
        next_level, after = runs[number + 1] if number + 1 < len(runs) else (Level.TEXT, "")
        after = after if next_level is Level.TEXT else ""
        line.add(level, text, after)
    return line.text()


def _drop_blanks_of_layout(runs: list[Piece]) -> None:
    """Drop the blank that a typesetter's program put before a script: '10 <sup>6</sup>', 'CO\\n<sub>2</sub>'.

    A script that belongs to what follows it keeps its blank: 'of <sup>18</sup>F'. Behind a number, the
    mark of a note is a mark: 'n = 25 <sup>2</sup> Adjusted' is n = 25 [2] Adjusted.
    """
    for number in range(1, len(runs)):
        (before, text), (level, script) = runs[number - 1 : number + 1]
        bare = text.rstrip()
        if before is not Level.TEXT or level is Level.TEXT or len(bare) == len(text) or not bare:
            continue
        next_level, after = runs[number + 1] if number + 1 < len(runs) else (Level.TEXT, "")
        after = "" if next_level.is_mark else after
        if _is_set_apart(script.strip(), text[len(bare) :], bare, after, level):
            runs[number - 1] = (before, bare)
        elif level is Level.HIGH and bare[-1].isdigit() and _begins_note(script.strip(), bare, after):
            runs[number] = (Level.HIGH_MARK, script)


def _is_set_apart(script: str, blank: str, before: str, after: str, level: Level) -> bool:
    """Whether the blank before a script was not the author's."""
    is_line_break = "\n" in blank
    if level.is_mark:
        return is_line_break
    if level is Level.LOW:
        return is_line_break or (before[-1:].isalpha() and script.isdigit())
    if after[:1].isalnum() or (is_isotope(script, after.lstrip()) and not TEN.search(before)):
        return False
    if _begins_note(script, before, after):
        return False
    is_script = (
        script.strip("([")[:1].isalnum() or _POWER.match(script.lstrip("(")) or _CHARGE.fullmatch(script)
    )
    return is_line_break or (bool(is_script) and (before[-1:].isalnum() or before[-1:] in ")]%"))


def _begins_note(script: str, before: str, after: str) -> bool:
    """Whether a superscript between two blanks marks the note that follows: 'n = 25 <sup>a</sup> P < .05'."""
    if _NOTE_LETTER.fullmatch(script):
        return after[:1].isspace() and after.lstrip()[:1].isalpha()
    if not (script.isdecimal() and len(script) < 3 and _SENTENCE.match(after)):
        return False
    if TEN.search(before):
        return _EQUALS_TEN.search(before) is not None
    word = last_word(before)
    return word not in _UNITS and len(word) != 1 and not is_squared_by_name(before)


class _Line:
    """One line of text that grows to the right."""

    def __init__(self) -> None:
        self._parts: list[str] = []
        self._level = Level.TEXT
        self._is_behind_index = False

    def add(self, level: Level, text: str, after: str) -> None:
        if level is Level.TEXT:
            glued = text[0].isdigit() and self._is_number_or_sign()
            self._parts.append(f" {text}" if glued else text)
            self._level = level
            return
        tail = "".join(self._parts[-4:])[-200:]
        self._is_behind_index = self._level is Level.LOW
        if level.is_mark:
            self._parts.append(_mark(text, tail, after, is_high=level is Level.HIGH_MARK))
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
        before = self._parts[-2] if len(self._parts) > 1 else ""
        is_sign = _SIGN.search(last) is not None and before[-1:].isalnum()
        is_ion = self._is_behind_index or last_word(before) in _IONS
        is_charge = is_ion and _LONE_DASH.fullmatch(last) is not None
        return last[-1:].isdigit() or ((is_sign or is_charge) and self._level is not Level.LOW)

    def text(self) -> str:
        return "".join(self._parts)


def _mark(text: str, tail: str, after: str, *, is_high: bool) -> str:
    """A mark in brackets, unless it is a sign, a name, or stands in brackets already."""
    mark = text.strip()
    is_attached = tail != "" and not tail[-1].isspace() and tail[-1] not in "([{"
    if is_attached and (numbers := _NUMBERS_IN_PARENTHESES.fullmatch(mark)):  # else 2010(2,3)
        return f"[{numbers[1]}]"
    if not any(map(str.isalnum, mark)) or (mark[0] in "[(" and mark[-1] in "])"):
        return text
    if not tail.strip() and mark.isalnum() and after[:1].isalnum():  # a note: '1 Adjusted', '[1] 20 kites'
        return f"[{mark}] " if mark[-1].isdigit() and after[0].isdigit() else f"{mark} "
    if mark[-1] in ")）" and not _OPENING_BRACKETS.search(mark):  # Japanese style: Vane<sup>1）</sup>
        closing = mark[-1] if _open_bracket(tail) else ""
        return f"[{mark[:-1].rstrip()}]{closing}"
    if tail[-1:].isalnum():
        return f"[{mark}]"
    return text if _is_citation_in_words(mark) or _is_in_brackets(tail, is_high=is_high) else f"[{mark}]"


def _is_citation_in_words(mark: str) -> bool:
    """Whether a mark is a name, a name with a year, or a year."""
    if _LONG_WORD.search(mark) or _YEAR.fullmatch(mark):
        return True
    word = _WORD.search(mark)
    return word is not None and _FOUR_DIGITS.search(mark, word.end()) is not None


def _is_in_brackets(tail: str, *, is_high: bool) -> bool:
    """Whether brackets on the line are those of a citation, so that a mark in them needs none.

    These are square brackets, and parentheses that hold only marks. A mark that is set high has them only
    directly before it: in (43%<sup>3</sup>) the brackets are those of the number.
    """
    inside = _open_bracket(tail)
    if not inside:
        return False
    if is_high or not (inside[-1].isspace() or inside[-1] in "([{,;&-‐‑‒–—−"):
        return len(inside.rstrip()) == 1
    return inside[0] == "[" or _MARKS_ON_THE_LINE.fullmatch(inside, 1) is not None


def _open_bracket(text: str) -> str:
    """The end of a text from the last bracket that is open there, '' if none is.

    Any closing bracket closes the last open one, since intervals are written [0, 5).
    """
    closed = 0
    for place in range(len(text) - 1, -1, -1):
        if text[place] in ")]）":
            closed += 1
        elif text[place] in "([（":
            if not closed:
                return text[place:]
            closed -= 1
    return ""


def _superscript(text: str, tail: str, after: str) -> str:
    script = _without_blanks_beside_signs(text.strip())
    if script != text.strip() or _CHARGE.fullmatch(script):
        text = script + text[len(text.rstrip()) :]
    last = tail[-1:]
    if last == "^" and script[:1] != "^":  # the sign of a power is written already: 10^<sup>3</sup>
        return text + _blank_after(script, after)
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


def _without_blanks_beside_signs(script: str) -> str:
    """A power or a charge without the blank that a publisher puts at its sign: '− 3' and '2 +'."""
    return _BLANK_BEFORE_CHARGE.sub("", _BLANK_BEHIND_SIGN.sub(r"\1\2", script))


def _is_power_in_brackets(script: str) -> bool:
    """Whether brackets hold a power or an index, (−3) or (n), not signs (+/−) or citations [3,4]."""
    return any(map(str.isalnum, script)) and not _NUMBERS_IN_BRACKETS.fullmatch(script)


def _is_suffix(script: str, tail: str) -> bool:
    """Whether a superscript is read as one with what is before it: 20th, p27Kip1, Ca2+."""
    if tail[-1].isdigit():
        is_name = _NAME.search(tail) and _NAME_SUFFIX.match(script)
        return is_name is not None or (
            _ORDINAL.fullmatch(script) is not None and not _DECIMAL_AT_END.search(tail)
        )
    return tail[-1].isalpha() and _belongs_to(script, last_word(tail))


def _belongs_to(script: str, word: str) -> bool:
    """Whether a superscript is read as one with the letters before it: Ca2+, m2, R2, h-1, ith."""
    if _CHARGE.fullmatch(script) or script in _TRADE:
        return True
    is_letter = len(word) == 1 and word < _VARIABLE_LIMIT
    if is_letter and len(script) > 1 and script not in {"de", "re"} and _ORDINAL.fullmatch(script):
        return True
    if _SIGNED_DIGIT.fullmatch(script):
        return word in _UNITS_BELOW_THE_BAR or word in _IONS
    if not _POWER.match(script) or _SIGNED_OR_DECIMAL.match(script) or word == "e":
        return False
    if is_letter:
        is_long = word.islower() and word not in _NAMES_OF_ONE_LETTER and _TWO_DIGITS.fullmatch(script)
        return not is_long and _SEVERAL_POWERS.search(script) is None
    return word in _UNITS and script.isdecimal() and len(script) == 1


def _grouped(script: str) -> str:
    """An exponent with an operator in parentheses: R^(t+1), 2^(1/2)."""
    is_operation = _OPERATION.search(script) and ("/" in script or any(map(str.isalpha, script)))
    return f"({script})" if is_operation else script


def _blank_after(script: str, after: str) -> str:
    """A blank between a mark that is set high and the word after it; none within 18F or 3H."""
    if not after[:1].isalnum() or not script[-1:].isalnum():
        return ""
    return "" if _ISOTOPE.match(script) and _SYMBOL.match(after) else " "
