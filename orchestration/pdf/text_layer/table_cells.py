"""The rows, columns and cells of a table whose position on its page is known.

Comes in: the pieces inside a table and the ruled lines of its page. Leaves: borders between its columns,
the lines of text that make one row, and cells; a cell that crosses borders spans their columns.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from statistics import median
from typing import Final

from orchestration.contracts import PdfCell
from orchestration.pdf.text_layer.drawings import Rule
from orchestration.pdf.text_layer.pieces import Piece
from orchestration.pdf.text_layer.right_to_left import in_reading_order
from orchestration.pdf.text_layer.words import Word

__all__ = [
    "SAME_END",
    "Box",
    "Row",
    "borders_of",
    "cells_of",
    "column_of",
    "columns_of",
    "header_rows",
    "level_rules",
    "long_rules",
    "rows_of",
    "upright_rules",
]

MIN_COLUMN_GAP: Final = 0.45
"""Of the size: the least gap between two columns."""
SAME_END: Final = 4.0
"""Points by which the ends of a table's rules may differ."""

MARKS: Final = frozenset("*∗†‡§¶#‖")
HIGH: Final = 0.65
"""Of its size: how high a mark may stand above the baseline of its word."""
MARK: Final = "\x00"
"""Stands before a mark until the cell is whole."""

Box = tuple[float, float, float, float]
"""Left, top, right, bottom."""


@dataclass(slots=True)
class Row:
    """Pieces on one baseline."""

    pieces: list[Piece]

    @property
    def top(self) -> float:
        return min(piece.top for piece in self.pieces)

    @property
    def bottom(self) -> float:
        return max(piece.bottom for piece in self.pieces)

    @property
    def baseline(self) -> float:
        return next((piece for piece in self.pieces if not _is_mark(piece)), self.pieces[0]).baseline

    def words(self) -> list[Word]:
        return sorted((word for piece in self.pieces for word in piece.words), key=lambda word: word.left)


def long_rules(rules: Sequence[Rule]) -> list[Rule]:
    """Horizontal rules, those that go on from one another (a grid's, cell by cell) as one."""
    merged: list[Rule] = []
    for rule in sorted(
        (rule for rule in rules if rule.horizontal), key=lambda rule: (round(rule.top), rule.left)
    ):
        last = merged[-1] if merged else None
        if last is not None and abs(last.top - rule.top) < 1.5 and rule.left <= last.right + 2:
            merged[-1] = Rule(last.left, last.top, max(last.right, rule.right), max(last.bottom, rule.bottom))
        else:
            merged.append(rule)
    return [rule for rule in merged if rule.right - rule.left >= 40]


def rows_of(pieces: Sequence[Piece]) -> list[Row]:
    """The lines of a table; marks that stand alone, high beside their word, are in the line of the word."""
    rows: list[Row] = []
    marks = [piece for piece in pieces if _is_mark(piece)]
    for piece in sorted(pieces, key=lambda piece: (piece.baseline, piece.left)):
        if _is_mark(piece):
            continue
        if rows and abs(rows[-1].baseline - piece.baseline) <= 0.45 * max(
            piece.size, rows[-1].pieces[0].size
        ):
            rows[-1].pieces.append(piece)
        else:
            rows.append(Row([piece]))
    for mark in marks:
        below = [row for row in rows if -0.2 * mark.size <= row.baseline - mark.baseline <= HIGH * mark.size]
        if below:
            min(below, key=lambda row: abs(row.baseline - mark.baseline)).pieces.append(mark)
        else:
            rows.append(Row([mark]))
    for row in rows:
        row.pieces.sort(key=lambda piece: piece.left)
    return sorted(rows, key=lambda row: row.baseline)


def _is_mark(piece: Piece) -> bool:
    return set(piece.text) <= MARKS


def upright_rules(rules: Sequence[Rule], box: Box) -> list[float]:
    """Where vertical rules divide the box into columns, apart from its own edges."""
    left, top, right, bottom = box
    places: dict[int, float] = {}
    for rule in rules:
        upright = not rule.horizontal and rule.top < bottom - 1 and rule.bottom > top + 1
        if upright and left + SAME_END < rule.left < right - SAME_END:
            key = round(rule.left / 3)
            places[key] = places.get(key, 0.0) + min(rule.bottom, bottom) - max(rule.top, top)
    return sorted(key * 3.0 for key, height in places.items() if height >= 0.4 * (bottom - top))


def level_rules(rules: Sequence[Rule], box: Box) -> list[float]:
    """Heights of the rules inside the box that cross at least half of it."""
    left, top, right, bottom = box
    heights = sorted(
        rule.top
        for rule in long_rules(rules)
        if top + 2 < rule.top < bottom - 2
        and min(rule.right, right) - max(rule.left, left) > 0.5 * (right - left)
    )
    return [
        height for number, height in enumerate(heights) if number == 0 or height - heights[number - 1] > 2
    ]


def column_gaps(rows: Sequence[Row], header: int) -> list[float]:
    """Borders of columns: in the strips without words of all rows, and of those below the `header` rows.

    A header that spans columns covers the strips between them; the border is then in a separate gap.
    """
    size = median(piece.size for row in rows for piece in row.pieces)
    several = [row for row in rows if len(row.pieces) >= 2] or list(rows)
    body = [row for row in rows[header:] if len(row.pieces) >= 2]
    everywhere = _strips(several, MIN_COLUMN_GAP * size)
    below = _strips(body, MIN_COLUMN_GAP * size) if len(body) >= 2 else []
    borders = [_emptiest(several, start, end) for start, end in everywhere]
    borders += [
        _emptiest(several, start, end)
        for start, end in below
        if not any(start < other_end and end > other for other, other_end in everywhere)
    ]
    return sorted(borders)


def borders_of(rows: Sequence[Row], header: int, upright: Sequence[float]) -> list[float]:
    """Borders of columns: vertical rules, and gaps between numbers that no vertical rule divides."""
    gaps = column_gaps(rows, header)
    if not upright:
        return gaps
    words = [word for row in rows[header:] for word in row.words()]

    def divided(gap: float) -> bool:
        return any(
            not any(min(gap, rule) <= (word.left + word.right) / 2 <= max(gap, rule) for word in words)
            for rule in upright
        )

    between = [gap for gap in gaps if not divided(gap) and _parts_numbers(rows[header:], gap)]
    return sorted((*upright, *between))


def _parts_numbers(rows: Sequence[Row], gap: float) -> bool:
    """Whether in most rows that it parts the next piece behind a gap is a number."""
    behind = [
        after.text
        for row in rows
        for before, after in pairwise(row.pieces)
        if before.right <= gap <= after.left
    ]
    return 2 * len(behind) >= len(rows) and 2 * sum(map(_begins_with_digit, behind)) > len(behind)


def _begins_with_digit(text: str) -> bool:
    return text.lstrip("<>≤≥=~±−–+-( ")[:1].isdigit()


def _strips(rows: Sequence[Row], width: float) -> list[tuple[float, float]]:
    """Vertical strips at least `width` wide that no row, or of many only one in eight, has words in."""
    events = sorted(
        event for row in rows for word in row.words() for event in ((word.left, 1), (word.right, -1))
    )
    strips: list[tuple[float, float]] = []
    covering, opened = 0, None
    for at, change in events:
        before, covering = covering, covering + change
        if before > len(rows) // 8 >= covering:
            opened = at
        elif covering > len(rows) // 8 >= before and opened is not None:
            strips += [(opened, at)] if at - opened >= width else []
    return strips


def _emptiest(rows: Sequence[Row], start: float, end: float) -> float:
    """The middle of the part of a strip that the fewest rows have words in, near its centre."""
    inside = [word for row in rows for word in row.words() if word.right > start and word.left < end]
    places = sorted(
        {start, end, *(at for word in inside for at in (word.left, word.right) if start < at < end)}
    )
    parts = [
        (sum(word.left < right and word.right > left for word in inside), -(right - left), (left + right) / 2)
        for left, right in pairwise(places)
    ]
    fewest = min(part[0] for part in parts)
    empty = [part for part in parts if part[0] == fewest]
    widest = min(part[1] for part in empty)
    wide = [part[2] for part in empty if part[1] <= 0.6 * widest]
    return min(wide, key=lambda middle: abs(middle - (start + end) / 2))


def columns_of(row: Row, borders: Sequence[float]) -> set[int]:
    return {column_of((word.left + word.right) / 2, borders) for word in row.words()}


def column_of(x: float, borders: Sequence[float]) -> int:
    return sum(border < x for border in borders)


def cells_of(
    band: Sequence[Row], borders: Sequence[float], *, header: bool
) -> tuple[tuple[PdfCell, ...], dict[int, str]]:
    """(The cells of one row, the marks of its numbers by column); '\\n' parts the lines of a cell.

    A piece that crosses borders spans their columns; below the header it is split instead if each border that
    it crosses is between two words.
    """
    texts: list[list[str]] = [[] for _ in range(len(borders) + 1)]
    spans = [1] * len(texts)
    for row in band:
        for piece in row.pieces:
            for first, last, text in _placed(piece, borders, parted=not header and _fills(row, borders)):
                texts[first].append(text)
                spans[first] = max(spans[first], last - first + 1)
    cells: list[PdfCell] = []
    marks: dict[int, str] = {}
    column = 0
    while column < len(texts):
        span = (
            spans[column]
            if all(not texts[other] for other in range(column + 1, column + spans[column]))
            else 1
        )
        text, mark = _without_mark("\n".join(texts[column]))
        if mark:
            marks[column] = mark
        cells.append(PdfCell(text=text, columns=span))
        column += span
    return tuple(cells), marks


def _without_mark(cell: str) -> tuple[str, str]:
    """(A number without the note's mark behind it, the mark); other cells keep theirs in brackets."""
    value, opened, mark = cell.partition(MARK)
    is_number = opened and any(map(str.isdigit, value)) and not any(map(str.isalpha, value))
    if is_number and mark.endswith("]") and MARK not in mark:
        return value.rstrip(), mark[1:-1]
    return cell.replace(MARK, ""), ""


def _text(words: Sequence[Word]) -> str:
    """Words as a text in which MARK stands before each mark."""
    marked = (
        word.text[: -word.mark] + MARK + word.text[-word.mark :] if word.mark else word.text for word in words
    )
    return in_reading_order(" ".join(marked))


def _fills(row: Row, borders: Sequence[float]) -> bool:
    """Whether it has words in every column."""
    return len(columns_of(row, borders)) == len(borders) + 1


def _placed(piece: Piece, borders: Sequence[float], *, parted: bool) -> list[tuple[int, int, str]]:
    """(First column, last column, text): whole if it spans, else its words by their columns."""
    crossed = [border for border in borders if piece.left < border < piece.right]
    if not crossed:
        column = column_of(piece.middle, borders)
        return [(column, column, _text(piece.words))]
    parts: dict[int, list[Word]] = {}
    for word in piece.words:
        if any(word.left < border < word.right for border in crossed):
            return [(column_of(piece.left, borders), column_of(piece.right, borders), _text(piece.words))]
        parts.setdefault(column_of((word.left + word.right) / 2, borders), []).append(word)
    wide = all(
        after.left - before.right < 0.45 * piece.size
        for before, after in pairwise(piece.words)
        if any(before.right <= border <= after.left for border in crossed)
    )
    one_each = len(parts) == len(piece.words) == len(crossed) + 1
    if wide and not parted and len(crossed) < len(borders) and not one_each:
        return [(column_of(piece.left, borders), column_of(piece.right, borders), _text(piece.words))]
    return [(column, column, _text(words)) for column, words in sorted(parts.items())]


def header_rows(bands: Sequence[Sequence[Row]], level: Sequence[float]) -> int:
    """Rows above the first rule inside the table; else the first."""
    if level and len(level) < len(bands):
        above = sum(band[-1].baseline < level[0] + 1 for band in bands)
        if 0 < above <= 4:
            return above
    return 1 if len(bands) > 1 else 0
