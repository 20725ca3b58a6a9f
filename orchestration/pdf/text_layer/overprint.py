"""Glyphs that are printed twice over themselves: bold by drawing twice, shadows, a text layer under the text.

Comes in: the glyphs of a page. Leaves: those without second copies. A copy is the same character in about
the same size that covers more than half of the other one; two equal letters or digits beside one another
('55', 'll') overlap far less, whatever larger type is near.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product
from typing import Final

from orchestration.pdf.text_layer.characters import Glyph

__all__ = ["printed_once"]

CELL: Final = 8.0
"""Points: glyphs are looked up by cells of the page of this width and height."""
SAME_SIZE: Final = 0.2
COVERED: Final = 0.5
"""Of a glyph's own width: a copy is shifted by less;"""
SAME_OBJECT: Final = 0.1
"""within one text operator, where doubled letters stand, by this much less."""
SHIFTED_DOWN: Final = 0.25
"""Of the size."""


def printed_once(glyphs: Sequence[Glyph]) -> list[Glyph]:
    """The glyphs in their order, the first copy of each."""
    first_copies: list[Glyph] = []
    by_cell: dict[tuple[str, int, int], list[Glyph]] = {}
    for glyph in glyphs:
        if glyph.text == " ":
            first_copies.append(glyph)
            continue
        reach, drop = COVERED * (glyph.right - glyph.left), SHIFTED_DOWN * glyph.style.size
        columns = {int((glyph.left - reach) // CELL), int((glyph.left + reach) // CELL)}
        rows = {int((glyph.baseline - drop) // CELL), int((glyph.baseline + drop) // CELL)}
        others = (other for cell in product(columns, rows) for other in by_cell.get((glyph.text, *cell), ()))
        last = first_copies[-1] if first_copies else None
        if any(_covers(other, glyph, last) for other in others):
            continue
        first_copies.append(glyph)
        cell = int(glyph.left // CELL), int(glyph.baseline // CELL)
        by_cell.setdefault((glyph.text, *cell), []).append(glyph)
    return first_copies


def _covers(other: Glyph, glyph: Glyph, last: Glyph | None) -> bool:
    """Whether the other one is a copy, and not the part of one ligature (ff) that was read just before."""
    size = max(glyph.style.size, other.style.size)
    if abs(glyph.style.size - other.style.size) > SAME_SIZE * size:
        return False
    if abs(glyph.baseline - other.baseline) > SHIFTED_DOWN * size:
        return False
    width = min(glyph.right - glyph.left, other.right - other.left)
    apart = abs(glyph.left - other.left)
    if glyph.style is not other.style:
        return apart <= COVERED * width
    return apart <= SAME_OBJECT * width and not (other is last and apart < 0.01)
