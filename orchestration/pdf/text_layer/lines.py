"""Characters to words and pieces of lines, before columns are known.

Comes in: the glyphs of a page in the order of its content. Leaves: `Piece`s, parts of one line without
a wide gap: a line of a column, or a cell of a table; and `Line`s, pieces side by side on one baseline.
Superscripts stay with their line; 10 to the power of -3 reads 10^-3. Text printed twice over itself counts
once.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

from orchestration.pdf.text_layer.glyphs import Glyph, PageContent

__all__ = ["Line", "Piece", "Word", "lines_of", "pieces_of"]

WORD_GAP: Final = 0.25
"""Of the size: a wider gap between two characters is a blank even where the PDF has none."""
PIECE_GAP: Final = 0.95
"""Of the size: a wider gap ends a piece."""
STRETCHED_GAP: Final = 1.6
"""The same where PDFium takes the gap for a blank: a line that is stretched to both margins."""
WORD_SPACING: Final = 3.0
"""The same where one text operator shows both characters and a blank between them, as in narrow columns."""
_SIGNED = re.compile(r"[-−–+]\d")


@dataclass(frozen=True, slots=True)
class Word:
    """Adjacent characters without a blank between them."""

    text: str
    left: float
    right: float


@dataclass(frozen=True, slots=True)
class Piece:
    """A part of one line without a wide gap; positions in the frame of the page's text."""

    words: tuple[Word, ...]
    left: float
    top: float
    right: float
    bottom: float
    baseline: float
    size: float
    """Of most of its characters, in points."""
    bold: bool
    """Whether nine of ten characters are."""
    hyphen: bool = False
    """Whether its last character is a hyphen."""

    @property
    def text(self) -> str:
        return " ".join(word.text for word in self.words)

    @property
    def width(self) -> float:
        return self.right - self.left

    @property
    def middle(self) -> float:
        return (self.left + self.right) / 2


@dataclass(frozen=True, slots=True)
class Line:
    """Pieces on one baseline, left to right."""

    pieces: tuple[Piece, ...]

    @property
    def text(self) -> str:
        return " ".join(piece.text for piece in self.pieces)

    @property
    def left(self) -> float:
        return self.pieces[0].left

    @property
    def right(self) -> float:
        return max(piece.right for piece in self.pieces)

    @property
    def top(self) -> float:
        return min(piece.top for piece in self.pieces)

    @property
    def bottom(self) -> float:
        return max(piece.bottom for piece in self.pieces)

    @property
    def baseline(self) -> float:
        return self.pieces[0].baseline

    @property
    def size(self) -> float:
        return max(self.pieces, key=lambda piece: len(piece.text)).size

    @property
    def bold(self) -> bool:
        return all(piece.bold for piece in self.pieces)

    @property
    def hyphen(self) -> bool:
        return self.pieces[-1].hyphen


def pieces_of(page: PageContent) -> list[Piece]:
    """The pieces of a page, top down, those on one baseline from left to right."""
    runs: list[_Run] = []
    blank: Glyph | None = None
    for glyph in page.glyphs:
        if glyph.text == " ":
            blank = glyph
            continue
        outside = glyph.right < 0 or glyph.left > page.frame_width
        if outside or glyph.bottom < 0 or glyph.top > page.frame_height or glyph.style.size <= 0:
            continue
        if not runs or not runs[-1].take(glyph, blank):
            runs.append(_Run(glyph))
        blank = None
    pieces = sorted((run.piece() for run in runs), key=lambda piece: (piece.baseline, piece.left))
    return _joined(pieces)


def lines_of(pieces: Iterable[Piece]) -> list[Line]:
    """The pieces of one column as lines, top down."""
    rows: list[list[Piece]] = []
    for piece in sorted(pieces, key=lambda piece: (piece.baseline, piece.left)):
        if rows and _one_line(rows[-1], piece):
            rows[-1].append(piece)
        else:
            rows.append([piece])
    return [Line(tuple(sorted(row, key=lambda piece: piece.left))) for row in rows]


def _one_line(row: Sequence[Piece], piece: Piece) -> bool:
    """Whether the piece is beside the others, on their baseline or raised a little from it."""
    main = max(row, key=lambda other: other.size)
    apart = abs(piece.baseline - main.baseline)
    if apart > 0.2 * max(main.size, piece.size) and (
        apart > 0.5 * max(main.size, piece.size)
        or min(main.size, piece.size) > 0.85 * max(main.size, piece.size)
    ):
        return False
    return all(
        piece.left >= other.right - 0.3 * piece.size or piece.right <= other.left + 0.3 * piece.size
        for other in row
    )


class _Run:
    """Glyphs in the order of the content that belong to one piece."""

    def __init__(self, glyph: Glyph) -> None:
        self._glyphs = [glyph]
        self._blanks = [False]
        self._main = glyph

    def take(self, glyph: Glyph, blank: Glyph | None) -> bool:
        """Whether the glyph continues this run; `blank` is one between them."""
        last, main = self._glyphs[-1], self._main
        size = max(main.style.size, glyph.style.size)
        if not self._beside(glyph, size):
            return False
        gap = glyph.left - last.right
        ligature = abs(glyph.left - last.left) < 0.01 and blank is None
        if not ligature:
            if not -0.5 * size <= gap <= size * self._widest_gap(glyph, blank):
                return False
            if glyph.text == last.text and abs(glyph.left - last.left) < 0.2 * size and blank is None:
                return True  # printed twice, to look bold
        self._glyphs.append(glyph)
        self._blanks.append(blank is not None or gap > WORD_GAP * min(last.style.size, glyph.style.size))
        if glyph.style.size > main.style.size * 1.1:
            self._main = glyph
        return True

    def _widest_gap(self, glyph: Glyph, blank: Glyph | None) -> float:
        """Of the size; one text object has one style object, so the same object means the same operator."""
        if blank is None:
            return PIECE_GAP
        one_operator = glyph.style is self._glyphs[-1].style is blank.style
        return WORD_SPACING if one_operator else STRETCHED_GAP

    def _beside(self, glyph: Glyph, size: float) -> bool:
        main = self._main
        apart = abs(glyph.baseline - main.baseline)
        if apart <= 0.15 * size:
            return True
        smaller = min(main.style.size, glyph.style.size) <= 0.85 * size
        return smaller and apart <= 0.55 * size

    def piece(self) -> Piece:
        glyphs = self._glyphs
        sizes = Counter(glyph.style.size for glyph in glyphs)
        size = max(sizes, key=lambda value: (sizes[value], value))
        return Piece(
            words=tuple(self._words()),
            left=glyphs[0].left,
            top=min(glyph.top for glyph in glyphs),
            right=max(glyph.right for glyph in glyphs),
            bottom=max(glyph.bottom for glyph in glyphs),
            baseline=self._main.baseline,
            size=size,
            bold=sum(glyph.style.bold for glyph in glyphs) >= 0.9 * len(glyphs),
            hyphen=glyphs[-1].hyphen or glyphs[-1].text in "-‐\u00ad",
        )

    def _words(self) -> Iterable[Word]:
        begin = 0
        for at in range(1, len(self._glyphs) + 1):
            if at == len(self._glyphs) or self._blanks[at]:
                part = self._glyphs[begin:at]
                yield Word(self._spelled(part), part[0].left, part[-1].right)
                begin = at

    def _spelled(self, glyphs: Sequence[Glyph]) -> str:
        """The characters, with '^' before an exponent."""
        parts = [glyphs[0].text]
        for index, (before, glyph) in enumerate(pairwise(glyphs), start=1):
            if self._raised(glyph) and not self._raised(before) and before.text.isdigit():
                rest = "".join(other.text for other in glyphs[index:] if self._raised(other))
                if _SIGNED.match(rest) or "".join(parts).endswith("10"):
                    parts.append("^")
            parts.append(glyph.text)
        return "".join(parts)

    def _raised(self, glyph: Glyph) -> bool:
        main = self._main
        return (
            glyph.style.size < 0.85 * main.style.size
            and glyph.baseline < main.baseline - 0.15 * main.style.size
        )


def _joined(pieces: Sequence[Piece]) -> list[Piece]:
    """Neighbours on one baseline that the content's order separated, as one piece."""
    rows: list[list[Piece]] = []
    for piece in pieces:
        if rows and abs(rows[-1][0].baseline - piece.baseline) <= 0.15 * max(rows[-1][0].size, piece.size):
            rows[-1].append(piece)
        else:
            rows.append([piece])
    joined: list[Piece] = []
    for row in rows:
        row.sort(key=lambda piece: piece.left)
        glyphs = [row[0]]
        for piece in row[1:]:
            last = glyphs[-1]
            size = max(last.size, piece.size)
            if piece.text == last.text and abs(piece.left - last.left) < 0.3 * size:
                continue  # printed twice
            if -0.3 * size <= piece.left - last.right <= 0.6 * size:
                glyphs[-1] = _pasted(last, piece)
            else:
                glyphs.append(piece)
        joined.extend(glyphs)
    return joined


def _pasted(left: Piece, right: Piece) -> Piece:
    words = (*left.words, *right.words)
    gap = right.left - left.right
    if gap <= WORD_GAP * min(left.size, right.size):
        inner = Word(left.words[-1].text + right.words[0].text, left.words[-1].left, right.words[0].right)
        words = (*left.words[:-1], inner, *right.words[1:])
    longer = max(left, right, key=lambda piece: len(piece.text))
    return Piece(
        words=words,
        left=left.left,
        top=min(left.top, right.top),
        right=max(left.right, right.right),
        bottom=max(left.bottom, right.bottom),
        baseline=longer.baseline,
        size=longer.size,
        bold=left.bold and right.bold,
        hyphen=right.hyphen,
    )
