"""PDFs as attackers, scanners and broken downloads make them, written by hand or by reportlab.

Each function gives the bytes of one; what should become of it is for the tests to say.
"""

from __future__ import annotations

import io
import zlib
from collections.abc import Sequence

__all__ = [
    "a_bomb",
    "a_scan",
    "an_encrypted_pdf",
    "many_pages",
    "raw_pdf",
    "unmapped_fonts",
    "with_page_loop",
]


def raw_pdf(objects: Sequence[bytes]) -> bytes:
    """A PDF of numbered objects, the first of which is the catalog, with a true cross-reference table."""
    buffer = io.BytesIO(b"")
    buffer.write(b"%PDF-1.7\n")
    offsets = []
    for number, content in enumerate(objects, start=1):
        offsets.append(buffer.tell())
        buffer.write(b"%d 0 obj\n%s\nendobj\n" % (number, content))
    start = buffer.tell()
    buffer.write(b"xref\n0 %d\n0000000000 65535 f \n" % (len(objects) + 1))
    for offset in offsets:
        buffer.write(b"%010d 00000 n \n" % offset)
    buffer.write(b"trailer\n<< /Size %d /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF\n" % (len(objects) + 1, start))
    return buffer.getvalue()


def _one_page(content: bytes, *, filters: bytes = b"", more: bytes = b"") -> bytes:
    stream = b"<< /Length %d %s >>\nstream\n%s\nendstream" % (len(content), filters, content)
    return raw_pdf(
        [
            b"<< /Type /Catalog /Pages 2 0 R >>",
            b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
            b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] /Contents 4 0 R %s "
            b"/Resources << /Font << /F1 5 0 R >> >> >>" % more,
            stream,
            b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>",
        ]
    )


def a_plain_pdf(text: str, more: bytes = b"") -> bytes:
    """One page with a line of text."""
    return _one_page(b"BT /F1 12 Tf 72 700 Td (%s) Tj ET" % text.encode("latin-1"), more=more)


def a_bomb(megabytes: int) -> bytes:
    """A page whose content is a few kilobytes, and so many megabytes of text when unpacked."""
    line = b"BT /F1 9 Tf 72 700 Td (" + b"walk " * 200 + b") Tj ET\n"
    packer = zlib.compressobj(9)
    packed = b"".join(packer.compress(line * 1000) for _ in range(megabytes)) + packer.flush()
    return _one_page(packed, filters=b"/Filter /FlateDecode")


def a_bomb_in_a_bomb(megabytes: int) -> bytes:
    """The same, packed twice."""
    line = b"BT /F1 9 Tf 72 700 Td (" + b"walk " * 200 + b") Tj ET\n"
    packer = zlib.compressobj(9)
    packed = b"".join(packer.compress(line * 1000) for _ in range(megabytes)) + packer.flush()
    return _one_page(zlib.compress(packed, 9), filters=b"/Filter [/FlateDecode /FlateDecode]")


def with_page_loop() -> bytes:
    """A page tree that holds itself."""
    return raw_pdf(
        [b"<< /Type /Catalog /Pages 2 0 R >>", b"<< /Type /Pages /Kids [2 0 R 2 0 R] /Count 1000000000 >>"]
    )


def many_pages(pages: int, lines: int = 30) -> bytes:
    """Pages with so many lines each, their numbers below."""
    from reportlab.lib.pagesizes import A4
    from reportlab.pdfgen.canvas import Canvas

    buffer = io.BytesIO()
    canvas = Canvas(buffer, pagesize=A4, invariant=1, pageCompression=1)
    for page in range(1, pages + 1):
        text = canvas.beginText(72, 760)
        text.setFont("Helvetica", 10)
        for line in range(lines):
            text.textLine(f"Line {line} of page {page} says that participants walked before they slept.")
        canvas.drawText(text)
        canvas.drawCentredString(297, 30, str(page))
        canvas.showPage()
    canvas.save()
    return buffer.getvalue()


def a_scan(pages: int = 3, *, with_text: int = 0) -> bytes:
    """Pages that are images, of which the last `with_text` are text instead."""
    from PIL import Image
    from reportlab.lib.pagesizes import A4
    from reportlab.lib.utils import ImageReader
    from reportlab.pdfgen.canvas import Canvas

    buffer = io.BytesIO()
    canvas = Canvas(buffer, pagesize=A4, invariant=1)
    image = ImageReader(Image.new("L", (200, 280), 200))
    for page in range(pages):
        if page < pages - with_text:
            canvas.drawImage(image, 0, 0, *A4)
        else:
            canvas.setFont("Helvetica", 10)
            for line in range(20):
                said = f"Line {line} shows how many participants walked."
                canvas.drawString(72, 740 - 12 * line, said)
        canvas.showPage()
    canvas.save()
    return buffer.getvalue()


def an_encrypted_pdf(user_password: str) -> bytes:
    """A PDF that opens with a password; with '' for everyone, though it is encrypted."""
    from reportlab.lib.pdfencrypt import StandardEncryption
    from reportlab.pdfgen.canvas import Canvas

    buffer = io.BytesIO()
    encryption = StandardEncryption(user_password, ownerPassword="owner", strength=128)
    canvas = Canvas(buffer, encrypt=encryption, invariant=1)
    canvas.drawString(72, 700, "Participants walked before they slept, and slept well.")
    canvas.save()
    return buffer.getvalue()


def unmapped_fonts() -> bytes:
    """A page whose font maps to no characters: its codes are in Unicode's private area."""
    cmap = (
        b"/CIDInit /ProcSet findresource begin 12 dict begin begincmap /CMapName /X def "
        b"1 begincodespacerange <00> <FF> endcodespacerange 1 beginbfrange <20> <7E> <E020> endbfrange "
        b"endcmap end end"
    )
    content = b"BT /F1 12 Tf 72 700 Td (participants walked before they slept) Tj ET"
    return raw_pdf(
        [
            b"<< /Type /Catalog /Pages 2 0 R >>",
            b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
            b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] /Contents 4 0 R "
            b"/Resources << /Font << /F1 5 0 R >> >> >>",
            b"<< /Length %d >>\nstream\n%s\nendstream" % (len(content), content),
            b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica /ToUnicode 6 0 R >>",
            b"<< /Length %d >>\nstream\n%s\nendstream" % (len(cmap), cmap),
        ]
    )
