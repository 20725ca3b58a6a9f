"""Tables of a page, where they can be recognised: between ruled lines, or under a caption in aligned rows.

Comes in: the pieces and ruled lines of a page. Leaves: `TableRegion`s with their rows of cells, and the
pieces that are in none of them. By rules: two or more horizontal ones of one width with rows of
several cells between them, or a grid. Without rules: rows of at least two cells, each in its column,
next to a line that begins with 'Table'. Everything else stays text.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from statistics import median
from typing import Final

from orchestration.contracts import PdfCell
from orchestration.pdf.text_layer.drawings import Rule
from orchestration.pdf.text_layer.lines import Line, lines_of
from orchestration.pdf.text_layer.pieces import Piece
from orchestration.pdf.text_layer.table_cells import (
    SAME_END,
    Box,
    Row,
    borders_of,
    cells_of,
    columns_of,
    header_rows,
    level_rules,
    long_rules,
    rows_of,
    upright_rules,
)
from orchestration.pdf.text_layer.table_rows import table_rows

__all__ = ["TABLE_CAPTION", "TableRegion", "find_tables", "ruled_pieces"]

TABLE_CAPTION: Final = re.compile(
    r"(?i:(?:supplementary\s+)?tab(?:le|\.))\s+(?:[A-Z]?\d+[A-Za-z]?|[IVX]+)\b\s*(?:$|[.:|(–—-]|[A-Z])"
)
MAX_CAPTIONS: Final = 50
"""Of one page."""
MAX_ROWS: Final = 400
MAX_COLUMNS: Final = 40
CELL_CHARACTERS: Final = 25
"""A row whose pieces are longer on average is a line of several columns of text."""
PROSE_LINES: Final = 5
PROSE_FILLED: Final = 0.85
"""Long lines in each of two columns of text, and the share of its column that most of them fill."""
MAX_ACROSS: Final = 0.1
"""Of the lines between two rules: as many may cross the gutter."""
DISPLAY: Final = 1.6
DISPLAY_TEXT: Final = 20
"""Times the body's size, and characters, of lines of a title, which no table has."""
FRAMED: Final = 0.8
"""Share of the height between two rules that vertical ones at both ends cover in a frame."""
CAPTION_ABOVE: Final = 60.0
CAPTION_BELOW: Final = 24.0
"""Points from a table within which its caption begins."""
SMALLER: Final = 0.92
"""Of the body's size: what is smaller below a table are its notes."""


@dataclass(frozen=True, slots=True)
class TableRegion:
    """One table, in the frame of the page's text."""

    rows: tuple[tuple[PdfCell, ...], ...]
    header_rows: int
    left: float
    top: float
    right: float
    bottom: float
    caption: tuple[Line, ...] = ()
    notes: tuple[Line, ...] = ()
    marks: tuple[str, ...] = ()
    """Of numbers in cells, set apart from them: 'a (Placebo, Deaths)'."""

    @property
    def columns(self) -> int:
        return sum(cell.columns for cell in self.rows[0])


def ruled_pieces(pieces: Sequence[Piece], rules: Sequence[Rule]) -> list[Piece]:
    """The pieces between the rules of what may be a table."""
    boxes = _ruled_boxes(pieces, rules, ())
    return [piece for piece in pieces if any(_within(piece, *box) for box in boxes)]


def find_tables(
    pieces: Sequence[Piece], rules: Sequence[Rule], body: float, gutters: Sequence[float] = ()
) -> tuple[list[TableRegion], list[Piece]]:
    """The tables of a page, top down, and the pieces that are in none.

    `body` is the size of the text, `gutters` are those between the columns of most pages.
    """
    tables: list[TableRegion] = []
    rest = list(pieces)
    for box in _ruled_boxes(rest, rules, gutters):
        inside = [piece for piece in rest if _within(piece, *box)]
        _take(tables, rest, inside, rules, box, body)
    for inside in _captioned_rows(rest, gutters):
        _take(tables, rest, inside, (), _box(inside), body)
    return sorted(tables, key=lambda table: table.top), rest


def _take(
    tables: list[TableRegion],
    rest: list[Piece],
    inside: Sequence[Piece],
    rules: Sequence[Rule],
    box: Box,
    body: float,
) -> None:
    """Move the table in a box, if there is one, with its caption and notes from `rest` to `tables`."""
    caption = _caption(rest, box)
    if not caption and any(
        piece.size >= DISPLAY * body for piece in inside if len(piece.text) >= DISPLAY_TEXT
    ):
        return  # the title and authors of an article, between two rules
    table = _table(inside, rules, box, bool(caption))
    if table is None:
        return
    notes = _notes(rest, box, body)
    left, top, right, bottom = _box([*caption, *notes], box)
    tables.append(
        replace(
            table,
            left=left,
            top=top,
            right=right,
            bottom=bottom,
            caption=tuple(lines_of(caption)),
            notes=tuple(lines_of(notes)),
        )
    )
    taken = {id(piece) for piece in (*inside, *caption, *notes)}
    rest[:] = [piece for piece in rest if id(piece) not in taken]


def _box(pieces: Sequence[Piece], box: Box | None = None) -> Box:
    boxes = [(piece.left, piece.top, piece.right, piece.bottom) for piece in pieces]
    boxes += [box] if box is not None else []
    lefts, tops, rights, bottoms = zip(*boxes, strict=True)
    return min(lefts), min(tops), max(rights), max(bottoms)


def _within(piece: Piece, left: float, top: float, right: float, bottom: float) -> bool:
    height = (piece.top + piece.bottom) / 2
    return left - SAME_END <= piece.middle <= right + SAME_END and top - 1 <= height <= bottom + 1


# --- where tables are ------------------------------------------------------------------------------


def _ruled_boxes(pieces: Sequence[Piece], rules: Sequence[Rule], gutters: Sequence[float]) -> list[Box]:
    """Boxes between the outermost of the horizontal rules that belong together."""
    boxes: list[Box] = []
    uprights = [rule for rule in rules if not rule.horizontal]
    for group in _groups(long_rules(rules)):
        framed = [_is_framed(above, below, uprights) for above, below in pairwise(group)]
        begin = 0
        for at in range(1, len(group) + 1):
            inner = at < len(group) and (framed[at - 1] or not any(framed))
            if inner and not _is_text_between(pieces, group[at - 1], group[at], gutters):
                continue
            if at - begin >= 2:
                part = group[begin:at]
                boxes.append(
                    (
                        min(rule.left for rule in part),
                        part[0].top,
                        max(rule.right for rule in part),
                        part[-1].bottom,
                    )
                )
            begin = at
    return sorted(boxes, key=lambda box: (box[1], box[0]))


def _is_framed(above: Rule, below: Rule, uprights: Sequence[Rule]) -> bool:
    """Whether vertical rules join the ends of two horizontal ones."""
    height = below.top - above.bottom
    if height <= 0:
        return False
    for end in (above.left, above.right):
        covered = sum(
            max(0.0, min(rule.bottom, below.bottom) - max(rule.top, above.top))
            for rule in uprights
            if abs(rule.left - end) <= SAME_END
        )
        if covered < FRAMED * height:
            return False
    return True


def _groups(rules: Sequence[Rule]) -> list[list[Rule]]:
    """Rules with the same ends, from top to bottom."""
    groups: list[list[Rule]] = []
    for rule in sorted(rules, key=lambda rule: rule.top):
        for group in groups:
            if abs(group[-1].left - rule.left) <= SAME_END and abs(group[-1].right - rule.right) <= SAME_END:
                group.append(rule)
                break
        else:
            groups.append([rule])
    return groups


def _is_text_between(pieces: Sequence[Piece], above: Rule, below: Rule, gutters: Sequence[float]) -> bool:
    """Whether the content between two rules is running text, or another table begins there."""
    inside = [piece for piece in pieces if _within(piece, above.left, above.top, above.right, below.bottom)]
    if not inside:
        return below.top - above.bottom > 60
    if any(TABLE_CAPTION.match(piece.text) for piece in inside):
        return True
    if any(_is_prose(inside, gutter) for gutter in gutters):
        return True
    width = above.right - above.left
    rows = rows_of(inside)
    running = sum(
        sum(piece.width for piece in row.pieces) > 0.7 * width
        and sum(len(piece.text) for piece in row.pieces) >= CELL_CHARACTERS * len(row.pieces)
        for row in rows
    )
    return running * 2 > len(rows) and len(rows) > 1


def _is_prose(pieces: Sequence[Piece], gutter: float) -> bool:
    """Whether there are columns of running text on both sides of a gutter, and hardly anything across it."""
    sides = [
        [piece for piece in pieces if piece.right <= gutter],
        [piece for piece in pieces if piece.left >= gutter],
    ]
    if len(pieces) - sum(map(len, sides)) > MAX_ACROSS * len(pieces):
        return False
    for side in sides:
        lines = [piece for piece in side if len(piece.text) >= CELL_CHARACTERS]
        if len(lines) < PROSE_LINES:
            return False
        width = max(piece.right for piece in side) - min(piece.left for piece in side)
        if median(piece.width for piece in lines) < PROSE_FILLED * width:
            return False
    return True


def _caption(pieces: Sequence[Piece], box: Box) -> list[Piece]:
    """The lines from one that begins with 'Table' to the box, above it, else below it."""
    left, top, right, bottom = box
    near = [piece for piece in pieces if piece.right > left - SAME_END and piece.left < right + SAME_END]
    above = [piece for piece in near if piece.bottom <= top + 3 and piece.top >= top - CAPTION_ABOVE]
    begins = [piece for piece in above if TABLE_CAPTION.match(piece.text)]
    if begins:
        first = max(begins, key=lambda piece: piece.baseline)
        return [piece for piece in above if piece.baseline >= first.baseline - 2]
    below = [piece for piece in near if bottom - 3 <= piece.top <= bottom + CAPTION_BELOW]
    first_below = next((piece for piece in below if TABLE_CAPTION.match(piece.text)), None)
    if first_below is None:
        return []
    return _following(near, first_below, lambda piece: abs(piece.size - first_below.size) < 0.3)


def _notes(pieces: Sequence[Piece], box: Box, body: float) -> list[Piece]:
    """Lines in smaller type right below the box."""
    left, _, right, bottom = box
    near = [piece for piece in pieces if piece.left >= left - SAME_END and piece.right <= right + SAME_END]
    small = [piece for piece in near if piece.size <= SMALLER * body and piece.top >= bottom - 3]
    first = min(small, key=lambda piece: piece.baseline, default=None)
    if first is None or first.top > bottom + 1.2 * first.size or TABLE_CAPTION.match(first.text):
        return []
    return _following(near, first, lambda piece: piece.size <= SMALLER * body)


def _following(pieces: Sequence[Piece], first: Piece, wanted: Callable[[Piece], bool]) -> list[Piece]:
    """`first` and the wanted pieces beside and right below it, line after line."""
    taken: list[Piece] = []
    end = first.baseline
    for piece in sorted(pieces, key=lambda piece: piece.baseline):
        if piece.baseline < first.baseline - 0.5 * first.size:
            continue
        if piece.baseline - end > 1.45 * first.size or not wanted(piece):
            break
        taken.append(piece)
        end = piece.baseline
    return taken


def _captioned_rows(pieces: Sequence[Piece], gutters: Sequence[float]) -> list[list[Piece]]:
    """Rows of two cells and more below a line that begins with 'Table', without rules."""
    rows: list[list[Piece]] = []
    for caption in [piece for piece in pieces if TABLE_CAPTION.match(piece.text)][:MAX_CAPTIONS]:
        below = [piece for piece in pieces if piece.baseline > caption.baseline + 0.5 * caption.size]
        following = _cell_rows(rows_of(_beside(caption, below, gutters)), caption.bottom)
        if len(following) >= 3:
            rows.append([piece for row in following for piece in row.pieces])
    return rows


def _beside(caption: Piece, pieces: Sequence[Piece], gutters: Sequence[float]) -> Sequence[Piece]:
    """The pieces in the caption's column, if it is in one and nothing right below crosses its gutter."""
    for gutter in gutters:
        near = [piece for piece in pieces if piece.top < caption.bottom + 3 * caption.size]
        if not any(piece.left < gutter < piece.right for piece in (caption, *near)):
            left = caption.right <= gutter
            pieces = [piece for piece in pieces if (piece.right <= gutter if left else piece.left >= gutter)]
    return pieces


def _cell_rows(rows: Sequence[Row], begins: float) -> list[Row]:
    """The rows of cells that follow at `begins`, after at most two more lines of the caption."""
    taken: list[Row] = []
    end = begins
    for row in rows:
        size = row.pieces[0].size
        if row.top - end > (3.0 if not taken else 2.0) * size:
            break
        cells = [len(piece.text) for piece in row.pieces]
        if len(cells) >= 2 and sum(cells) < CELL_CHARACTERS * len(cells):
            taken.append(row)
        elif taken or row.baseline - begins > 3.5 * size:
            break
        end = row.bottom
    return taken


def _table(inside: Sequence[Piece], rules: Sequence[Rule], box: Box, captioned: bool) -> TableRegion | None:
    """The table in a box; None if there is none."""
    rows = rows_of(inside)
    if len(rows) < 2 or len(rows) > MAX_ROWS:
        return None
    upright, level = upright_rules(rules, box), level_rules(rules, box)
    header = sum(row.baseline < level[0] for row in rows) if level else 1
    borders = borders_of(rows, header, upright)
    if not 1 <= len(borders) < MAX_COLUMNS:
        return None
    several = sum(len(columns_of(row, borders)) >= 2 for row in rows)
    if several < 2 or (not captioned and several * 2 < len(rows)):
        return None
    grid = bool(upright) and len(level) + 1 >= 0.4 * len(rows)
    bands = table_rows(rows, level, borders, grid)
    heads = header_rows(bands, level)
    read = [cells_of(band, borders, header=number < heads) for number, band in enumerate(bands)]
    cells = tuple(row for row, _ in read)
    named = [
        f"{mark} ({', '.join(filter(None, (_label(row[0]), _name_of(column, cells[:heads]))))})"
        for row, marks in read
        for column, mark in marks.items()
    ]
    return TableRegion(cells, heads, *box, marks=tuple(named))


def _name_of(column: int, header: Sequence[Sequence[PdfCell]]) -> str:
    """The lowest header cell above a column."""
    for row in reversed(header):
        begin = 0
        for cell in row:
            if begin <= column < begin + cell.columns and cell.text:
                return _label(cell)
            begin += cell.columns
    return ""


def _label(cell: PdfCell) -> str:
    """The lines of a cell as one."""
    return " ".join(cell.text.split())
