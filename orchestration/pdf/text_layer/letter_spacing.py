"""Letter-spaced headings: 'A B S T R A C T' is one word.

Comes in: the words of a piece of a line. Leaves: the same, or its letters put together where nearly all of
them stand alone; wider gaps than the usual one part words. Rows of numbers stay as they are. Capitals that
are all apart are parted by their gaps alone, whatever blanks PDFium inserted: 'S TUD Y P RO TOCO L'.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import pairwise
from statistics import median
from typing import Final

from orchestration.pdf.text_layer.characters import Glyph
from orchestration.pdf.text_layer.words import Word

__all__ = ["begins_of_capitals", "closed_up"]

MIN_LETTERS: Final = 4
ALONE: Final = 0.8
"""Share of the words that are one character."""
LETTERS: Final = 0.7
"""Share of the characters that are letters."""
WIDER: Final = 1.6
"""Times the usual gap: as much parts words."""
SPACED: Final = 0.08
"""Of the size: as far apart are capitals that are letter-spaced."""
_NUMBERED = re.compile(r"(\d+(?:\.\d+)*\.?)(?=[^\W\d_])")


def begins_of_capitals(glyphs: Sequence[Glyph]) -> list[bool] | None:
    """Whether each glyph of letter-spaced capitals begins a word; None for any other glyphs."""
    capitals = sum(glyph.text.isupper() for glyph in glyphs)
    if capitals < MIN_LETTERS or capitals < ALONE * len(glyphs) or any(g.text.islower() for g in glyphs):
        return None
    gaps = [after.left - before.right for before, after in pairwise(glyphs)]
    usual, size = median(gaps), min(glyph.style.size for glyph in glyphs)
    if usual < SPACED * size or sorted(gaps)[len(gaps) // 10] < usual / 2:
        return None
    return [False, *(gap > WIDER * usual for gap in gaps)]


def closed_up(words: Sequence[Word]) -> list[Word]:
    """The words of a letter-spaced piece; those of any other unchanged."""
    alone = [word.text for word in words if len(word.text) == 1]
    letters = sum(text.isalpha() for text in alone)
    if letters < MIN_LETTERS or len(alone) < ALONE * len(words) or letters < LETTERS * len(alone):
        return list(words)
    usual = median(after.left - before.right for before, after in pairwise(words))
    closed = [words[0]]
    for before, after in pairwise(words):
        if after.left - before.right <= WIDER * max(usual, 0.1):
            last = closed[-1]
            closed[-1] = Word(last.text + after.text, last.left, after.right)
        else:
            closed.append(after)
    return [part for word in closed for part in _numbered(word)]


def _numbered(word: Word) -> list[Word]:
    """A heading's number and its first word."""
    match = _NUMBERED.match(word.text)
    if match is None:
        return [word]
    at = word.left + (word.right - word.left) * match.end() / len(word.text)
    return [Word(match.group(), word.left, at), Word(word.text[match.end() :], at, word.right)]
