"""Text set on its side, apart from a page's other text: tables and paragraphs are read, labels are not.

Comes in: a sheet in another direction than most of its page. Leaves: whether it is read. Stamps in a margin
and the labels of axes are one or two lines, or scattered words, and left out.
"""

from __future__ import annotations

from statistics import median
from typing import Final

from orchestration.pdf.text_layer.sheets import Sheet
from orchestration.pdf.text_layer.table_cells import rows_of
from orchestration.pdf.text_layer.tables import TABLE_CAPTION, find_tables

__all__ = ["is_read"]

MIN_ROWS: Final = 3
RUNNING: Final = 24
"""Characters, in the middle of its pieces, that running text has."""


def is_read(sheet: Sheet, body: float) -> bool:
    """Whether a turned sheet holds a table or at least MIN_ROWS lines of running text."""
    pieces = sheet.pieces
    if len(rows_of(pieces)) < MIN_ROWS:
        return False
    if any(TABLE_CAPTION.match(piece.text) for piece in pieces):
        return True
    tables, _ = find_tables(pieces, sheet.content.rules, body)
    return bool(tables) or median(len(piece.text) for piece in pieces) >= RUNNING
