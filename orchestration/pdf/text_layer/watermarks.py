"""Watermarks that stand upright: the same large words across the middle of pages.

Comes in: the pieces of all pages. Leaves: those without watermarks, and the number of characters left out.
(Slanted ones are in no frame, see `glyphs`.)
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Final

from orchestration.pdf.text_layer.pieces import Piece

__all__ = ["without_watermarks"]

LARGER: Final = 2.2
"""Times the size of the text."""
SAME_PLACE: Final = 6.0
"""Points by which its place may differ from page to page."""
MAX_CHARACTERS: Final = 60


def without_watermarks(pages: Sequence[Sequence[Piece]], body: float) -> tuple[list[list[Piece]], int]:
    """(The pieces that are no watermark, by page; characters left out)."""
    places = Counter(_place(piece) for pieces in pages for piece in pieces if _may_be(piece, body))
    repeated = {place for place, count in places.items() if count >= 2}
    remaining = [
        [piece for piece in pieces if not (_may_be(piece, body) and _place(piece) in repeated)]
        for pieces in pages
    ]
    before = sum(len(piece.text) for pieces in pages for piece in pieces)
    return remaining, before - sum(len(piece.text) for pieces in remaining for piece in pieces)


def _may_be(piece: Piece, body: float) -> bool:
    return piece.size >= LARGER * body and 2 < len(piece.text) <= MAX_CHARACTERS


def _place(piece: Piece) -> tuple[str, int, int]:
    return piece.text, round(piece.left / SAME_PLACE), round(piece.baseline / SAME_PLACE)
