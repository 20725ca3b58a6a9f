"""Drop caps and raised caps: the large first letter of a text with the word that it begins.

Comes in: the pieces of all pages. Leaves: the same, a cap joined to the first line beside it. 'A' and 'I'
stay words apart where the document writes the rest of the word, and not the whole of it, elsewhere.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Final

from orchestration.pdf.text_layer.pieces import Piece
from orchestration.pdf.text_layer.words import Word

__all__ = ["with_drop_caps"]

LARGER: Final = 1.5
"""Times the size of the text beside it."""
TALL: Final = 0.8
"""Of a cap's size: its height above its baseline."""
BESIDE: Final = 1.0
"""Of the text's size: the widest gap between a cap and its text."""
_CAP = re.compile(r"[\"“‘«'„]?[^\W\d_]")
_WORD = re.compile(r"[^\W\d_]+")


def with_drop_caps(pages: Sequence[Sequence[Piece]]) -> list[list[Piece]]:
    """The pieces of each page with caps joined to their lines."""
    if not any(_CAP.fullmatch(piece.text) for pieces in pages for piece in pieces):
        return [list(pieces) for pieces in pages]
    words = Counter(
        match.group().casefold()
        for pieces in pages
        for piece in pieces
        for match in _WORD.finditer(piece.text)
    )
    return [_joined(pieces, words) for pieces in pages]


def _joined(pieces: Sequence[Piece], words: Counter[str]) -> list[Piece]:
    result = list(pieces)
    for cap in [piece for piece in pieces if _CAP.fullmatch(piece.text) and piece.text[-1].isupper()]:
        line = _first_line(cap, result)
        if line is not None:
            result = [
                _with_cap(cap, line, words) if piece is line else piece
                for piece in result
                if piece is not cap
            ]
    return result


def _first_line(cap: Piece, pieces: Iterable[Piece]) -> Piece | None:
    """The topmost line that begins right beside the cap."""
    beside = [
        piece
        for piece in pieces
        if piece.size * LARGER <= cap.size
        and -0.3 * piece.size <= piece.left - cap.right <= BESIDE * piece.size
        and cap.baseline - TALL * cap.size < piece.baseline <= cap.baseline + 0.15 * piece.size
        and piece.words[0].text[0].isalpha()
    ]
    return min(beside, key=lambda piece: piece.baseline, default=None)


def _with_cap(cap: Piece, line: Piece, words: Counter[str]) -> Piece:
    """The line with the cap before its first word."""
    first = line.words[0]
    rest = _WORD.match(first.text)
    word = rest.group().casefold() if rest else ""
    letter = cap.text[-1].casefold()
    alone = letter in "ai" and words[word] > 1 and not words[letter + word]
    if alone:
        begin: tuple[Word, ...] = (Word(cap.text, cap.left, cap.right), first)
    else:
        begin = (Word(cap.text + first.text, first.left, first.right, first.mark),)
    return replace(line, words=(*begin, *line.words[1:]))
