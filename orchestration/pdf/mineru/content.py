"""MinerU's output for a PDF as a converted document.

Comes in: `content_list` (blocks in reading order, boxes in thousandths of a page) and `middle_json` (the
size of every page) of one PDF. Leaves: a ConvertedPdf, or ConversionFailedError for anything else. Running
headers, footers, page numbers and marginal notes, which MinerU marks, are left out; Markdown's escapes
are undone. Formulas stay LaTeX, but for marks, powers and indices (see `scripts`). An unknown type is read
as a paragraph if it has a text.
https://opendatalab.github.io/MinerU/reference/output_files/ (read 2026-11-28), and, for what the page
leaves open, mineru/backend/pipeline/pipeline_middle_json_mkcontent.py of MinerU 3.4.4
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from lxml import etree, html
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from orchestration.contracts import ConvertedPdf, PdfBlock, PdfBlockKind, PdfCell, PdfPage
from orchestration.errors import ConversionFailedError
from orchestration.pdf.mineru.scripts import Piece, Place, piece_of_formula, pieces_of_cell, written
from orchestration.records import PageBox

__all__ = ["converted"]

LEFT_OUT: Final = frozenset({"header", "footer", "page_number", "aside_text", "phonetic"})
MAX_CELLS: Final = 100_000
"""Of one table; more is no table but an attack or a mistake."""
MAX_SPAN: Final = 200
_ESCAPED = re.compile(r"\\([*_`~$#+-])")
_FORMULA = re.compile(r"(?<!\\)\$([^$]+)(?<!\\)\$")
_FENCE = re.compile(r"^```\w*\n|\n```$")


class _Page(BaseModel):
    page_idx: int = Field(ge=0)
    page_size: tuple[float, float]


class _Middle(BaseModel):
    pdf_info: list[_Page]


class _Item(BaseModel):
    """One entry of content_list; fields that only some types have are empty in others."""

    model_config = ConfigDict(extra="ignore")

    type: str
    page_idx: int = Field(ge=0)
    bbox: tuple[float, float, float, float] | None = None
    text: str | None = None
    text_level: int | None = None
    sub_type: str | None = None
    list_items: list[str] = Field(default_factory=list)
    table_body: str | None = None
    table_caption: list[str] = Field(default_factory=list)
    table_footnote: list[str] = Field(default_factory=list)
    image_caption: list[str] = Field(default_factory=list)
    image_footnote: list[str] = Field(default_factory=list)
    chart_caption: list[str] = Field(default_factory=list)
    chart_footnote: list[str] = Field(default_factory=list)
    code_body: str | None = None
    code_caption: list[str] = Field(default_factory=list)


_ITEMS: Final = TypeAdapter(list[_Item])


def converted(content_list: str | bytes, middle_json: str | bytes, name: str, version: str) -> ConvertedPdf:
    """The document; `name` is its name in errors, `version` that of the converter."""
    try:
        items = _ITEMS.validate_json(content_list)
        pages = [
            PdfPage(page_no=page.page_idx + 1, width=page.page_size[0], height=page.page_size[1])
            for page in _Middle.model_validate_json(middle_json).pdf_info
        ]
        blocks = _blocks(items, {page.page_no: page for page in pages})
        return ConvertedPdf(
            converter="mineru", converter_version=version, pages=tuple(pages), blocks=tuple(blocks)
        )
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"])) or "its JSON"
        raise ConversionFailedError(
            f"{name}: MinerU's result is no document: {place}: {first['msg']}. Is the service a MinerU 3?"
        ) from error
    except KeyError as error:
        raise ConversionFailedError(
            f"{name}: MinerU's result is no document: a block stands on page {error}, which it does not list."
        ) from error


def _blocks(items: Sequence[_Item], pages: Mapping[int, PdfPage]) -> list[PdfBlock]:
    blocks = [block for item in items for block in _block(item, pages[item.page_idx + 1])]
    title = next(
        (
            number
            for number, block in enumerate(blocks)
            if block.kind is PdfBlockKind.HEADING and block.level == 1 and block.page_no == 1
        ),
        None,
    )
    if title is not None:
        blocks[title] = blocks[title].model_copy(update={"kind": PdfBlockKind.TITLE, "level": None})
    highest = min((block.level for block in blocks if block.level is not None), default=1)
    return [
        block if block.level is None else block.model_copy(update={"level": block.level - highest + 1})
        for block in blocks
    ]


def _block(item: _Item, page: PdfPage) -> Iterator[PdfBlock]:
    """The block of one entry; None if it is empty."""
    place = (_box(item, page),)
    if item.type in LEFT_OUT:
        return
    if item.type == "table":
        rows, header_rows = _rows(item.table_body or "")
        caption, notes = _joined(item.table_caption), tuple(map(_plain, item.table_footnote))
        if rows or caption:
            yield PdfBlock(
                kind=PdfBlockKind.TABLE,
                text=caption,
                boxes=place,
                rows=rows,
                header_rows=header_rows,
                notes=notes,
            )
        return
    kind, text, notes = _text(item)
    if text.strip():
        level = min(max(item.text_level or 1, 1), 9) if kind is PdfBlockKind.HEADING else None
        yield PdfBlock(kind=kind, text=text, level=level, boxes=place, notes=notes)


def _text(item: _Item) -> tuple[PdfBlockKind, str, tuple[str, ...]]:
    """Kind, text and notes of an entry that is not a table."""
    if item.type in ("image", "chart"):
        notes = tuple(map(_plain, (*item.image_footnote, *item.chart_footnote)))
        return PdfBlockKind.FIGURE_CAPTION, _joined((*item.image_caption, *item.chart_caption)), notes
    if item.type == "list":
        kind = PdfBlockKind.REFERENCE if item.sub_type == "ref_text" else PdfBlockKind.LIST
        return kind, "\n".join(" ".join(_plain(entry).split()) for entry in item.list_items), ()
    if item.type == "code":
        code = _FENCE.sub("", item.code_body or "")
        return PdfBlockKind.LIST, "\n".join((*map(_plain, item.code_caption), code)), ()
    return *_plain_text(item, item.text or ""), ()


def _plain_text(item: _Item, text: str) -> tuple[PdfBlockKind, str]:
    """Kind and text of an entry that has only a text."""
    if item.type == "equation":
        return PdfBlockKind.EQUATION, text.strip().removeprefix("$$").removesuffix("$$").strip()
    if item.type == "text" and item.text_level:
        return PdfBlockKind.HEADING, " ".join(_plain(text).split())
    if item.type == "text" and "  \n" in text:
        return PdfBlockKind.LIST, "\n".join(_plain(line).rstrip() for line in text.split("\n"))
    footnote = item.type == "page_footnote"
    return (PdfBlockKind.FOOTNOTE if footnote else PdfBlockKind.PARAGRAPH), _plain(text)


def _plain(text: str) -> str:
    """Text as printed: without Markdown's escapes; formulas within it without their dollars.

    A formula that is only an index, power or mark is written as one: 10^6, 45[2].
    """
    return written(_pieces(text))


def _pieces(text: str) -> Iterator[Piece]:
    end = 0
    for formula in _FORMULA.finditer(text):
        yield Piece(_ESCAPED.sub(r"\1", text[end : formula.start()]), Place.LINE)
        yield piece_of_formula(formula.group(1)) or Piece(formula.group(1).strip(), Place.LINE)
        end = formula.end()
    yield Piece(_ESCAPED.sub(r"\1", text[end:]), Place.LINE)


def _joined(texts: Sequence[str]) -> str:
    return " ".join(_plain(text).strip() for text in texts if text.strip())


def _box(item: _Item, page: PdfPage) -> PageBox:
    """The entry's box in points; the whole page if it has none."""
    left, top, right, bottom = item.bbox or (0, 0, 1000, 1000)
    across, down = page.width / 1000, page.height / 1000
    return PageBox(
        page_no=page.page_no,
        left=round(min(left, right) * across, 1),
        top=round(min(top, bottom) * down, 1),
        right=round(max(left, right) * across, 1),
        bottom=round(max(top, bottom) * down, 1),
    )


# --- tables, which are HTML ------------------------------------------------------------------------


def _rows(body: str) -> tuple[tuple[tuple[PdfCell, ...], ...], int]:
    """The rows of an HTML table and how many of the first are header."""
    if not body.strip():
        return (), 0
    try:
        root = html.fragment_fromstring(body, create_parent="div")
    except (etree.ParserError, etree.XMLSyntaxError, ValueError):
        return ((PdfCell(text=body),),), 0
    rows: list[tuple[PdfCell, ...]] = []
    header = cells = 0
    for row in root.iter("tr"):
        row_cells = [cell for cell in row.iter("td", "th") if next(cell.iterancestors("tr"), None) is row]
        cells += len(row_cells)
        if cells > MAX_CELLS:
            break
        if len(rows) == header and row_cells and all(cell.tag == "th" for cell in row_cells):
            header += 1
        rows.append(tuple(_cell(cell) for cell in row_cells))
    return tuple(rows), header or min(1, len(rows))


def _cell(cell: Any) -> PdfCell:
    pieces = (
        part
        for piece in pieces_of_cell(cell)
        for part in (_pieces(piece.text) if piece.place is Place.LINE else (piece,))
    )
    text = " ".join(written(pieces).split())
    return PdfCell(text=text, columns=_span(cell.get("colspan")), rows=_span(cell.get("rowspan")))


def _span(value: str | None) -> int:
    return (
        min(max(int(value), 1), MAX_SPAN) if value is not None and value.isascii() and value.isdigit() else 1
    )
