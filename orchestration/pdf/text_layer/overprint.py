"""Glyphs that are printed twice over themselves: bold by drawing twice, shadows, a text layer under the text.

Comes in: the glyphs of a page. Leaves: those without second copies. A copy is the same character in about
the same size that covers more than half of the other one; two equal letters or digits beside one another
('55', 'll') overlap far less, whatever larger type is near.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from orchestration.pdf.text_layer.characters import Glyph

__all__ = ["printed_once"]

CELL: Final = 16
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
    last: Glyph | None = None
    for glyph in glyphs:
        text = glyph.text
        if text == " ":
            first_copies.append(glyph)
            continue
        left, baseline = glyph.left, glyph.baseline
        reach, drop = COVERED * (glyph.right - left), SHIFTED_DOWN * glyph.style.size
        columns = int(left - reach) // CELL, int(left + reach) // CELL
        rows = int(baseline - drop) // CELL, int(baseline + drop) // CELL
        copied = False
        for column in range(columns[0], columns[1] + 1):
            for row in range(rows[0], rows[1] + 1):
                for other in by_cell.get((text, column, row), ()):
                    if _covers(other, glyph, last):
                        copied = True
        if not copied:
            first_copies.append(glyph)
            last = glyph
            by_cell.setdefault((text, int(left) // CELL, int(baseline) // CELL), []).append(glyph)
    return first_copies


def _covers(other: Glyph, glyph: Glyph, last: Glyph | None) -> bool:
    """Whether the other one is a copy, and not the part of one ligature (ff) that was read just before."""
    apart = abs(glyph.left - other.left)
    width = min(glyph.right - glyph.left, other.right - other.left)
    if apart > COVERED * width:
        return False
    size = max(glyph.style.size, other.style.size)
    if abs(glyph.style.size - other.style.size) > SAME_SIZE * size:
        return False
    if abs(glyph.baseline - other.baseline) > SHIFTED_DOWN * size:
        return False
    if glyph.style is not other.style:
        return True
    return apart <= SAME_OBJECT * width and not (other is last and apart < 0.01)
