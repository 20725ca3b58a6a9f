"""The text layer of a PDF as a converted document: the PDF's own characters, arranged by geometry alone.

Comes in: the bytes of one PDF and limits. Leaves: the JSON of a ConvertedPdf, or EncryptedPdfError,
MalformedDocumentError (broken), PdfWithoutTextError (scanned), PdfLimitError (more pages or characters than
the limits). It can take long or much memory on a hostile file, so `converter` runs it in a
separate process.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Final

from orchestration.contracts import ConvertedPdf, PdfBlock, PdfBlockKind, PdfCell, PdfPage
from orchestration.contracts.pdf import LINE_NUMBERS, SLANTED_TEXT, TURNED_TEXT, WATERMARKS
from orchestration.pdf.text_layer.columns import common_gutters, reading_order
from orchestration.pdf.text_layer.drop_caps import with_drop_caps
from orchestration.pdf.text_layer.headings import mark_headings
from orchestration.pdf.text_layer.hyphens import Vocabulary, joined_lines
from orchestration.pdf.text_layer.line_numbers import without_line_numbers
from orchestration.pdf.text_layer.lines import Line
from orchestration.pdf.text_layer.margins import without_running_lines
from orchestration.pdf.text_layer.opening import language_of, opened, title_of
from orchestration.pdf.text_layer.page_content import PageContent
from orchestration.pdf.text_layer.paragraphs import Part, joined, parts_of
from orchestration.pdf.text_layer.pieces import Piece
from orchestration.pdf.text_layer.sheets import Limits, Sheet, check_readable, sheets_of
from orchestration.pdf.text_layer.tables import TableRegion, find_tables, ruled_pieces
from orchestration.pdf.text_layer.turned_text import is_read
from orchestration.pdf.text_layer.watermarks import without_watermarks
from orchestration.records import PageBox

__all__ = ["NAME", "VERSION", "Limits", "convert"]

NAME: Final = "text-layer"
VERSION: Final = "6"


def convert(pdf: bytes, name: str, limits: Limits) -> bytes:
    """The ConvertedPdf of a PDF as JSON; `name` is its name in errors."""
    document = opened(pdf, name)
    try:
        sheets = sheets_of(document, name, limits)
        title, language = title_of(document), language_of(document)
    finally:
        document.close()
    check_readable(sheets, name)
    sheets, left_out = _readable(sheets)
    parts = _parts(sheets)
    vocabulary = Vocabulary(line.text for part in parts for line in part.lines)
    blocks = [_block(part, vocabulary) for part in parts]
    return (
        ConvertedPdf(
            converter=NAME,
            converter_version=VERSION,
            title=title,
            language=language,
            pages=tuple(_shown(sheet) for sheet in sheets if sheet.main),
            blocks=tuple(block for block in blocks if block.text.strip() or block.rows),
            unmapped_characters=sum(sheet.content.unmapped for sheet in sheets),
            left_out={kind: count for kind, count in left_out.items() if count},
        )
        .model_dump_json()
        .encode()
    )


def _readable(sheets: Sequence[Sheet]) -> tuple[list[Sheet], dict[str, int]]:
    """(The sheets to read, their pieces without what is no text; the characters left out, by kind)."""
    body = _body_size(piece for sheet in sheets if sheet.main for piece in sheet.pieces)
    _forget_bold_text(sheets)
    read = [sheet for sheet in sheets if sheet.main or is_read(sheet, body)]
    left_out = {
        SLANTED_TEXT: sum(sheet.content.slanted for sheet in sheets),
        TURNED_TEXT: sum(sheet.characters for sheet in sheets) - sum(sheet.characters for sheet in read),
    }
    main = [sheet for sheet in read if sheet.main]
    pages, left_out[WATERMARKS] = without_watermarks([sheet.pieces for sheet in main], body)
    pages, left_out[LINE_NUMBERS] = without_line_numbers(pages)
    for sheet, pieces in zip(main, with_drop_caps(pages), strict=True):
        sheet.pieces = pieces
    return read, left_out


def _forget_bold_text(sheets: Sequence[Sheet]) -> None:
    """Where most of the text is bold, or its fonts say so, bold type does not mark headings."""
    bold = sum(len(piece.text) for sheet in sheets for piece in sheet.pieces if piece.bold)
    if 2 * bold > sum(len(piece.text) for sheet in sheets for piece in sheet.pieces):
        for sheet in sheets:
            sheet.pieces = [replace(piece, bold=False) for piece in sheet.pieces]


# --- the document ----------------------------------------------------------------------------------


def _parts(sheets: Sequence[Sheet]) -> list[Part]:
    """All text in reading order, with its kinds."""
    contents = [sheet.content for sheet in sheets]
    pieces = [sheet.pieces for sheet in sheets]
    body = _body_size(piece for page_pieces in pieces for piece in page_pieces)
    ruled = [
        ruled_pieces(page_pieces, content.rules)
        for content, page_pieces in zip(contents, pieces, strict=True)
    ]
    body_pieces = without_running_lines(pieces, [content.frame_height for content in contents], body, ruled)
    runs: list[list[list[Part]]] = [[]]
    """Flows of pages between which all pages were read; no paragraph goes on over one that was not."""
    gutters = common_gutters(body_pieces)
    tables = [
        find_tables(page_pieces, content.rules, body, gutters)
        for content, page_pieces in zip(contents, body_pieces, strict=True)
    ]
    gutters = common_gutters([rest for _, rest in tables])
    for sheet, (found_tables, rest) in zip(sheets, tables, strict=True):
        if sheet.unread:
            runs.append([])
        for flow in reading_order(rest, found_tables, gutters):
            runs[-1].append(parts_of(flow, sheet.content, body))
    parts = [part for flows in runs for part in joined(flows)]
    mark_headings(parts, body)
    return parts


def _body_size(pieces: Iterable[Piece]) -> float:
    """The size of most characters, in half points."""
    sizes: Counter[float] = Counter()
    for piece in pieces:
        sizes[round(piece.size * 2) / 2] += sum(len(word.text) for word in piece.words)
    return sizes.most_common(1)[0][0] if sizes else 10.0


def _block(part: Part, vocabulary: Vocabulary) -> PdfBlock:
    boxes = tuple(_boxes(part))
    table = part.table
    if table is not None:
        notes = [line for region in (table, *(rest for _, rest in part.continued)) for line in region.notes]
        marks = [mark for region in (table, *(rest for _, rest in part.continued)) for mark in region.marks]
        rows = (*table.rows, *(row for _, rest in part.continued for row in _new_rows(table, rest)))
        named = f"Marks in cells: {'; '.join(marks)}." if marks else ""
        return PdfBlock(
            kind=PdfBlockKind.TABLE,
            text=_joined(table.caption, vocabulary),
            boxes=boxes,
            rows=tuple(_joined_cells(row, vocabulary) for row in rows),
            header_rows=table.header_rows,
            notes=tuple(note for note in (_joined(notes, vocabulary), named) if note),
        )
    lines = part.lines
    if part.kind is PdfBlockKind.LIST:
        ends = [*part.items[1:], len(lines)]
        items = [lines[begin:end] for begin, end in zip(part.items, ends, strict=True)]
        text = "\n".join(_joined(item, vocabulary) for item in items)
    else:
        text = _joined(lines, vocabulary)
    return PdfBlock(kind=part.kind, text=text, level=part.level, boxes=boxes)


def _new_rows(table: TableRegion, rest: TableRegion) -> Sequence[tuple[PdfCell, ...]]:
    """The rows of a table's rest without the header that each page repeats."""
    header = table.rows[: table.header_rows]
    return rest.rows[len(header) :] if rest.rows[: len(header)] == header else rest.rows


def _joined_cells(row: Sequence[PdfCell], vocabulary: Vocabulary) -> tuple[PdfCell, ...]:
    """Cells whose lines are joined like those of paragraphs."""
    return tuple(
        cell.model_copy(update={"text": joined_lines(cell.text.split("\n"), vocabulary)}) for cell in row
    )


def _joined(lines: Sequence[Line], vocabulary: Vocabulary) -> str:
    return joined_lines([line.text for line in lines], vocabulary)


def _boxes(part: Part) -> Iterable[PageBox]:
    """One box per stretch, or per page of a table."""
    places: list[tuple[PageContent, Sequence[Line | TableRegion]]] = [
        (stretch.page, stretch.lines) for stretch in part.stretches
    ]
    if part.table is not None:
        places = [(part.page, [part.table]), *((page, [rest]) for page, rest in part.continued)]
    for page, items in places:
        left, top, right, bottom = page.shown(
            max(0.0, min(item.left for item in items)),
            max(0.0, min(item.top for item in items)),
            min(page.frame_width, max(item.right for item in items)),
            min(page.frame_height, max(item.bottom for item in items)),
        )
        yield PageBox(
            page_no=page.page_no,
            left=round(left, 1),
            top=round(top, 1),
            right=round(right, 1),
            bottom=round(bottom, 1),
        )


def _shown(sheet: Sheet) -> PdfPage:
    content = sheet.content
    return PdfPage(page_no=content.page_no, width=content.width, height=content.height, unread=sheet.unread)
