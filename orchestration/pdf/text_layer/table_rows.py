"""Lines of text that make one row of a table.

Comes in: the lines of a table, its rules and the borders of its columns. Leaves: for each row its lines.
Between two rules of a grid all lines are one row, unless labels with a number each stand below one another.
Elsewhere a line goes with the one above it if it is set tight to it and continues its cells: a number below a
number begins a row, and so does a word that had room above it.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import pairwise
from typing import Final

from orchestration.pdf.text_layer.table_cells import Row, column_of, columns_of
from orchestration.pdf.text_layer.words import Word

__all__ = ["table_rows"]

_VALUE: Final = re.compile(r"[<>≤≥=~≈±−–+-]*\s*[.·]?\d[^A-Za-zα-ω]*(?:%|[A-Za-z]{1,2}\b)?[^A-Za-zα-ω]*")
_OPEN: Final = re.compile(r"[-–−±/,(×=<>≤≥~+]$|\b(?:to|and|or|vs\.?)$")
"""Ends of a value that continues on the next line."""


def table_rows(
    rows: Sequence[Row], level: Sequence[float], borders: Sequence[float], grid: bool
) -> list[list[Row]]:
    """The lines of each row; `level` are the heights of rules, `grid` if they divide all rows."""
    parted = [sum(height < (row.top + row.bottom) / 2 for height in level) for row in rows]
    leading = [after.baseline - before.baseline for before, after in pairwise(rows)]
    tight, wide = min(leading, default=0.0), max(leading, default=0.0)
    columns = _Columns(rows, borders)
    listed = {
        part
        for number, part in enumerate(parted)
        if grid and part > 0 and columns.is_listed(number, number - parted.index(part))
    }
    bands = [[rows[0]]]
    for number, row in enumerate(rows[1:], start=1):
        same = parted[number] == parted[number - 1]
        close = tight < 0.85 * wide and leading[number - 1] < 1.15 * tight
        below_header = parted[number] >= min(1, len(level))
        if same and not below_header and columns.adds_counts(number):
            bands[-1].append(row)
            continue
        if grid:
            continues = parted[number] not in listed
        else:
            continues = close and columns.continues(number, bands[-1], below_header=below_header)
        if same and continues:
            bands[-1].append(row)
        else:
            bands.append([row])
    return bands


class _Columns:
    """The words of each line by columns, and how far each column reaches."""

    def __init__(self, rows: Sequence[Row], borders: Sequence[float]) -> None:
        self._rows = rows
        self._borders = borders
        self._cells: list[dict[int, list[Word]]] = []
        self._edges: dict[int, float] = {}
        for row in rows:
            cells: dict[int, list[Word]] = {}
            for word in row.words():
                if not any(word.left < border < word.right for border in borders):
                    cells.setdefault(column_of((word.left + word.right) / 2, borders), []).append(word)
            self._cells.append(cells)
            for column, words in cells.items():
                self._edges[column] = max(self._edges.get(column, 0.0), words[-1].right)

    def continues(self, number: int, band: Sequence[Row], *, below_header: bool) -> bool:
        """Whether a line continues the cells of the row above it."""
        columns = columns_of(self._rows[number], self._borders)
        if below_header and self._begins_value(number, len(band)):
            return False
        if 0 in columns and len(columns) > 1:
            return below_header and all(self._wraps(number, column) for column in columns)
        return not (columns == {0} and below_header and self._is_label(number))

    def adds_counts(self, number: int) -> bool:
        """Whether a line of the header has only parentheses below the names of columns: '(n = 40)'."""
        above = self._cells[number - 1]
        own = {column: words for column, words in self._cells[number].items() if column}
        return bool(own) and all(words[0].text[0] == "(" and column in above for column, words in own.items())

    def is_listed(self, number: int, lines: int) -> bool:
        """Whether a label stands beside a number below a number, `lines` lines below the rule above it."""
        return lines > 0 and 0 in self._cells[number] and self._begins_value(number, lines)

    def _begins_value(self, number: int, lines: int) -> bool:
        """Whether a number stands below a number that is whole, in a column other than the first."""
        for column, words in self._cells[number].items():
            above = next(
                (
                    cells[column]
                    for cells in reversed(self._cells[number - lines : number])
                    if column in cells
                ),
                None,
            )
            if column == 0 or above is None:
                continue
            texts = [" ".join(word.text for word in part) for part in (above, words)]
            if all(map(_VALUE.fullmatch, texts)) and not _is_open(texts[0]):
                return True
        return False

    def _wraps(self, number: int, column: int) -> bool:
        """Whether the first word of a cell's line had no room on the line right above it."""
        above, own = self._cells[number - 1].get(column), self._cells[number].get(column)
        if not above or not own or own[0].left < above[0].left - 2:
            return False
        return own[0].right - own[0].left > self._room(number, column)

    def _room(self, number: int, column: int) -> float:
        """What the line above leaves of its column, but for a blank."""
        above = self._cells[number - 1][column]
        return self._edges[column] - above[-1].right - 0.2 * self._rows[number].pieces[0].size

    def _is_label(self, number: int) -> bool:
        """Whether words in the first column alone are a separate row, such as a heading of the rows below it.

        The end of a label that was too long begins with a small letter or a parenthesis, or no further left
        than its beginning and with a word for which there was no room above it.
        """
        above, own = self._cells[number - 1].get(0), self._cells[number].get(0)
        if not above or not own or own[0].text[0].islower() or own[0].text[0] == "(":
            return False
        return own[0].left < above[0].left - 2 or own[0].right - own[0].left < self._room(number, 0)


def _is_open(value: str) -> bool:
    """Whether a value continues on the next line."""
    return _OPEN.search(value) is not None or value.count("(") > value.count(")")
