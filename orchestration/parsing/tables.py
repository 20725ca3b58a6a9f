"""Tables as grids: cells with row and column spans laid out, and as lines of text.

Comes in: rows of cells from parsers. Leaves: a rectangular grid in which a spanning cell is repeated, and a
text rendering with one line per row, in which every column has its cell. A few bytes of spans can ask for any
number of cells, so tables are bounded.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from orchestration.errors import DocumentTooLargeError

MAX_SPAN = 200
"""Wider or taller spans are typing errors or attacks; the grid is cut to what its rows really hold."""

MAX_CELLS = 1_000_000
MAX_CHARACTERS = 50_000_000
"""Of one table when laid out, so that repeated cells count as often as they stand there."""


@dataclass(frozen=True, slots=True)
class Cell:
    """One cell with its spans; `column` is its first column, from 0, where the record names it."""

    text: str
    column_span: int = 1
    row_span: int = 1
    column: int | None = None


@dataclass(frozen=True, slots=True)
class Grid:
    """A laid-out table: `rows` all have the same length; `starts[r][c]` is true where a cell begins."""

    rows: tuple[tuple[str, ...], ...]
    header_rows: int
    starts: tuple[tuple[bool, ...], ...]

    def lines(self) -> list[str]:
        """One line per row, cells separated by ' | ', trailing empty cells left out.

        A cell that spans columns is written for each of them, so that the cells of two lines correspond;
        once where no other cell comes after it, unless it heads the columns below. A column in which no cell
        begins is none. A pipe in a cell gets a backslash before it.
        """
        columns = [column for column, starts in enumerate(zip(*self.starts, strict=True)) if any(starts)]
        lines = []
        for number, (row, starts) in enumerate(zip(self.rows, self.starts, strict=True)):
            cells = [" ".join(row[column].split()).replace("|", "\\|") for column in columns]
            begins = [starts[column] for column in columns]
            del cells[_end(cells, begins, is_header=number < self.header_rows) :]
            lines.append(" | ".join(cells))
        return lines


def _end(cells: Sequence[str], begins: Sequence[bool], *, is_header: bool) -> int:
    """The number of cells to write: without empty ones at the end and repeats that name no column."""
    last = max((column for column, text in enumerate(cells) if text), default=-1)
    start = max((column for column in range(last + 1) if begins[column]), default=last)
    heads_columns = is_header and not (start == 0 and last == len(cells) - 1)
    return (last if heads_columns else start) + 1


def simple_grid(rows: Iterable[Sequence[str]], header_rows: int = 1) -> Grid:
    """A grid of rows without spans; short rows are filled up with empty cells.

    Takes no more rows than the bounds allow; raises DocumentTooLargeError.
    """
    return lay_out([[Cell(text) for text in row] for row in _within_bounds(rows)], header_rows)


def lay_out(rows: Sequence[Sequence[Cell]], header_rows: int) -> Grid:
    """Place cells as HTML does: left to right into the first column that no row span from above occupies.

    A cell that names its column stands there, with empty cells before it. A row span repeats its text
    downwards in the rendering too, so that each line can be read alone. Where spans ask for more than the
    bounds, they are left out. Raises DocumentTooLargeError if that is not enough.
    """
    if _beyond_bounds(rows):
        rows = [[Cell(cell.text) for cell in row] for row in rows]
    laid: list[list[tuple[str, bool]]] = []
    hanging: dict[int, tuple[int, str, bool]] = {}
    for row in rows:
        laid.append(_lay_out_row(row, hanging))
    width = max(map(len, laid), default=0)
    if width * len(laid) > MAX_CELLS:
        raise _too_large()
    filled = [line + [("", True)] * (width - len(line)) for line in laid]
    return Grid(
        rows=tuple(tuple(text for text, _ in line) for line in filled),
        header_rows=min(header_rows, len(filled)),
        starts=tuple(tuple(start for _, start in line) for line in filled),
    )


def _within_bounds(rows: Iterable[Sequence[str]]) -> Iterator[Sequence[str]]:
    cells = characters = 0
    for row in rows:
        cells += len(row)
        characters += sum(map(len, row))
        if cells > MAX_CELLS or characters > MAX_CHARACTERS:
            raise _too_large()
        yield row


def _beyond_bounds(rows: Sequence[Sequence[Cell]]) -> bool:
    cells = characters = 0
    for number, row in enumerate(rows):
        for index, cell in enumerate(row):
            if cell.column is not None:
                cells += max(0, min(cell.column, MAX_SPAN) - index)
            height = min(cell.row_span, MAX_SPAN, len(rows) - number)
            repeats = max(1, height) * max(1, min(cell.column_span, MAX_SPAN))
            cells += repeats
            characters += repeats * len(cell.text)
    return cells > MAX_CELLS or characters > MAX_CHARACTERS


def _too_large() -> DocumentTooLargeError:
    return DocumentTooLargeError(
        f"a table of the record has more than {MAX_CELLS:,} cells or {MAX_CHARACTERS:,} characters when "
        "it is laid out. Leave the table out of the record, or split it."
    )


def _lay_out_row(row: Sequence[Cell], hanging: dict[int, tuple[int, str, bool]]) -> list[tuple[str, bool]]:
    """Lay out one row; `hanging` is, by column, the number of further rows that a cell from above spans."""
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
        while cell.column is not None and len(line) < min(cell.column, MAX_SPAN):
            line.append(("", True))
            take_hanging()
        for offset in range(max(1, min(cell.column_span, MAX_SPAN))):
            if cell.row_span > 1:
                below[len(line)] = (min(cell.row_span, MAX_SPAN) - 1, cell.text, offset == 0)
            line.append((cell.text, offset == 0))
            hanging.pop(len(line) - 1, None)
    take_hanging()
    hanging.update(below)
    return line
