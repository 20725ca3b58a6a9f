"""Converted PDFs (`pdf-ir`, see contracts/pdf.py): the same Document for every converter.

Comes in: the JSON of one converted PDF. Leaves: a Document in which every block has its page and boxes;
headings nest by their level, tables are grids, and what follows a heading such as 'References' is the
reference list, never text. A converted PDF without a word in it is an EmptyDocumentError.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import BinaryIO, Final

import structlog
from pydantic import ValidationError

from orchestration.contracts import (
    PDF_IR,
    ConvertedPdf,
    PdfBlock,
    PdfBlockKind,
    RecordLocation,
)
from orchestration.errors import MalformedDocumentError
from orchestration.parsing.byte_stream import hashed_file
from orchestration.parsing.encoding import decode_head
from orchestration.parsing.tables import Cell, lay_out
from orchestration.parsing.text_builder import DocumentBuilder, Place, one_line
from orchestration.records import BlockKind, Document, RawPayload

_SIGN = re.compile(r'\s*\{\s*"format"\s*:\s*"pdf-ir"')
_REFERENCE_LIST = re.compile(
    r"(?:\d+\.?\s+)?(?:references?(?: list| cited)?|bibliography|literature(?: cited)?|works cited)\s*[.:]?",
    re.IGNORECASE,
)
_ENTRY = re.compile(r"(?:\[(?P<bracketed>\w{1,8})\]|(?P<number>\d{1,4})[.)])\s+(?P<text>\S.*)", re.DOTALL)
_DOI = re.compile(r"\b10\.\d{4,9}/[^\s\"<>]+[^\s\"<>.,;)\]]")
_PMID = re.compile(r"\bPMID\s*:?\s*(\d{1,8})\b", re.IGNORECASE)
_TABLE_LABEL = re.compile(
    r"((?:Supplementary\s+)?Tab(?:le|\.)\s+[A-Z]?\d+[A-Za-z]?)\s*[.:|–-]?\s*(.*)", re.DOTALL
)
_TEXT_KINDS: Final = {
    PdfBlockKind.TITLE: BlockKind.PARAGRAPH,  # a second one; the first is the document's title
    PdfBlockKind.PARAGRAPH: BlockKind.PARAGRAPH,
    PdfBlockKind.EQUATION: BlockKind.PARAGRAPH,
    PdfBlockKind.FOOTNOTE: BlockKind.PARAGRAPH,
}


class PdfIrParser:
    """Parser of converted PDFs."""

    format = PDF_IR
    version = "4"
    source = "files"

    def recognises(self, head: bytes, name: str) -> int:
        """Recognise a file by its first field, which names the format."""
        text = decode_head(head)
        return 95 if text is not None and _SIGN.match(text) else 0

    def records(self, stream: BinaryIO, uri: str, max_record_bytes: int) -> Iterator[RecordLocation]:
        """Yield the file as one record that has no id."""
        yield hashed_file(stream, uri, max_record_bytes)

    def parse(self, payload: RawPayload, tenant_id: str) -> Document:
        """Sections by heading level; raises MalformedDocumentError or EmptyDocumentError."""
        converted = _read(payload)
        writer = _Writer(DocumentBuilder(), converted)
        for block in converted.blocks:
            writer.add(block)
        unread = [page.page_no for page in converted.pages if page.unread]
        if unread:
            structlog.get_logger(__name__).warning(
                "pages not read: scanned or damaged", uri=payload.uri, pages=unread
            )
        metadata = {
            "pages": len(converted.pages),
            "unread_pages": unread,
            "unmapped_characters": converted.unmapped_characters or None,
            "left_out": converted.left_out,
            "converter": f"{converted.converter}/{converted.converter_version}",
        }
        return writer.builder.build(
            payload, tenant_id, self, metadata=metadata, language=one_line(converted.language) or "en"
        )


def _read(payload: RawPayload) -> ConvertedPdf:
    try:
        return ConvertedPdf.model_validate_json(payload.content)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"])) or "the file"
        raise MalformedDocumentError(
            f"{payload.uri}: no converted PDF: {place}: {first['msg']}. Convert the PDF again."
        ) from error


class _Writer:
    """Appends blocks of a converted PDF to a builder; keeps track of the open headings."""

    def __init__(self, builder: DocumentBuilder, converted: ConvertedPdf) -> None:
        self.builder = builder
        self._levels: list[int] = []
        self._references_at: int | None = None
        """Level of the heading of the reference list, while in it."""
        self._titled = False
        if not any(block.kind is PdfBlockKind.TITLE and block.text.strip() for block in converted.blocks):
            self._titled = True
            builder.title(converted.title)

    def add(self, block: PdfBlock) -> None:
        place = Place(block.page_no, block.boxes)
        if block.kind is PdfBlockKind.TITLE and not self._titled and one_line(block.text):
            self._titled = True
            self.builder.title(block.text, place=place)
        elif block.kind is PdfBlockKind.HEADING:
            self._heading(block, place)
        elif block.kind is PdfBlockKind.REFERENCE or (
            self._references_at is not None and block.kind in (PdfBlockKind.PARAGRAPH, PdfBlockKind.LIST)
        ):
            self._references(block, place)
        elif block.kind is PdfBlockKind.TABLE:
            self._table(block, place)
        elif block.kind is PdfBlockKind.LIST:
            self.builder.lines(BlockKind.LIST, block.text.split("\n"), place=place)
        elif block.kind is PdfBlockKind.FIGURE_CAPTION:
            words = " ".join((block.text, *block.notes))
            self.builder.block(BlockKind.FIGURE_CAPTION, words, place=place)
        else:
            self.builder.block(_TEXT_KINDS[block.kind], block.text, place=place)

    def _heading(self, block: PdfBlock, place: Place) -> None:
        level = block.level or 1
        if self._references_at is not None and level > self._references_at:
            return  # a heading within the reference list: letters, years
        self._references_at = None
        while self._levels and self._levels[-1] >= level:
            self.builder.close_section()
            self._levels.pop()
        if _REFERENCE_LIST.fullmatch(one_line(block.text)):
            self._references_at = level
            return
        if one_line(block.text):
            self.builder.open_section(block.text, place=place)
            self._levels.append(level)

    def _references(self, block: PdfBlock, place: Place) -> None:
        lines = block.text.split("\n") if block.kind is not PdfBlockKind.PARAGRAPH else [block.text]
        for line in lines:
            entry = _ENTRY.match(one_line(line))
            label = (entry["bracketed"] or entry["number"]) if entry else ""
            text = entry["text"] if entry else line
            doi, pmid = _DOI.search(text), _PMID.search(text)
            self.builder.reference(
                text,
                label=label,
                doi=doi.group() if doi else None,
                pmid=pmid.group(1) if pmid else None,
                place=place,
            )

    def _table(self, block: PdfBlock, place: Place) -> None:
        labelled = _TABLE_LABEL.match(one_line(block.text))
        label, caption = labelled.groups() if labelled else ("", block.text)
        grid = lay_out(
            [[Cell(cell.text, cell.columns, cell.rows) for cell in row] for row in block.rows],
            block.header_rows,
        )
        self.builder.table(grid, label=label, caption=caption, notes=block.notes, place=place)
