"""A PDF's bytes as an open document, with what its catalog holds: title and language.

Comes in: bytes. Leaves: a pypdfium2 document with its form, or EncryptedPdfError, or MalformedDocumentError
with what is wrong: an empty file, no PDF, one whose end is missing, one that PDFium cannot open.
"""

from __future__ import annotations

from typing import Any, Final

from orchestration.contracts import has_pdf_mark
from orchestration.errors import EncryptedPdfError, MalformedDocumentError
from orchestration.pdf.text_layer.strings import written_string

__all__ = ["broken", "language_of", "opened", "title_of"]

TAIL: Final = 4_096
"""Bytes at the end of a file in which its end mark is looked for; readers accept some junk behind it."""
END_MARKS: Final = (b"%%EOF", b"startxref")
MAX_TAG_BYTES: Final = 200
"""Of a language tag."""


def opened(pdf: bytes, name: str) -> Any:
    """The document, its form initialised if it has one; the caller closes it."""
    import pypdfium2
    from pypdfium2 import raw

    if not pdf:
        raise MalformedDocumentError(f"{name}: the file is empty (0 bytes). Fetch it again.")
    if not has_pdf_mark(pdf):
        raise MalformedDocumentError(f"{name}: it is no PDF (no %PDF- at its start). Fetch it again.")
    cut_off = not any(mark in pdf[-TAIL:] for mark in END_MARKS)
    try:
        document = pypdfium2.PdfDocument(pdf)
    except pypdfium2.PdfiumError as error:
        if error.err_code in (raw.FPDF_ERR_PASSWORD, raw.FPDF_ERR_SECURITY):
            raise EncryptedPdfError(
                f"{name}: the PDF is encrypted, and opens only with its password. Get a copy without one."
            ) from error
        raise _cut_off(pdf, name) if cut_off else broken(name, error) from error
    if cut_off:
        document.close()  # PDFium opens what is there, and the rest would be missing without a word
        raise _cut_off(pdf, name)
    if len(document) == 0:
        document.close()
        raise broken(name, "it has no pages")
    if document.get_formtype() != raw.FORMTYPE_NONE:
        document.init_forms()
    return document


def broken(name: str, cause: object) -> MalformedDocumentError:
    return MalformedDocumentError(
        f"{name}: the PDF is broken: {str(cause).rstrip('.')}. Fetch it again, or repair it with `qpdf` or "
        "`mutool clean`."
    )


def _cut_off(pdf: bytes, name: str) -> MalformedDocumentError:
    return MalformedDocumentError(
        f"{name}: the PDF is cut off: its {len(pdf):,} bytes have no end mark (%%EOF). Fetch it again, "
        "or repair it with `qpdf` or `mutool clean` to read what is left of it."
    )


def title_of(document: Any) -> str:
    """The title in the PDF's metadata, unless it is a file's name or a template's."""
    title = " ".join(str(document.get_metadata_dict().get("Title") or "").split())
    words = title.split()
    file_name = title.casefold().endswith((".pdf", ".doc", ".docx", ".tex", ".indd", ".dvi", ".qxd", ".fm"))
    return title if len(words) >= 3 and not file_name and len(title) <= 400 else ""


def language_of(document: Any) -> str:
    """The language tag of the PDF's catalog; 'en' without one."""
    from pypdfium2 import raw

    tag = written_string(
        lambda buffer, size: raw.FPDFCatalog_GetLanguage(document.raw, buffer, size), MAX_TAG_BYTES
    ).strip()
    return tag if tag.replace("-", "").isalnum() and tag.isascii() else "en"
