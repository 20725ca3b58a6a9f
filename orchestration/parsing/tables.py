"""Tables as grids: cells with row and column spans laid out, and as lines of text.

Comes in: rows of cells as formats give them. Leaves: a rectangular grid in which a spanning cell is
repeated, and a text rendering with one line a row, in which a cell that spans columns stands once.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from orchestration.errors import DocumentTooLargeError

MAX_SPAN = 200
"""Wider or taller spans are typing errors or attacks; the grid is cut to what its rows really hold."""

MAX_CELLS = 2_000_000
"""Of one grid, repeated ones counted: more would fill the memory with what a few bytes say."""


@dataclass(frozen=True, slots=True)
class Cell:
    """One cell as its format gives it."""

    text: str
    column_span: int = 1
    row_span: int = 1


@dataclass(frozen=True, slots=True)
class Grid:
    """A laid-out table: `rows` all have the same length; `starts[r][c]` tells where a cell begins."""

    rows: tuple[tuple[str, ...], ...]
    header_rows: int
    starts: tuple[tuple[bool, ...], ...]

    def lines(self) -> list[str]:
        """One line a row, cells separated by ' | ', empty ones at the end left out."""
        return [self._line(row, starts) for row, starts in zip(self.rows, self.starts, strict=True)]

    @staticmethod
    def _line(row: Sequence[str], starts: Sequence[bool]) -> str:
        cells = [" ".join(text.split()) for text, start in zip(row, starts, strict=True) if start]
        while cells and not cells[-1]:
            cells.pop()
        return " | ".join(cells) if any(cells) else ""


def simple_grid(rows: Iterable[Sequence[str]], header_rows: int = 1) -> Grid:
    """A grid of rows without spans; short rows are filled up with empty cells."""
    return lay_out([[Cell(text) for text in row] for row in rows], header_rows)


def lay_out(rows: Sequence[Sequence[Cell]], header_rows: int) -> Grid:
    """Place cells as HTML does: left to right into the first column that no row span from above holds.

    Raises DocumentTooLargeError beyond MAX_CELLS.

    A row span repeats its text downwards in the rendering too, so that each line can be read alone.
    """
    laid: list[list[tuple[str, bool]]] = []
    hanging: dict[int, tuple[int, str, bool]] = {}
    for row in rows:
        _check_size(len(rows), sum(min(cell.column_span, MAX_SPAN) for cell in row) + len(hanging))
        laid.append(_lay_out_row(row, hanging))
    width = max(map(len, laid), default=0)
    filled = [line + [("", True)] * (width - len(line)) for line in laid]
    return Grid(
        rows=tuple(tuple(text for text, _ in line) for line in filled),
        header_rows=min(header_rows, len(filled)),
        starts=tuple(tuple(start for _, start in line) for line in filled),
    )


def _check_size(rows: int, columns: int) -> None:
    if rows * columns > MAX_CELLS:
        raise DocumentTooLargeError(
            f"a table has {rows:,} rows and {columns:,} columns, more than {MAX_CELLS:,} cells. Check its "
            "spans, or split it."
        )


def _lay_out_row(row: Sequence[Cell], hanging: dict[int, tuple[int, str, bool]]) -> list[tuple[str, bool]]:
    """One row; `hanging` holds, by column, how many more rows a cell from above reaches into."""
    line: list[tuple[str, bool]] = []

    def take_hanging() -> None:
        while len(line) in hanging:
            column = len(line)
            left, text, start = hanging.pop(column)
            if left > 1:
                below[column] = (left - 1, text, start)
            line.append((text, start))

    below: dict[int, tuple[int, str, bool]] = {}
    for cell in row:
        take_hanging()
        for offset in range(max(1, min(cell.column_span, MAX_SPAN))):
            if cell.row_span > 1:
                below[len(line)] = (min(cell.row_span, MAX_SPAN) - 1, cell.text, offset == 0)
            line.append((cell.text, offset == 0))
            hanging.pop(len(line) - 1, None)
    take_hanging()
    hanging.update(below)
    return line
