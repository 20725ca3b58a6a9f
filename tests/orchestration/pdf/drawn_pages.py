"""Pages drawn line by line, and what the text layer reads of them."""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence
from typing import Any

from reportlab.lib.pagesizes import A4
from reportlab.pdfbase.pdfmetrics import stringWidth
from reportlab.pdfgen.canvas import Canvas

from medkg.testing.builders import a_payload
from medkg.testing.document_checks import assert_sound, indexed_part
from orchestration.contracts import ConvertedPdf, PdfBlock
from orchestration.parsing.pdf_ir import PdfIrParser
from orchestration.pdf.text_layer.reading import Limits, convert
from orchestration.records import Document

Draw = Callable[[Canvas, int], None]


def pdf_with(*pages: Draw, **options: Any) -> bytes:
    """A PDF of pages that are drawn; `options` go to the canvas."""
    buffer = io.BytesIO()
    canvas = Canvas(buffer, pagesize=A4, invariant=1, **options)
    for number, draw in enumerate(pages, start=1):
        draw(canvas, number)
        canvas.showPage()
    canvas.save()
    return buffer.getvalue()


def converted(pdf: bytes) -> ConvertedPdf:
    return ConvertedPdf.model_validate_json(convert(pdf, "test.pdf", Limits()))


def document_of(pdf: bytes) -> Document:
    document = PdfIrParser().parse(a_payload(convert(pdf, "test.pdf", Limits()), "pdf-ir"), "default")
    assert_sound(document)
    return indexed_part(document)


def drawn(*pages: Draw) -> Sequence[PdfBlock]:
    """The blocks of pages that are drawn."""
    return converted(pdf_with(*pages)).blocks


def text_drawn(*pages: Draw) -> str:
    """The text of all blocks of pages that are drawn, one a line."""
    return "\n".join(block.text for block in drawn(*pages))


def text(
    canvas: Canvas,
    lines: Sequence[str],
    *,
    x: float = 72,
    y: float = 760,
    font: str = "Times-Roman",
    size: float = 10,
    leading: float = 12,
) -> None:
    canvas.setFont(font, size)
    for number, line in enumerate(lines):
        canvas.drawString(x, y - leading * number, line)


def raised(canvas: Canvas, parts: Sequence[tuple[str, float]], *, x: float = 72, y: float = 700) -> None:
    """Stretches of one line, each with its rise; what is raised or lowered is set smaller."""
    for part, rise in parts:
        size = 7 if rise else 11
        canvas.setFont("Times-Roman", size)
        canvas.drawString(x, y + rise, part)
        x += stringWidth(part, "Times-Roman", size)
