"""Reading order: the columns of a page, and text that runs across them.

Comes in: the pieces of a page without its running lines, and the boxes of its tables. Leaves: `Flow`s in
reading order, each the lines of one column from top to bottom (a table is in its flow at its position). A
gutter is a vertical strip that hardly any piece crosses; what crosses it (a title, a wide table) divides
the page into bands, and each band reads column by column. Pieces that are aligned in rows with little text
in them are a table, not columns, and read row by row.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median
from typing import Final

from orchestration.pdf.text_layer.lines import Line, lines_of
from orchestration.pdf.text_layer.pieces import Piece
from orchestration.pdf.text_layer.tables import TableRegion

__all__ = ["Flow", "common_gutters", "reading_order"]

MAX_DEPTH: Final = 4
MIN_LINES: Final = 3
"""Lines on either side without which a gap is no gutter."""
MIN_GUTTER: Final = 0.6
"""Of the size of the text."""
MAX_STRIPS: Final = 40
"""Gaps that are looked at, the widest first."""
MAX_CROSSING: Final = 0.34
"""Of the lines beside a gutter: as many may cross it (titles, wide figures' captions)."""
SAME_GUTTER: Final = 4.0
"""Points by which one gutter may differ between pages."""
MIN_CUT: Final = 4.0
"""Points of empty height at which a page may be cut into an upper and a lower part."""
MAX_CUTS: Final = 12
LINE: Final = 24
"""Characters, in the middle of all pieces, that cells seldom have and lines of running text do;"""
FILLED: Final = 0.6
"""with half as many they fill such a share of their column's width."""
PROSE_LINES: Final = 8
PROSE_FILLED: Final = 0.85
"""Long lines on either side of a gutter, and the share of its column that most fill, as cells do not."""

Item = Piece | TableRegion


@dataclass(frozen=True, slots=True)
class Flow:
    """One column, or one stretch of text across columns, from top to bottom."""

    items: tuple[Line | TableRegion, ...]
    left: float
    right: float


def common_gutters(pages: Sequence[Sequence[Piece]]) -> list[float]:
    """Gutters that several pages have (of two, one): for pages whose last column holds a line or two."""
    by_page = (_gutter(page) or _gutter_of_prose(page) for page in pages)
    gutters = [gutter for gutter in by_page if gutter is not None]
    needed = 2 if len(pages) > 2 else 1
    return sorted(
        {
            round(position)
            for position in gutters
            if sum(abs(position - other) <= SAME_GUTTER for other in gutters) >= needed
        }
    )


def reading_order(
    pieces: Sequence[Piece], tables: Sequence[TableRegion], gutters: Sequence[float] = ()
) -> list[Flow]:
    """The flows of a page; `gutters` are those of other pages, for a page that shows none."""
    items: list[Item] = [*pieces, *tables]
    flows = _ordered(items, 0)
    if len(flows) == 1 and items:
        known = next((gutter for gutter in gutters if _fits(items, gutter)), None)
        flows = _columns(items, known, 0) if known is not None else flows
    return [_flow(flow) for flow in flows if flow]


def _fits(items: Sequence[Item], gutter: float) -> bool:
    """Whether there are whole lines on both sides, and none across."""
    sides = [
        [item for item in items if item.right <= gutter],
        [item for item in items if item.left >= gutter],
    ]
    whole = all(sides) and sum(map(len, sides)) == len(items)
    return whole and all(map(_is_running_text, sides))


def _flow(items: Sequence[Item]) -> Flow:
    tables = [item for item in items if isinstance(item, TableRegion)]
    lines = lines_of(item for item in items if isinstance(item, Piece))
    return Flow(
        items=tuple(
            sorted(
                (*lines, *tables),
                key=lambda item: (
                    (item.top + item.bottom) / 2 if isinstance(item, TableRegion) else item.baseline
                ),
            )
        ),
        left=min(item.left for item in items),
        right=max(item.right for item in items),
    )


def _ordered(items: Sequence[Item], depth: int) -> list[list[Item]]:
    """The items as flows in reading order."""
    gutter = _gutter(items) if depth < MAX_DEPTH else None
    if gutter is None:
        parts = _cut(items) if depth < MAX_DEPTH else None
        if parts is None:
            return [list(items)]
        return [flow for part in parts for flow in _ordered(part, depth + 1)]
    return _columns(items, gutter, depth)


def _columns(items: Sequence[Item], gutter: float, depth: int) -> list[list[Item]]:
    """The items band by band, in each of them column by column."""
    flows: list[list[Item]] = []
    for across, band in _bands(items, gutter):
        if across:
            flows.append(band)
            continue
        left = [item for item in band if _middle(item) < gutter]
        right = [item for item in band if _middle(item) >= gutter]
        flows.extend(flow for side in (left, right) if side for flow in _ordered(side, depth + 1))
    return flows


def _middle(item: Item) -> float:
    return (item.left + item.right) / 2


def _goes_on(last: Item | None, item: Item) -> bool:
    """Whether it is the next, shorter line of a title or caption that runs across the gutter."""
    if not isinstance(last, Piece) or not isinstance(item, Piece) or abs(last.size - item.size) > 0.3:
        return False
    centred = abs(_middle(last) - _middle(item)) < item.size
    return centred and 0 < item.baseline - last.baseline < 1.6 * item.size


def _cut(items: Sequence[Item]) -> tuple[list[Item], list[Item]] | None:
    """The items above and below an empty horizontal strip, the widest after which one side has columns."""
    ordered = sorted(items, key=lambda item: item.top)
    strips: list[tuple[float, int]] = []
    bottom = ordered[0].bottom if ordered else 0.0
    for number, item in enumerate(ordered[1:], start=1):
        if item.top - bottom > MIN_CUT:
            strips.append((item.top - bottom, number))
        bottom = max(bottom, item.bottom)
    for _, number in sorted(strips, reverse=True)[:MAX_CUTS]:
        above, below = ordered[:number], ordered[number:]
        if any(len(part) >= 4 * MIN_LINES and _gutter(part) is not None for part in (above, below)):
            return above, below
    return None


def _bands(items: Sequence[Item], gutter: float) -> list[tuple[bool, list[Item]]]:
    """Stretches from top to bottom: (crosses the gutter, its items)."""
    bands: list[tuple[bool, list[Item]]] = []
    last: Item | None = None
    for item in sorted(items, key=lambda item: item.top):
        across = (item.left < gutter - 1 and item.right > gutter + 1) or _goes_on(last, item)
        last = item if across else None
        if not bands or bands[-1][0] != across:
            bands.append((across, []))
        bands[-1][1].append(item)
    return bands


def _gutter(items: Sequence[Item]) -> float | None:
    """The middle of the best gutter of these items; None if they are one column."""
    pieces = [item for item in items if isinstance(item, Piece)]
    if len(pieces) < 2 * MIN_LINES:
        return None
    left, right = min(item.left for item in items), max(item.right for item in items)
    size = median(piece.size for piece in pieces)
    best: tuple[float, float] | None = None
    strips = _strips(items, left, right, MIN_GUTTER * size)
    for start, end in sorted(strips, key=lambda strip: strip[0] - strip[1])[:MAX_STRIPS]:
        middle = (start + end) / 2
        score = _worth(items, middle, end - start)
        if score is not None and (best is None or score > best[0]):
            best = (score, middle)
    return best[1] if best else None


def _gutter_of_prose(pieces: Sequence[Piece]) -> float | None:
    """The gutter between the long lines of a page, one of whose columns holds a table beside its prose."""
    lines = [piece for piece in pieces if len(piece.text) >= LINE]
    gutter = _gutter(lines) if len(lines) < len(pieces) else None
    if gutter is None:
        return None
    for side in (
        [piece for piece in lines if piece.right <= gutter],
        [piece for piece in lines if piece.left >= gutter],
    ):
        width = max(piece.right for piece in side) - min(piece.left for piece in side)
        if len(side) < PROSE_LINES or median(piece.width for piece in side) < PROSE_FILLED * width:
            return None
    return gutter


def _strips(items: Sequence[Item], left: float, right: float, width: float) -> list[tuple[float, float]]:
    """Vertical strips at least `width` wide that few items cross, not at the edges."""
    events: list[tuple[float, int]] = []
    for item in items:
        events += [(item.left, 1), (item.right, -1)]
    events.sort(key=lambda event: (event[0], event[1]))
    allowed = MAX_CROSSING * len(items) / 2
    inside = (left + 0.1 * (right - left), right - 0.1 * (right - left))
    strips: list[tuple[float, float]] = []
    crossing, begin = 0, None
    levels: list[tuple[float, float, int]] = []
    for at, change in events:
        if begin is not None and at > begin:
            levels.append((begin, at, crossing))
        crossing += change
        begin = at
    for start, end in _lowest(levels, allowed):
        if end - start >= width and inside[0] < (start + end) / 2 < inside[1]:
            strips.append((start, end))
    return strips


def _lowest(levels: Sequence[tuple[float, float, int]], allowed: float) -> list[tuple[float, float]]:
    """Stretches whose count of crossing items is a local minimum and allowed."""
    merged: list[tuple[float, float, int]] = []
    for start, end, count in levels:
        if merged and merged[-1][2] == count:
            merged[-1] = (merged[-1][0], end, count)
        else:
            merged.append((start, end, count))
    strips = []
    for number, (start, end, count) in enumerate(merged):
        before = merged[number - 1][2] if number else 0
        after = merged[number + 1][2] if number + 1 < len(merged) else 0
        if count <= allowed and count <= before and count <= after:
            strips.append((start, end))
    return strips


def _worth(items: Sequence[Item], gutter: float, width: float) -> float | None:
    """The score of a gutter; None if it is not one."""
    left = [item for item in items if item.right <= gutter]
    right = [item for item in items if item.left >= gutter]
    across = len(items) - len(left) - len(right)
    beside = min(_lines(left), _lines(right))
    if beside < MIN_LINES or across > MAX_CROSSING * (len(left) + len(right)):
        return None
    if min(item.top for item in right) > max(item.bottom for item in left) or min(
        item.top for item in left
    ) > max(item.bottom for item in right):
        return None
    if not (_is_running_text(left) and _is_running_text(right)) and _in_rows(left, right):
        return None
    return beside - 2 * across + min(width, 40) / 4


def _lines(items: Sequence[Item]) -> int:
    return sum(3 if isinstance(item, TableRegion) else 1 for item in items)


def _is_running_text(items: Sequence[Item]) -> bool:
    """Whether its pieces are long or fill their column, as lines do and cells do not."""
    pieces = [item for item in items if isinstance(item, Piece)]
    if not pieces:
        return True
    width = max(item.right for item in items) - min(item.left for item in items)
    length = median(len(piece.text) for piece in pieces)
    return length >= LINE or (
        length >= LINE / 2 and median(piece.width for piece in pieces) >= FILLED * width
    )


def _in_rows(left: Sequence[Item], right: Sequence[Item]) -> bool:
    """Whether most lines of the side with fewer lines have one beside them on the other side."""
    sides = [[item.baseline for item in side if isinstance(item, Piece)] for side in (left, right)]
    fewer, more = sorted(sides, key=len)
    beside = sum(any(abs(baseline - other) < 2 for other in more) for baseline in fewer)
    return beside * 2 > len(fewer)
