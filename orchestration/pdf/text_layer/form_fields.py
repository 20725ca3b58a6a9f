"""The values of a PDF's form fields, and notes typed onto its pages, which are no part of a page's content.

Comes in: an open PDF whose form was initialised, and a page. Leaves: pieces of lines where the values are
shown, in the frame of the page. Ticked boxes are ☒, others ☐; push buttons and signatures have no value.
Pages that are shown turned are left as they are.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Iterator
from typing import Any, Final

from orchestration.pdf.text_layer.lines import Piece
from orchestration.pdf.text_layer.words import Word

__all__ = ["field_pieces"]

MAX_FIELDS: Final = 2_000
"""Of one page."""
MAX_BYTES: Final = 65_536
"""Of one value."""
MAX_SIZE: Final = 11.0
"""Points of the type that a value is taken to have, in a field high enough for it."""
LEADING: Final = 1.25
ADVANCE: Final = 0.5
"""Mean width of a character, of the size."""

Box = tuple[float, float, float, float]


def field_pieces(document: Any, index: int) -> list[Piece]:
    """The values of page `index` (from 0), at most MAX_FIELDS."""
    page = document[index]
    try:
        left, _, _, top = page.get_bbox()
        return [
            piece
            for text, box in _values(document, page)
            for piece in _lines(text, (box[0] - left, top - box[3], box[2] - left, top - box[1]))
        ]
    finally:
        page.close()


def _values(document: Any, page: Any) -> Iterator[tuple[str, Box]]:
    """(Text, left, bottom, right and top in the page's own space) of what is filled in."""
    import pypdfium2.raw as pdfium

    for number in range(min(pdfium.FPDFPage_GetAnnotCount(page.raw), MAX_FIELDS)):
        note = pdfium.FPDFPage_GetAnnot(page.raw, number)
        if not note:
            continue
        try:
            rect = pdfium.FS_RECTF()
            text = _text(document, note)
            if text.strip() and pdfium.FPDFAnnot_GetRect(note, rect):
                yield text, (rect.left, rect.bottom, rect.right, rect.top)
        finally:
            pdfium.FPDFPage_CloseAnnot(note)


def _text(document: Any, note: Any) -> str:
    import pypdfium2.raw as pdfium

    kind = pdfium.FPDFAnnot_GetSubtype(note)
    if kind == pdfium.FPDF_ANNOT_FREETEXT:
        return _string(lambda buffer, size: pdfium.FPDFAnnot_GetStringValue(note, b"Contents", buffer, size))
    if kind != pdfium.FPDF_ANNOT_WIDGET or document.formenv is None:
        return ""
    form = document.formenv.raw
    field = pdfium.FPDFAnnot_GetFormFieldType(form, note)
    if field in (pdfium.FPDF_FORMFIELD_CHECKBOX, pdfium.FPDF_FORMFIELD_RADIOBUTTON):
        return "☒" if pdfium.FPDFAnnot_IsChecked(form, note) else "☐"
    if field in (
        pdfium.FPDF_FORMFIELD_TEXTFIELD,
        pdfium.FPDF_FORMFIELD_COMBOBOX,
        pdfium.FPDF_FORMFIELD_LISTBOX,
    ):
        return _string(lambda buffer, size: pdfium.FPDFAnnot_GetFormFieldValue(form, note, buffer, size))
    return ""


def _string(read: Callable[[Any, int], int]) -> str:
    """What a function of PDFium writes into a buffer, which first gives its length in bytes."""
    import pypdfium2.raw as pdfium

    length = read(None, 0)
    if not 2 < length <= MAX_BYTES:
        return ""
    buffer = ctypes.create_string_buffer(length)
    read(ctypes.cast(buffer, ctypes.POINTER(pdfium.FPDF_WCHAR)), length)
    return buffer.raw.decode("utf-16-le", "replace").rstrip("\0")


def _lines(text: str, box: Box) -> Iterator[Piece]:
    """The lines of a value as pieces, from the upper left of its field."""
    left, top, right, bottom = box
    lines = [line for line in text.replace("\r\n", "\n").replace("\r", "\n").split("\n") if line.strip()]
    size = min(MAX_SIZE, max(4.0, 0.7 * (bottom - top) / max(len(lines), 1)))
    first = (top + bottom) / 2 + 0.35 * size if len(lines) == 1 else top + size
    for number, line in enumerate(lines):
        baseline = first + number * LEADING * size
        advance = min(ADVANCE * size, max(right - left, 1.0) / max(len(line), 1))
        words, at = [], left
        for word in line.split():
            words.append(Word(word, at, at + advance * len(word)))
            at += advance * (len(word) + 1)
        yield Piece(
            words=tuple(words),
            left=left,
            top=baseline - 0.75 * size,
            right=words[-1].right,
            bottom=baseline + 0.25 * size,
            baseline=baseline,
            size=round(size, 1),
            bold=False,
        )
