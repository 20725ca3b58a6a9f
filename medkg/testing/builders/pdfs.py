"""Converted PDFs and their blocks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from orchestration.contracts import ConvertedPdf, PdfBlock, PdfBlockKind, PdfCell, PdfPage
from orchestration.records import PageBox


def a_pdf_block(
    text: str,
    kind: PdfBlockKind = PdfBlockKind.PARAGRAPH,
    *,
    page_no: int = 1,
    also_on: Sequence[int] = (),
    rows: Sequence[Sequence[str]] = (),
    **fields: Any,
) -> PdfBlock:
    """A block of a converted PDF, with a box on each of its pages; `rows` are a table's cells."""
    boxes = tuple(
        PageBox(page_no=page, left=72, top=72, right=540, bottom=90) for page in (page_no, *also_on)
    )
    cells = tuple(tuple(PdfCell(text=cell) for cell in row) for row in rows)
    return PdfBlock(kind=kind, text=text, boxes=boxes, rows=cells, **fields)


def a_converted_pdf(*blocks: PdfBlock, pages: int = 1, title: str = "") -> bytes:
    """What a converter gives for a PDF of A4 pages."""
    return (
        ConvertedPdf(
            converter="text-layer",
            converter_version="1",
            title=title,
            pages=tuple(PdfPage(page_no=number, width=595, height=842) for number in range(1, pages + 1)),
            blocks=blocks,
        )
        .model_dump_json()
        .encode()
    )
