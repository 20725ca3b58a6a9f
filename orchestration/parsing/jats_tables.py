"""The tables of a JATS article as grids: the XHTML table model and, roughly, the OASIS one.

Comes in: a table element. Leaves: a Grid, spans laid out, header rows counted.
"""

from __future__ import annotations

from lxml import etree

from orchestration.parsing.tables import Cell, Grid, lay_out
from orchestration.parsing.text_builder import one_line
from orchestration.parsing.xml import local_name
from orchestration.parsing.xml_inline import inline_text

_ROWS = ("tr", "row")
_CELLS = ("td", "th", "entry")


def read_grid(table: etree._Element) -> Grid:
    """The grid of a table; rows of <thead>, else leading rows of <th> only, are its header."""
    rows = [row for row in table.iter() if local_name(row) in _ROWS]
    header = sum(1 for row in rows if _is_header(row))
    return lay_out([[_cell(cell) for cell in row if local_name(cell) in _CELLS] for row in rows], header)


def _is_header(row: etree._Element) -> bool:
    parent = row.getparent()
    if parent is not None and local_name(parent) == "thead":
        return True
    names = {local_name(cell) for cell in row}
    return names == {"th"} and row.getprevious() is None


def _cell(cell: etree._Element) -> Cell:
    return Cell(
        text=one_line(inline_text(cell)),
        column_span=_number(cell.get("colspan"), 1),
        row_span=_number(cell.get("rowspan"), 1) + _number(cell.get("morerows"), 0),
    )


def _number(text: str | None, otherwise: int) -> int:
    return int(text) if text is not None and text.isdecimal() and len(text) < 6 else otherwise
