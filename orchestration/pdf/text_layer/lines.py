"""Characters to words and pieces of lines, before columns are known.

Comes in: the glyphs of a page in the order of its content. Leaves: `Piece`s, parts of one line without
a wide gap: a line of a column, or a cell of a table; and `Line`s, pieces side by side on one baseline.
Superscripts stay with their line, written as `marks` says.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby, pairwise
from typing import Final

from orchestration.pdf.text_layer.characters import BLANK, Glyph
from orchestration.pdf.text_layer.letter_spacing import begins_of_capitals, closed_up
from orchestration.pdf.text_layer.marks import ASTERISKS, POINTS, SUPERSCRIPTS, Stretch, takes_exponent
from orchestration.pdf.text_layer.page_content import PageContent
from orchestration.pdf.text_layer.pieces import Piece
from orchestration.pdf.text_layer.raised_pieces import with_raised_pieces
from orchestration.pdf.text_layer.right_to_left import in_reading_order, in_visual_order
from orchestration.pdf.text_layer.words import Word, word_of

__all__ = ["Line", "lines_of", "pieces_of"]

WORD_GAP: Final = 0.25
"""Of the size: a wider gap between two characters is a blank even where the PDF has none."""
INNER_GAP: Final = 0.15
"""The same between parts of a line that the PDF draws apart."""
PIECE_GAP: Final = 0.95
"""Of the size: a wider gap ends a piece."""
STRETCHED_GAP: Final = 1.6
"""The same where PDFium takes the gap for a blank: a line that is stretched to both margins."""
WORD_SPACING: Final = 3.0
"""The same where one text operator shows both characters and a blank between them, as in narrow columns."""
CAP_SIZE: Final = 1.5
"""Times the size of the text after it: a letter as large is joined to its word by `drop_caps`."""
_SUPERSCRIPT = re.compile(f"[{''.join(map(chr, SUPERSCRIPTS))}]")
QUOTES: Final = "\"“‘«'„"
ASTERISK_APART: Final = 0.35
"""Of the size: how far from the baseline an asterisk in the size of its line may stand ('a ∗ b')."""
RAISED_SIZE: Final = 0.85
"""Of the size of its line: what is set high is smaller."""
THIN_GAP: Final = 0.09
"""Of the size: a thin space between a number and its unit or its next three digits is wider."""
MARK_GAP: Final = 0.4
"""Of the size: the widest gap between a word and its mark or exponent."""
LEAST_GAP: Final = 0.05
"""Of the size: the least width of a blank that PDFium inserted."""


@dataclass(frozen=True, slots=True)
class Line:
    """Pieces on one baseline, left to right."""

    pieces: tuple[Piece, ...]

    @property
    def text(self) -> str:
        return in_reading_order(" ".join(word.text for piece in self.pieces for word in piece.words))

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
        if len(self.pieces) == 1:
            return self.pieces[0].size
        return max(self.pieces, key=lambda piece: len(piece.text)).size

    @property
    def bold(self) -> bool:
        return all(piece.bold for piece in self.pieces)

    @property
    def face(self) -> str:
        """The face of all pieces; '' if they differ."""
        faces = {piece.face for piece in self.pieces}
        return faces.pop() if len(faces) == 1 else ""

    @property
    def hyphen(self) -> bool:
        return self.pieces[-1].hyphen


def pieces_of(page: PageContent) -> list[Piece]:
    """The pieces of a page, top down, those on one baseline from left to right."""
    runs: list[_Run] = []
    blank: Glyph | None = None
    for glyph in in_visual_order(page.glyphs):
        if glyph.text == " ":
            blank = glyph
            continue
        outside = glyph.right < 0 or glyph.left > page.frame_width
        if outside or glyph.bottom < 0 or glyph.top > page.frame_height or glyph.style.size <= 0:
            continue
        if not runs or not runs[-1].take(glyph, blank):
            runs.append(_Run(glyph))
        blank = None
    pieces = with_raised_pieces([run.piece() for run in runs])
    return _joined(sorted(pieces, key=lambda piece: (piece.baseline, piece.left)))


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


def is_cap(glyph: Glyph, following: Glyph) -> bool:
    """Whether a letter is so much larger than those after it that it may be a drop cap or raised cap."""
    much_smaller = following.style.size * CAP_SIZE <= glyph.style.size
    return much_smaller and glyph.text.isupper() and following.text.isalpha()


class _Run:
    """Glyphs in the order of the content that belong to one piece."""

    def __init__(self, glyph: Glyph) -> None:
        self._glyphs = [glyph]
        self._blanks = [False]
        self._main = glyph
        self._level = True
        """Whether all glyphs are on one baseline."""
        self._seldom_raised: bool | None = None
        """The answer of `_is_seldom_raised`, asked when the run is complete."""

    def take(self, glyph: Glyph, blank: Glyph | None) -> bool:
        """Whether the glyph continues this run; `blank` is one between them."""
        last, main = self._glyphs[-1], self._main
        if len(self._glyphs) <= 2 and is_cap(last, glyph) and self._glyphs[0].text in f"{last.text}{QUOTES}":
            return False
        size = max(main.style.size, glyph.style.size)
        if not self._beside(glyph, size):
            return False
        gap = glyph.left - last.right
        ligature = abs(glyph.left - last.left) < 0.01 and blank is None
        if not ligature and not -0.5 * size <= gap <= size * self._widest_gap(glyph, blank):
            return False
        self._glyphs.append(glyph)
        self._blanks.append(self._parts_words(glyph, gap, blank))
        if glyph.style.size > main.style.size * 1.1:
            self._main = glyph
        return True

    def _parts_words(self, glyph: Glyph, gap: float, blank: Glyph | None) -> bool:
        """Whether a word begins with the glyph; a blank that PDFium inserted must have room."""
        if blank is not None and blank.style is not BLANK:
            return True
        last, size = self._glyphs[-1].style.size, glyph.style.size
        if last == size:
            return gap > (WORD_GAP if blank is None else LEAST_GAP) * size
        smaller, larger = min(last, size), max(last, size)
        raised = smaller < RAISED_SIZE * larger
        if blank is not None and not raised:
            return gap > LEAST_GAP * smaller
        return gap > WORD_GAP * (larger if raised else smaller)

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
        if glyph.text in ASTERISKS and apart <= ASTERISK_APART * size:
            return True
        self._level = False
        smaller = min(main.style.size, glyph.style.size) <= 0.85 * size
        return smaller and apart <= 0.55 * size

    def piece(self) -> Piece:
        glyphs = self._glyphs
        sizes = Counter(glyph.style.size for glyph in glyphs)
        faces = Counter(glyph.style.face for glyph in glyphs)
        face = max(faces, key=lambda name: faces[name])
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
            face=face if faces[face] >= 0.9 * len(glyphs) else "",
            hyphen=glyphs[-1].hyphen or glyphs[-1].text in "-‐\u00ad",
        )

    def _words(self) -> list[Word]:
        words: list[Word] = []
        begin = 0
        self._mark_thin_spaces()
        if (begins := begins_of_capitals(self._glyphs)) is not None and not any(
            map(self._raised, self._glyphs)
        ):
            self._blanks = begins
        self._level = self._level and not _SUPERSCRIPT.search("".join([glyph.text for glyph in self._glyphs]))
        for at in range(1, len(self._glyphs) + 1):
            if at == len(self._glyphs) or (self._blanks[at] and not self._belongs_to_word(begin, at)):
                before = words[-1].text if words else ""
                words.append(self._word(self._glyphs[begin:at], before))
                begin = at
        return closed_up(words)

    def _mark_thin_spaces(self) -> None:
        """Part what a thin space parts: a number and its unit, its next three digits, or the word before it.

        Only where the characters around it touch, as they do not in letter-spaced words.
        """
        glyphs, blanks = self._glyphs, self._blanks
        gaps = [right.left - left.right for left, right in pairwise(glyphs)]
        for at, gap in enumerate(gaps):
            left, right = glyphs[at], glyphs[at + 1]
            size = left.style.size
            if gap <= THIN_GAP * size or blanks[at + 1] or size != right.style.size:
                continue
            if not (left.text.isdigit() or right.text.isdigit()) or not (left.text + right.text).isalnum():
                continue
            around = [*range(max(0, at - 2), at), *range(at + 1, min(len(gaps), at + 3))]
            if all(gaps[other] < LEAST_GAP * size for other in around if not blanks[other + 1]):
                blanks[at + 1] = True

    def _belongs_to_word(self, begin: int, at: int) -> bool:
        """Whether what follows a blank is set high alone and belongs to the word from `begin` up to it.

        The exponent of a 10 or unit does, and a mark before a comma or nearer to this word than to the next.
        """
        glyphs = self._glyphs
        if self._level or not self._raised(glyphs[at]) or self._raised(glyphs[at - 1]):
            return False
        end = next((end for end in range(at + 1, len(glyphs)) if self._blanks[end]), len(glyphs))
        ends = end
        while end > at and glyphs[end - 1].text in POINTS and not self._raised(glyphs[end - 1]):
            end -= 1
        if not all(map(self._raised, glyphs[at:end])) or not self._is_seldom_raised():
            return False
        gap = glyphs[at].left - glyphs[at - 1].right
        if gap > MARK_GAP * self._main.style.size:
            return False
        word, mark = ("".join(glyph.text for glyph in part) for part in (glyphs[begin:at], glyphs[at:end]))
        if end < ends or takes_exponent(word, mark):
            return True
        return end < len(glyphs) and gap < 0.75 * (glyphs[end].left - glyphs[end - 1].right)

    def _word(self, glyphs: Sequence[Glyph], before: str) -> Word:
        if self._level:
            return Word("".join([glyph.text for glyph in glyphs]), glyphs[0].left, glyphs[-1].right)
        stretches = [
            Stretch("".join(glyph.text for glyph in group), raised)
            for raised, group in groupby(glyphs, self._raised)
        ]
        if len(stretches) == 1 and stretches[0].raised and not self._is_seldom_raised():
            return Word(stretches[0].text, glyphs[0].left, glyphs[-1].right)
        return word_of(stretches, glyphs[0].left, glyphs[-1].right, before)

    def _is_seldom_raised(self) -> bool:
        """Whether most glyphs are on the line; beside a few large signs ('|') all others look raised."""
        if self._seldom_raised is None:
            self._seldom_raised = 2 * sum(map(self._raised, self._glyphs)) < len(self._glyphs)
        return self._seldom_raised

    def _raised(self, glyph: Glyph) -> bool:
        if ord(glyph.text[0]) in SUPERSCRIPTS:
            return True
        main = self._main
        return (
            glyph.style.size < RAISED_SIZE * main.style.size
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
            if piece.text == last.text and abs(piece.left - last.left) < min(0.3 * size, 0.5 * last.width):
                continue  # printed twice
            cap = (
                last.text.strip(QUOTES).isupper()
                and len(last.text) <= 2
                and last.size >= CAP_SIZE * piece.size
            )
            if not cap and -0.3 * size <= piece.left - last.right <= 0.6 * size:
                glyphs[-1] = _pasted(last, piece)
            else:
                glyphs.append(piece)
        joined.extend(glyphs)
    return joined


def _pasted(left: Piece, right: Piece) -> Piece:
    words = (*left.words, *right.words)
    gap = right.left - left.right
    if gap <= INNER_GAP * min(left.size, right.size):
        first, second = left.words[-1], right.words[0]
        inner = Word(first.text + second.text, first.left, second.right, second.mark)
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
        face=left.face if left.face == right.face else "",
        hyphen=right.hyphen,
    )
