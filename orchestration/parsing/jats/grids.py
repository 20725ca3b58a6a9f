"""The rows and cells of a JATS table as grids: the XHTML and the OASIS table model.

Comes in: a table element. Leaves: one Grid per group of columns, spans laid out, header rows first and
counted, footer rows last. https://www.niso.org/standards/z39-96/ns/oasis-exchange/table (OASIS, read
2026-11-30).
"""

from __future__ import annotations

import copy
from collections.abc import Iterator
from dataclasses import dataclass, field

from lxml import etree

from orchestration.parsing.tables import MAX_SPAN, Cell, Grid, lay_out
from orchestration.parsing.text_builder import one_line
from orchestration.parsing.xml.inline import inline_text
from orchestration.parsing.xml.trees import local_name

_ROWS = ("tr", "row")
_CELLS = ("td", "th", "entry")
_TABLES = ("table", "entrytbl", "array")
_TABLE_TAGS = tuple(f"{{*}}{name}" for name in _TABLES)
_GROUPS = ("thead", "tbody", "tfoot")


def read_grids(table: etree._Element, note_marks: frozenset[str] = frozenset()) -> list[Grid]:
    """The grids of a table; rows of <thead>, else leading rows of <th> only, are their header.

    A table in a cell is not part of the grid: `nested_tables`.
    """
    groups = [child for child in table if local_name(child) == "tgroup"] or [table]
    return [_read_grid(group, note_marks) for group in groups]


def nested_tables(table: etree._Element) -> list[etree._Element]:
    """Tables in cells of this table, but not those in their cells."""
    return [
        inner for inner in table.iter(*_TABLE_TAGS) if inner is not table and _table_above(inner) is table
    ]


def _table_above(element: etree._Element) -> etree._Element | None:
    return next((above for above in element.iterancestors() if local_name(above) in _TABLES), None)


def _read_grid(group: etree._Element, note_marks: frozenset[str]) -> Grid:
    columns = _Columns.of(group)
    flat = next(group.iterdescendants(*_TABLE_TAGS), None) is None
    parts = sorted(_row_groups(group), key=lambda part: _ORDER[part[0]])
    has_head = any(name == "thead" and elements for name, elements in parts)
    rows: list[list[Cell]] = []
    header = 0
    for name, elements in parts:
        for number, row in enumerate(elements):
            cells = [cell for cell in row if local_name(cell) in (*_CELLS, "entrytbl")]
            left = len(elements) - number
            rows.append([columns.cell(cell, left, _cell_text(cell, flat, note_marks)) for cell in cells])
            leads = header == len(rows) - 1 and not has_head
            if name == "thead" or (leads and _only_headings(cells)):
                header = len(rows)
    return lay_out(rows, header if has_head else min(header, max(1, len(rows) - 1)))


_ORDER = {"thead": 0, "tbody": 1, "tfoot": 2}


def _row_groups(group: etree._Element) -> Iterator[tuple[str, list[etree._Element]]]:
    """(thead, tbody or tfoot; rows) in the order of the record; rows outside of these are a body."""
    loose: list[etree._Element] = []
    for child in group:
        name = local_name(child)
        if name in _ROWS:
            loose.append(child)
        elif name in _GROUPS:
            if loose:
                yield "tbody", loose
                loose = []
            yield name, [row for row in child if local_name(row) in _ROWS]
    if loose:
        yield "tbody", loose


def _only_headings(cells: list[etree._Element]) -> bool:
    return bool(cells) and all(local_name(cell) == "th" for cell in cells)


@dataclass(slots=True)
class _Columns:
    """The columns of an OASIS table by name, and its named spans; empty for an XHTML table."""

    by_name: dict[str, int] = field(default_factory=dict)
    spans: dict[str, tuple[str, str]] = field(default_factory=dict)

    @classmethod
    def of(cls, group: etree._Element) -> _Columns:
        columns = cls()
        column = 0
        for part in group:
            name = local_name(part)
            if name == "colspec":
                column = _number(part.get("colnum"), column + 1)
                columns.by_name[part.get("colname", f"c{column}")] = column - 1
            elif name == "spanspec":
                span = (part.get("namest", ""), part.get("nameend", ""))
                columns.spans[part.get("spanname", "")] = span
        return columns

    def cell(self, cell: etree._Element, rows_left: int, text: str) -> Cell:
        """A cell; a span that leaves its group of rows ends there, as in HTML; 0 is to the group's end."""
        if not self.by_name:
            width, first = _number(cell.get("colspan"), 1), None
        else:
            width, first = self._place(cell)
        height = _number(cell.get("rowspan"), 1) + _number(cell.get("morerows"), 0)
        return Cell(
            text=text,
            column_span=max(1, width),
            row_span=min(height or MAX_SPAN, rows_left),
            column=first,
        )

    def _place(self, cell: etree._Element) -> tuple[int, int | None]:
        """Width and first column of a cell by the names that it gives."""
        start, end = self.spans.get(
            cell.get("spanname", ""), (cell.get("namest", ""), cell.get("nameend", ""))
        )
        first = self.by_name.get(start, self.by_name.get(cell.get("colname", "")))
        last = self.by_name.get(end)
        if first is None or last is None:
            return _number(cell.get("colspan"), 1), first
        return last - first + 1, first


def _cell_text(cell: etree._Element, flat: bool, note_marks: frozenset[str]) -> str:
    """The words of a cell without those of tables in it; `flat` says that no cell holds any."""
    if flat and not len(cell):
        return one_line(inline_text(cell))
    if local_name(cell) == "entrytbl":
        return ""
    if not flat and next(cell.iterdescendants(*_TABLE_TAGS), None) is not None:
        cell = copy.deepcopy(cell)
        for table in list(cell.iter(*_TABLE_TAGS)):
            table.tail = f" {table.tail or ''}"
        etree.strip_elements(cell, *_TABLE_TAGS, with_tail=False)
    return one_line(inline_text(cell, note_marks=note_marks))


def _number(text: str | None, otherwise: int) -> int:
    return int(text) if text is not None and text.isdecimal() and len(text) < 6 else otherwise
