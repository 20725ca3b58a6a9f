"""Running headers and footers: lines that repeat at the edges of pages are not part of the text.

Comes in: the pieces of every page. Leaves: the same without running titles, page numbers and stamps. A line
goes if it stands near the upper or lower edge and the same line, its numbers aside, stands there on other
pages too; a number alone goes if it counts on with the pages.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Sequence
from itertools import pairwise
from typing import Final

from orchestration.pdf.text_layer.lines import Line, lines_of
from orchestration.pdf.text_layer.pieces import Piece

__all__ = ["without_running_lines"]

EDGE: Final = 0.13
"""Share of the page's height, above and below, in which running lines stand."""
EDGE_LINES: Final = 3
"""Lines that a header or footer has at most."""
GAP: Final = 1.45
"""Of the size: a greater distance of baselines parts them from the text."""
SMALLER: Final = 0.95
"""Of the size of the text: a running line that says something else on each page is smaller"""
ROOM: Final = 1.8
"""and as many times its size away from the text."""
VERY_EDGE: Final = 0.065
"""Share of the height in which one such line is enough, but for the first page."""
SAME_PLACE: Final = 6.0
"""Points by which a running line may move."""
_NUMBER = re.compile(r"\d+")
_PAGE_NUMBER = re.compile(
    r"(?:page|p\.|[-–—|\[(])?\s*(\d{1,5}|[ivxl]{1,6})\s*(?:(?:of|/)\s*\d+)?\s*[-–—|\])]?", re.IGNORECASE
)


def without_running_lines(
    pages: Sequence[Sequence[Piece]], heights: Sequence[float], body: float, ruled: Sequence[Sequence[Piece]]
) -> list[list[Piece]]:
    """The pieces of each page that are not running lines, in their order.

    `body` is the size of the text; `ruled` pieces stand between rules of tables, whose headers repeat too.
    """
    edges = [_edge_lines(pieces, height) for pieces, height in zip(pages, heights, strict=True)]
    running = _repeated(edges) | _counting(edges) | _set_apart(pages, edges, heights, body)
    remaining = []
    for pieces, lines, tabular in zip(pages, edges, ruled, strict=True):
        dropped = {id(piece) for line in lines if id(line) in running for piece in line.pieces}
        dropped -= set(map(id, tabular))
        remaining.append([piece for piece in pieces if id(piece) not in dropped])
    return remaining


def _edge_lines(pieces: Sequence[Piece], height: float) -> list[Line]:
    """The lines at both edges, from the outside, that a gap separates from the text."""
    lines = lines_of(pieces)
    above = [line for line in _outer(lines) if line.baseline <= EDGE * height]
    below = [line for line in _outer(lines[::-1]) if line.baseline >= (1 - EDGE) * height]
    return [*above, *(line for line in below if line not in above)]


def _outer(lines: Sequence[Line]) -> list[Line]:
    """The first lines up to the last gap after at most EDGE_LINES of them; none if there is no gap."""
    if len(lines) <= EDGE_LINES:
        return list(lines)
    gaps = [
        number
        for number, (line, following) in enumerate(pairwise(lines[: EDGE_LINES + 1]), start=1)
        if abs(following.baseline - line.baseline) > GAP * max(line.size, following.size)
    ]
    return list(lines[: max(gaps, default=0)])


def _repeated(edges: Sequence[Sequence[Line]]) -> set[int]:
    """Lines whose words stand at the same height of another page within eight, their numbers aside."""
    alike: dict[str, list[tuple[int, Line]]] = defaultdict(list)
    for number, lines in enumerate(edges):
        for line in lines:
            words = _NUMBER.sub("#", line.text.casefold())
            if any(letter.isalpha() for letter in words):
                alike[words].append((number, line))
    running: set[int] = set()
    for repeated in alike.values():
        for number, line in repeated:
            others = {
                other
                for other, twin in repeated
                if other != number
                and abs(twin.baseline - line.baseline) <= SAME_PLACE
                and abs(other - number) <= 8
            }
            if others:
                running.add(id(line))
    return running


def _set_apart(
    pages: Sequence[Sequence[Piece]], edges: Sequence[Sequence[Line]], heights: Sequence[float], body: float
) -> set[int]:
    """Outermost lines with room to the text: smaller, at one height of pages, or at the very edge."""
    places: dict[int, list[Line]] = defaultdict(list)
    running: set[int] = set()
    for number, (pieces, lines, height) in enumerate(zip(pages, edges, heights, strict=True)):
        for line in lines:
            own = set(map(id, line.pieces))
            others = [piece.baseline for piece in pieces if id(piece) not in own]
            above = [line.baseline - other for other in others if other < line.baseline - 1]
            below = [other - line.baseline for other in others if other > line.baseline + 1]
            outermost = not above or not below
            room = min([*above, *below], default=0.0)
            if not outermost or room <= ROOM * line.size:
                continue
            if line.size <= SMALLER * body:
                places[round(line.baseline / 2)].append(line)
            if number > 0 and not VERY_EDGE < line.baseline / height < 1 - VERY_EDGE:
                running.add(id(line))
    return running | {id(line) for repeated in places.values() if len(repeated) >= 2 for line in repeated}


def _counting(edges: Sequence[Sequence[Line]]) -> set[int]:
    """Page numbers: outermost numbers that grow by one a page; on a single page, one alone below."""
    numbers: dict[int, list[tuple[int, Line]]] = defaultdict(list)
    for page, lines in enumerate(edges):
        for line in lines:
            match = _PAGE_NUMBER.fullmatch(line.text.strip())
            if match:
                value = int(match.group(1)) if match.group(1).isdigit() else _roman(match.group(1))
                numbers[value - page].append((page, line))
    running: set[int] = set()
    for sequence in numbers.values():
        if len({page for page, _ in sequence}) >= 2:
            running |= {id(line) for _, line in sequence}
    if len(edges) == 1:
        running |= {id(line) for sequence in numbers.values() for _, line in sequence if line is edges[0][-1]}
    return running


def _roman(text: str) -> int:
    values = [{"i": 1, "v": 5, "x": 10, "l": 50}[letter] for letter in text.casefold()]
    return sum(
        -value if index + 1 < len(values) and values[index + 1] > value else value
        for index, value in enumerate(values)
    )
