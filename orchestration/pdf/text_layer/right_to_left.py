"""Hebrew and Arabic: from the order in which characters stand on the page to that in which they are read.

Comes in: glyphs, or the text of a line from left to right. Leaves: glyphs from left to right, whatever
order the PDF or PDFium gives them in; text in reading order, with numbers and Latin words left to right,
and Arabic letters instead of their forms. Lines without such letters are not touched.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from typing import Final

from orchestration.pdf.text_layer.characters import BLANK, Glyph

__all__ = ["in_reading_order", "in_visual_order"]

RIGHT_TO_LEFT: Final = "\u0590-\u08ff\ufb1d-\ufdff\ufe70-\ufeff"
SAME_LINE: Final = 0.3
"""Of the size."""
_RIGHT = re.compile(f"[{RIGHT_TO_LEFT}]")
_LETTER = f"(?:(?![{RIGHT_TO_LEFT}])[^\\W_])"
_INNER = f"[^\\s{RIGHT_TO_LEFT}]*"
_LEFT_RUN = re.compile(f"%?{_LETTER}(?:{_INNER}{_LETTER})?%?(?: {_LETTER}(?:{_INNER}{_LETTER})?)*")
_ARABIC_FORM = re.compile("[\ufb1d-\ufdff\ufe70-\ufeff]+")
_RUNS = re.compile(f"[{RIGHT_TO_LEFT}](?:[^A-Za-z]*[{RIGHT_TO_LEFT}])?")
_MIRRORED = str.maketrans("()[]{}<>«»", ")(][}{><»«")


def in_visual_order(glyphs: Sequence[Glyph]) -> list[Glyph]:
    """The glyphs with those of each line that has such letters from left to right."""
    if not _RIGHT.search("".join([glyph.text for glyph in glyphs])):
        return list(glyphs)
    ordered: list[Glyph] = []
    line: list[Glyph] = []
    for glyph in glyphs:
        if glyph.style is not BLANK and line and not _beside(line, glyph):
            ordered.extend(_left_to_right(line))
            line = []
        line.append(glyph)
    return ordered + _left_to_right(line)


def _beside(line: Sequence[Glyph], glyph: Glyph) -> bool:
    last = next((other for other in reversed(line) if other.style is not BLANK), glyph)
    return abs(last.baseline - glyph.baseline) <= SAME_LINE * max(last.style.size, glyph.style.size)


def _left_to_right(line: Sequence[Glyph]) -> list[Glyph]:
    if not any(_RIGHT.match(glyph.text) for glyph in line):
        return list(line)
    placed: list[tuple[float, Glyph]] = []
    for number, glyph in enumerate(line):
        left = glyph.left
        if glyph.style is BLANK and placed and number + 1 < len(line):
            left = (line[number - 1].left + line[number + 1].left) / 2
        placed.append((left, glyph))
    return [glyph for _, glyph in sorted(placed, key=lambda pair: pair[0])]


def in_reading_order(text: str) -> str:
    """A line's text, given from left to right, as it is read."""
    if text.isascii():
        return text
    right = len(_RIGHT.findall(text))
    if not right:
        return text
    if 2 * right >= sum(character.isalpha() for character in text):
        text = _LEFT_RUN.sub(lambda match: match.group()[::-1], text[::-1])
        mirrored = text.translate(_MIRRORED)
        text = mirrored if _unpaired(mirrored) < _unpaired(text) else text
    else:
        text = _RUNS.sub(lambda match: match.group()[::-1], text)
    return _ARABIC_FORM.sub(lambda match: unicodedata.normalize("NFKC", match.group()), text)


def _unpaired(text: str) -> int:
    """The number of brackets without a partner; PDFium mirrors some brackets and others not."""
    depth = unpaired = 0
    for character in text:
        if character in "([{":
            depth += 1
        elif character in ")]}" and depth == 0:
            unpaired += 1
        elif character in ")]}":
            depth -= 1
    return unpaired + depth
