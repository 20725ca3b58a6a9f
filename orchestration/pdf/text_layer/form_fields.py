"""The values of a PDF's form fields, and notes typed onto its pages, which are no part of a page's content.

Comes in: an open PDF whose form was initialised, and a page. Leaves: texts with the boxes in which they are
shown, in the page's own space: points, y upwards, before the page is turned. Ticked boxes are ☒, others ☐;
push buttons and signatures have no value.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from orchestration.pdf.text_layer.strings import written_string

__all__ = ["values_of"]

MAX_FIELDS: Final = 2_000
"""Of one page."""
MAX_BYTES: Final = 65_536
"""Of one value."""
Box = tuple[float, float, float, float]


def values_of(document: Any, page: Any) -> Iterator[tuple[str, Box]]:
    """(Text, left, bottom, right and top in the page's own space) of what is filled in on an open page."""
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
        return written_string(
            lambda buffer, size: pdfium.FPDFAnnot_GetStringValue(note, b"Contents", buffer, size), MAX_BYTES
        )
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
        return written_string(
            lambda buffer, size: pdfium.FPDFAnnot_GetFormFieldValue(form, note, buffer, size), MAX_BYTES
        )
    return ""
