"""Tables of a page, where they can be told: between ruled lines, or under a caption in aligned rows.

Comes in: the pieces and ruled lines of a page. Leaves: `TableRegion`s with their rows of cells, and the pieces
that are in none of them. Told by rules: two or more horizontal ones of one width with rows of several cells
between them, or a grid. Told without rules: rows of at least two cells, each in its column, next to a line
that begins with 'Table'. What is told by neither stays text.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from statistics import median
from typing import Final

from orchestration.contracts import PdfCell
from orchestration.pdf.glyphs import Rule
from orchestration.pdf.lines import Line, Piece, Word, lines_of

__all__ = ["TABLE_CAPTION", "TableRegion", "find_tables"]

TABLE_CAPTION: Final = re.compile(
    r"(?i:(?:supplementary\s+)?tab(?:le|\.))\s+(?:[A-Z]?\d+[A-Za-z]?|[IVX]+)\b\s*(?:$|[.:|(–—-]|[A-Z])"
)
SAME_END: Final = 4.0
"""Points by which the ends of a table's rules may differ."""
MIN_COLUMN_GAP: Final = 0.45
"""Of the size: the least gap between two columns."""
MAX_ROWS: Final = 400
MAX_COLUMNS: Final = 40
CELL_CHARACTERS: Final = 25
"""A row whose pieces are longer on average is a line of several columns of text."""
CAPTION_ABOVE: Final = 60.0
CAPTION_BELOW: Final = 24.0
"""Points from a table within which its caption begins."""
SMALLER: Final = 0.92
"""Of the body's size: what is smaller below a table are its notes."""

Box = tuple[float, float, float, float]
"""Left, top, right, bottom."""


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


@dataclass(slots=True)
class _Row:
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
        return self.pieces[0].baseline

    def words(self) -> list[Word]:
        return sorted((word for piece in self.pieces for word in piece.words), key=lambda word: word.left)


def find_tables(
    pieces: Sequence[Piece], rules: Sequence[Rule], body: float
) -> tuple[list[TableRegion], list[Piece]]:
    """The tables of a page from top to bottom, and the pieces that belong to none; `body`: size of its text."""
    tables: list[TableRegion] = []
    rest = list(pieces)
    for box in _ruled_boxes(rest, rules):
        inside = [piece for piece in rest if _within(piece, *box)]
        _take(tables, rest, inside, rules, box, body)
    for inside in _captioned_rows(rest):
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


def _ruled_boxes(pieces: Sequence[Piece], rules: Sequence[Rule]) -> list[Box]:
    """Boxes between the outermost of the horizontal rules that belong together."""
    boxes: list[Box] = []
    for group in _groups(_long_rules(rules)):
        begin = 0
        for at in range(1, len(group) + 1):
            if at < len(group) and not _is_text_between(pieces, group[at - 1], group[at]):
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


def _long_rules(rules: Sequence[Rule]) -> list[Rule]:
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


def _is_text_between(pieces: Sequence[Piece], above: Rule, below: Rule) -> bool:
    """Is what stands between two rules running text, or does another table begin there?"""
    inside = [piece for piece in pieces if _within(piece, above.left, above.top, above.right, below.bottom)]
    if not inside:
        return below.top - above.bottom > 60
    if any(TABLE_CAPTION.match(piece.text) for piece in inside):
        return True
    width = above.right - above.left
    rows = _rows(inside)
    running = sum(
        sum(piece.width for piece in row.pieces) > 0.7 * width
        and sum(len(piece.text) for piece in row.pieces) >= CELL_CHARACTERS * len(row.pieces)
        for row in rows
    )
    return running * 2 > len(rows) and len(rows) > 1


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


def _captioned_rows(pieces: Sequence[Piece]) -> list[list[Piece]]:
    """Rows of two cells and more right below (else above) a line that begins with 'Table', without rules."""
    found: list[list[Piece]] = []
    rows = _rows(pieces)
    captions = [number for number, row in enumerate(rows) if TABLE_CAPTION.match(row.pieces[0].text)]
    for number in captions:
        following = _cell_rows(rows[number + 1 :], rows[number].bottom)
        if len(following) >= 3:
            found.append([piece for row in following for piece in row.pieces])
    return found


def _cell_rows(rows: Sequence[_Row], begins: float) -> list[_Row]:
    """The rows of cells that follow at `begins`, after at most two more lines of the caption."""
    taken: list[_Row] = []
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


# --- what is in them -------------------------------------------------------------------------------


def _rows(pieces: Sequence[Piece]) -> list[_Row]:
    rows: list[_Row] = []
    for piece in sorted(pieces, key=lambda piece: (piece.baseline, piece.left)):
        if rows and abs(rows[-1].baseline - piece.baseline) <= 0.45 * max(
            piece.size, rows[-1].pieces[0].size
        ):
            rows[-1].pieces.append(piece)
        else:
            rows.append(_Row([piece]))
    for row in rows:
        row.pieces.sort(key=lambda piece: piece.left)
    return rows


def _table(inside: Sequence[Piece], rules: Sequence[Rule], box: Box, captioned: bool) -> TableRegion | None:
    """The table in a box; None if what stands there is none."""
    rows = _rows(inside)
    if len(rows) < 2 or len(rows) > MAX_ROWS:
        return None
    upright = _upright_rules(rules, box)
    borders = upright if len(upright) >= 1 else _gaps(rows)
    if not 1 <= len(borders) < MAX_COLUMNS:
        return None
    several = sum(len(_columns_of(row, borders)) >= 2 for row in rows)
    if several < 2 or (not captioned and several * 2 < len(rows)):
        return None
    level = _level_rules(rules, box)
    grid = bool(upright) and len(level) + 1 >= 0.4 * len(rows)
    bands = _bands(rows, level, borders, grid)
    cells = [_cells(band, borders) for band in bands]
    return TableRegion(tuple(cells), _header_rows(bands, level), *box)


def _upright_rules(rules: Sequence[Rule], box: Box) -> list[float]:
    """Where upright rules part the box into columns, its own edges aside."""
    left, top, right, bottom = box
    places: dict[int, float] = {}
    for rule in rules:
        if not rule.horizontal and rule.top < bottom - 1 and rule.bottom > top + 1:
            if left + SAME_END < rule.left < right - SAME_END:
                key = round(rule.left / 3)
                places[key] = places.get(key, 0.0) + min(rule.bottom, bottom) - max(rule.top, top)
    return sorted(key * 3.0 for key, height in places.items() if height >= 0.4 * (bottom - top))


def _level_rules(rules: Sequence[Rule], box: Box) -> list[float]:
    """Heights of the rules inside the box that go at least half across it."""
    left, top, right, bottom = box
    heights = sorted(
        rule.top
        for rule in _long_rules(rules)
        if top + 2 < rule.top < bottom - 2
        and min(rule.right, right) - max(rule.left, left) > 0.5 * (right - left)
    )
    return [
        height for number, height in enumerate(heights) if number == 0 or height - heights[number - 1] > 2
    ]


def _gaps(rows: Sequence[_Row]) -> list[float]:
    """Middles of the upright strips that no row, but for a few that span columns, has words in."""
    size = median(piece.size for row in rows for piece in row.pieces)
    body = [row for row in rows if len(row.pieces) >= 2] or list(rows)
    events: list[tuple[float, int]] = []
    for row in body:
        for word in row.words():
            events += [(word.left, 1), (word.right, -1)]
    events.sort()
    return _middles(events, max(len(body) // 8, int(len(body) >= 4)), MIN_COLUMN_GAP * size)


def _middles(events: Sequence[tuple[float, int]], allowed: int, width: float) -> list[float]:
    """The emptiest place of each stretch that at most `allowed` rows cover and that is `width` wide."""
    middles: list[float] = []
    stretch: list[tuple[int, float, float]] = []  # (rows, -width, middle) of its parts
    covering, begin = 0, None
    for at, change in events:
        if begin is not None and covering > allowed:
            middles += [min(stretch)[2]] if -sum(part[1] for part in stretch) >= width else []
            stretch = []
        elif begin is not None and at > begin:
            stretch.append((covering, begin - at, (begin + at) / 2))
        covering += change
        begin = at
    return middles


def _columns_of(row: _Row, borders: Sequence[float]) -> set[int]:
    return {_column((word.left + word.right) / 2, borders) for word in row.words()}


def _column(x: float, borders: Sequence[float]) -> int:
    return sum(border < x for border in borders)


def _bands(
    rows: Sequence[_Row], level: Sequence[float], borders: Sequence[float], grid: bool
) -> list[list[_Row]]:
    """Lines of text that make one row of the table.

    In a grid those between two rules; else a line goes with the one above if it is set tight to it, no rule
    is between, and it does not fill its first column and another one.
    """
    parted = [sum(height < (row.top + row.bottom) / 2 for height in level) for row in rows]
    leading = [after.baseline - before.baseline for before, after in pairwise(rows)]
    tight, wide = min(leading, default=0.0), max(leading, default=0.0)
    bands = [[rows[0]]]
    for number, row in enumerate(rows[1:], start=1):
        same = parted[number] == parted[number - 1]
        columns = _columns_of(row, borders)
        complete = 0 in columns and len(columns) > 1
        close = tight < 0.85 * wide and leading[number - 1] < 1.15 * tight
        if same and (grid or (close and not complete)):
            bands[-1].append(row)
        else:
            bands.append([row])
    return bands


def _cells(band: Sequence[_Row], borders: Sequence[float]) -> tuple[PdfCell, ...]:
    """The cells of one row; a piece that crosses borders spans their columns."""
    texts: list[list[str]] = [[] for _ in range(len(borders) + 1)]
    spans = [1] * len(texts)
    for row in band:
        for piece in row.pieces:
            for first, last, text in _placed(piece, borders):
                texts[first].append(text)
                spans[first] = max(spans[first], last - first + 1)
    cells: list[PdfCell] = []
    column = 0
    while column < len(texts):
        span = (
            spans[column]
            if all(not texts[other] for other in range(column + 1, column + spans[column]))
            else 1
        )
        cells.append(PdfCell(text=" ".join(texts[column]), columns=span))
        column += span
    return tuple(cells)


def _placed(piece: Piece, borders: Sequence[float]) -> list[tuple[int, int, str]]:
    """(First column, last column, text): whole if it spans, parted if its words stand in columns of their own."""
    crossed = [border for border in borders if piece.left < border < piece.right]
    if not crossed:
        column = _column(piece.middle, borders)
        return [(column, column, piece.text)]
    parts: dict[int, list[str]] = {}
    for word in piece.words:
        if any(word.left < border < word.right for border in crossed):
            return [(_column(piece.left, borders), _column(piece.right, borders), piece.text)]
        parts.setdefault(_column((word.left + word.right) / 2, borders), []).append(word.text)
    wide = all(
        after.left - before.right < 0.45 * piece.size
        for before, after in pairwise(piece.words)
        if any(before.right <= border <= after.left for border in crossed)
    )
    one_each = len(parts) == len(piece.words) == len(crossed) + 1
    if wide and len(crossed) < len(borders) and not one_each:
        return [(_column(piece.left, borders), _column(piece.right, borders), piece.text)]
    return [(column, column, " ".join(words)) for column, words in sorted(parts.items())]


def _header_rows(bands: Sequence[Sequence[_Row]], level: Sequence[float]) -> int:
    """Rows above the first rule inside the table; else the first."""
    if level and len(level) < len(bands):
        above = sum(band[-1].baseline < level[0] + 1 for band in bands)
        if 0 < above <= 4:
            return above
    return 1 if len(bands) > 1 else 0
