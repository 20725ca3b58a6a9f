"""Line numbers of manuscripts and preprints: left out, as they are no part of what the lines say.

Comes in: the pieces of all pages. Leaves: the pieces without them, and how many characters were left out.
Numbers in one column beside the lines are line numbers if they count the lines: from one number to the next
the value grows as the number of lines does, on each page, and running text stands beside them for most of
the pages they are on. Every line may be numbered or every fifth, on the left or right, for each column,
from 1 on each page. Numbers of lists, references and rows count items, not lines, or stand beside no
running text.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from statistics import median
from typing import Final

from orchestration.pdf.text_layer.pieces import Piece

__all__ = ["without_line_numbers"]

ALIGNED: Final = 2.5
"""Points by which the edges of one column of numbers may differ."""
MIN_NUMBERS: Final = 6
MIN_LINES: Final = 12
"""Lines that a column of numbers must count."""
STEPS: Final = (1, 2, 3, 4, 5, 10)
COUNTING: Final = 0.8
"""Share of the steps from number to number that agree with the lines between."""
COVERED: Final = 0.5
"""Share of the lines of its pages that a column of numbers must count."""
RUNNING: Final = 32
"""Characters, in the middle of the lines beside, that running text has."""
CONTINUED: Final = 0.15
"""Share of the lines beside that begin within a sentence, with a small letter."""
APART: Final = 0.6
"""Of the size: the least gap between a line number and its line."""
FULL: Final = 0.85
"""Of the width that a tenth of the lines exceed: as wide is full;"""
MOSTLY_FULL: Final = 0.5
"""of running text such a share of lines is."""
SAME_LINE: Final = 0.5
"""Of the size: baselines that differ by less are one line."""
_NUMBER = re.compile(r"\d{1,5}")


@dataclass(frozen=True, slots=True)
class _Number:
    """A number at the beginning or end of a piece, or one that is a piece."""

    page: int
    piece: Piece
    at: int
    """Index of its word in the piece."""
    value: int
    left: float
    right: float

    @property
    def key(self) -> tuple[int, int]:
        return id(self.piece), self.at


@dataclass(frozen=True, slots=True)
class _Beside:
    """The lines of one page beside a column of numbers: baselines, and the text at each."""

    baselines: tuple[float, ...]
    texts: tuple[str, ...]
    widths: tuple[float, ...]
    """0 for a number without a line."""

    def row(self, baseline: float) -> int:
        return min(range(len(self.baselines)), key=lambda row: abs(self.baselines[row] - baseline))


def without_line_numbers(pages: Sequence[Sequence[Piece]]) -> tuple[list[list[Piece]], int]:
    """(The pieces of each page without line numbers, characters left out)."""
    columns = _columns([number for page, pieces in enumerate(pages) for number in _numbers(page, pieces)])
    dropped: set[tuple[int, int]] = set()
    for column in columns:
        counted = _counted(column, pages)
        if _are_line_numbers(column, counted):
            dropped |= {number.key for number in column if number.page in counted}
    if not dropped:
        return [list(pieces) for pieces in pages], 0
    lines = [[rest for piece in pieces for rest in _without(piece, dropped)] for pieces in pages]
    before = sum(len(word.text) for pieces in pages for piece in pieces for word in piece.words)
    return lines, before - sum(len(word.text) for pieces in lines for piece in pieces for word in piece.words)


def _numbers(page: int, pieces: Iterable[Piece]) -> Iterable[_Number]:
    for piece in pieces:
        for at in {0, len(piece.words) - 1}:
            word = piece.words[at]
            if _NUMBER.fullmatch(word.text) and _is_apart(piece, at):
                yield _Number(page, piece, at, int(word.text), word.left, word.right)


def _is_apart(piece: Piece, at: int) -> bool:
    """Whether more than a blank parts a word from the words beside it."""
    if len(piece.words) == 1:
        return True
    before, after = piece.words[:2] if at == 0 else piece.words[-2:]
    return after.left - before.right >= APART * piece.size


def _columns(numbers: Sequence[_Number]) -> list[list[_Number]]:
    """Numbers with one right edge, or left edge, those with most first; each is in one column only."""
    taken: set[tuple[int, int]] = set()
    columns: list[list[_Number]] = []
    groups = [*_aligned(numbers, right=True), *_aligned(numbers, right=False)]
    for group in sorted(groups, key=len, reverse=True):
        column = [number for number in group if number.key not in taken]
        if len(column) >= MIN_NUMBERS:
            taken |= {number.key for number in column}
            columns.append(column)
    return columns


def _aligned(numbers: Sequence[_Number], *, right: bool) -> list[list[_Number]]:
    groups: list[list[_Number]] = []
    edge = 0.0
    for number in sorted(numbers, key=lambda number: number.right if right else number.left):
        place = number.right if right else number.left
        if groups and place - edge <= ALIGNED:
            groups[-1].append(number)
        else:
            groups.append([number])
            edge = place
    return groups


# --- what stands beside a column of numbers --------------------------------------------------------


def _counted(column: Sequence[_Number], pages: Sequence[Sequence[Piece]]) -> dict[int, _Beside]:
    """By page the lines beside the numbers, where the numbers count them."""
    by_page: dict[int, list[_Number]] = defaultdict(list)
    for number in column:
        by_page[number.page].append(number)
    beside = {page: _beside(numbers, pages[page]) for page, numbers in by_page.items()}
    counted: dict[int, _Beside] = {}
    for page, numbers in by_page.items():
        numbers.sort(key=lambda number: number.piece.baseline)
        agreeing, steps = _agreeing(numbers, beside[page])
        grows = all(above.value < below.value for above, below in pairwise(numbers))
        if grows and beside[page].baselines and agreeing >= COUNTING * steps:
            counted[page] = beside[page]
    return counted


def _agreeing(numbers: Sequence[_Number], beside: _Beside) -> tuple[int, int]:
    """(Steps from number to number by which the lines grow too, all steps)."""
    agreeing = 0
    for above, below in pairwise(numbers):
        grown = below.value - above.value
        rows = beside.row(below.piece.baseline) - beside.row(above.piece.baseline)
        agreeing += grown > 0 and abs(grown - rows) <= (0 if grown == 1 else max(1, grown // 4))
    return agreeing, max(len(numbers) - 1, 0)


def _beside(numbers: Sequence[_Number], pieces: Sequence[Piece]) -> _Beside:
    """The lines of a page on the side of the numbers on which text is nearer."""
    own = {number.key[0]: number for number in numbers}
    left, right = min(number.left for number in numbers), max(number.right for number in numbers)
    to_right, to_left = _lines(pieces, own, right, 1), _lines(pieces, own, left, -1)
    gaps = [_gap(to_right, right, 1), _gap(to_left, left, -1)]
    lines = to_right if gaps[0] <= gaps[1] else to_left
    rows = [(piece.baseline, piece.size, text, piece.width) for piece, text in lines]
    rows += [(number.piece.baseline, number.piece.size, "", 0.0) for number in numbers]
    merged: list[tuple[float, str, float]] = []
    for baseline, size, text, width in sorted(rows):
        if merged and baseline - merged[-1][0] <= SAME_LINE * size:
            merged[-1] = merged[-1][0], merged[-1][1] or text, max(merged[-1][2], width)
        else:
            merged.append((baseline, text, width))
    baselines, texts, widths = zip(*merged, strict=True)
    return _Beside(baselines, texts, widths)


def _lines(
    pieces: Sequence[Piece], own: dict[int, _Number], edge: float, side: int
) -> list[tuple[Piece, str]]:
    """(Piece, its text without a number of the column) of the nearest piece of each line on one side."""
    nearest: dict[int, tuple[float, Piece, str]] = {}
    for piece in pieces:
        number = own.get(id(piece))
        words = [word for at, word in enumerate(piece.words) if number is None or at != number.at]
        if not words:
            continue
        distance = words[0].left - edge if side > 0 else edge - words[-1].right
        row = round(piece.baseline / 3)
        if distance > -ALIGNED and (row not in nearest or distance < nearest[row][0]):
            nearest[row] = (distance, piece, " ".join(word.text for word in words))
    lines = [(piece, text) for _, piece, text in nearest.values()]
    rows = {round(number.piece.baseline / 3) for number in own.values()}
    ends = [
        side * (piece.right if side > 0 else piece.left)
        for row, (_, piece, _) in nearest.items()
        if row in rows
    ]
    if not ends:
        return lines
    end = median(ends)  # what begins beyond it is in the next column
    return [line for line in lines if side * (line[0].left if side > 0 else line[0].right) < end]


def _gap(lines: Sequence[tuple[Piece, str]], edge: float, side: int) -> float:
    """How far the text of a side is from the numbers, in the middle."""
    if len(lines) < MIN_NUMBERS:
        return float("inf")
    return median(piece.left - edge if side > 0 else edge - piece.right for piece, _ in lines)


def _are_line_numbers(column: Sequence[_Number], counted: dict[int, _Beside]) -> bool:
    """Whether a column counts lines of running text on most of its pages."""
    numbers = [number for number in column if number.page in counted]
    texts = [text for beside in counted.values() for text in beside.texts if text]
    if not texts or len(numbers) < MIN_NUMBERS or 2 * len(counted) < len({number.page for number in column}):
        return False
    steps = [below.value - above.value for above, below in pairwise(numbers) if above.page == below.page]
    step = median(steps) if steps else 0
    lines = len(numbers) * step
    widths = sorted(width for beside in counted.values() for width in beside.widths if width)
    full = sum(width >= FULL * widths[len(widths) * 9 // 10] for width in widths)
    letters = [text[0] for text in texts]
    within = sum(letter.islower() or (letter.isalpha() and not letter.isupper()) for letter in letters)
    return (
        step in STEPS
        and lines >= MIN_LINES
        and lines >= COVERED * len(texts)
        and median(map(len, texts)) >= RUNNING
        and full >= MOSTLY_FULL * len(widths)
        and within >= CONTINUED * len(letters)
    )


def _without(piece: Piece, dropped: set[tuple[int, int]]) -> list[Piece]:
    """The piece without its words that are line numbers; none if nothing is left."""
    words = tuple(word for at, word in enumerate(piece.words) if (id(piece), at) not in dropped)
    if len(words) == len(piece.words):
        return [piece]
    if not words:
        return []
    return [replace(piece, words=words, left=words[0].left, right=words[-1].right)]
