"""How manuscripts and journals print an article, apart from its layout.

Comes in: texts, canvases and PDFs of `synthetic_pdfs`. Leaves: the same with citation marks set high, a
large first letter, every text printed twice, content in no order, or numbers beside the lines.
"""

from __future__ import annotations

import io
import random
import re
from collections.abc import Iterator
from itertools import pairwise
from typing import Any, Final, Literal

__all__ = [
    "LineNumbers",
    "numbered",
    "shuffling_canvas",
    "twice_printing_canvas",
    "with_drop_cap",
    "with_marks",
]

LineNumbers = Literal["none", "each", "fifth", "right", "restarting"]

RISE: Final = 0.36
"""Of the size: how much higher a mark stands."""
SMALLER: Final = 0.65
SHIFT: Final = 0.25
"""Points by which the second print is shifted."""
_MARK = re.compile(r"\[(\d+(?:[,–]\d+)*)\]")
_POWER = re.compile(r"\b10\^(−?\d+)")


def with_marks(text: str, size: float) -> str:
    """A paragraph's markup with '[7]' and '10^9' set high."""
    high = f'<super rise="{RISE * size:.1f}" size="{SMALLER * size:.1f}">\\1</super>'
    return _POWER.sub(f"10{high}", _MARK.sub(high, text))


def with_drop_cap(text: str, style: Any) -> Any:
    """A paragraph whose first letter is as high as two of its lines."""
    from reportlab.pdfbase.pdfmetrics import stringWidth
    from reportlab.platypus import Flowable, Paragraph
    from reportlab.platypus.flowables import ParagraphAndImage

    size = 2.4 * style.fontSize

    class Letter(Flowable):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.width = self.drawWidth = stringWidth(text[0], style.fontName, size)
            self.height = self.drawHeight = 2 * style.leading - 1

        def wrap(self, *_: float) -> tuple[float, float]:
            return self.width, self.height

        def draw(self) -> None:
            self.canv.setFont(style.fontName, size)
            self.canv.drawString(0, self.height - style.leading - 0.8 * style.fontSize, text[0])

    return ParagraphAndImage(Paragraph(text[1:], style), Letter(), xpad=1.5, ypad=0, side="left")


def shuffling_canvas() -> Any:
    """A canvas that writes the blocks of each page in an order drawn at random."""
    from reportlab.pdfgen.canvas import Canvas

    class Shuffling(Canvas):  # type: ignore[misc]
        def showPage(self) -> None:  # noqa: N802 - reportlab's name
            blocks: list[list[str]] = [[]]
            depth = 0
            for operator in self._code:
                blocks[-1].append(operator)
                words = operator.split()
                depth += words.count("q") - words.count("Q")
                if depth == 0:
                    blocks.append([])
            random.Random(len(blocks)).shuffle(blocks)
            self._code[:] = [operator for block in blocks for operator in block]
            super().showPage()

    return Shuffling


def twice_printing_canvas() -> Any:
    """A canvas that prints every text twice, a quarter of a point apart, to make it bold."""
    from reportlab.pdfgen.canvas import Canvas

    class PrintingTwice(Canvas):  # type: ignore[misc]
        def drawText(self, text: Any) -> None:  # noqa: N802 - reportlab's name
            super().drawText(text)
            self.saveState()
            self.translate(SHIFT, 0)
            super().drawText(text)
            self.restoreState()

    return PrintingTwice


# --- line numbers ----------------------------------------------------------------------------------


def numbered(pdf: bytes, numbers: LineNumbers, columns: list[tuple[float, float]], top: float) -> bytes:
    """A PDF with numbers beside the lines of its columns (left and right edge each) below `top`."""
    import pypdfium2

    document = pypdfium2.PdfDocument(pdf)
    counted = 0
    for page in document:
        counted = 0 if numbers == "restarting" else counted
        for left, right, baseline in _lines(page, columns, top):
            counted += 1
            if numbers != "fifth" or counted % 5 == 0:
                place = right + 8 if numbers == "right" else left - 8
                _write(document, page, str(counted), place, baseline, to_left=numbers != "right")
        page.gen_content()
    buffer = io.BytesIO()
    document.save(buffer)
    document.close()
    return buffer.getvalue()


def _lines(page: Any, columns: list[tuple[float, float]], top: float) -> Iterator[tuple[float, float, float]]:
    """(Left and right edge of its column, baseline) of each line, column by column."""
    import ctypes

    import pypdfium2.raw as pdfium

    text = page.get_textpage()
    x, y = ctypes.c_double(), ctypes.c_double()
    origins: list[tuple[float, float]] = []
    for index in range(text.count_chars()):
        if pdfium.FPDFText_GetTextObject(text.raw, index) and pdfium.FPDFText_GetCharOrigin(
            text.raw, index, x, y
        ):
            origins.append((x.value, y.value))
    for left, right in columns:
        baseline = top
        for _, height in sorted(
            (origin for origin in origins if left - 1 <= origin[0] <= right), key=lambda origin: -origin[1]
        ):
            if not 60 < height < baseline - 6:  # superscripts are higher than their line by less
                continue
            baseline = height
            if not _crosses(origins, height, columns):
                yield left, right, _lowest(origins, height, left, right)


def _crosses(origins: list[tuple[float, float]], height: float, columns: list[tuple[float, float]]) -> bool:
    """Whether a line at this height has characters between the columns, as the title has."""
    gaps = [(before[1] + 1, after[0] - 1) for before, after in pairwise(columns)]
    return any(begin < x < end for begin, end in gaps for x, y in origins if abs(y - height) < 3)


def _lowest(origins: list[tuple[float, float]], height: float, left: float, right: float) -> float:
    """The baseline of the line that has a character at this height."""
    return min(y for x, y in origins if left - 1 <= x <= right and height - 6 <= y <= height)


def _write(document: Any, page: Any, number: str, place: float, baseline: float, *, to_left: bool) -> None:
    import pypdfium2.raw as pdfium

    size = 7.0
    text = pdfium.FPDFPageObj_NewTextObj(document.raw, b"Helvetica", size)
    encoded = (number + "\0").encode("utf-16-le")
    pdfium.FPDFText_SetText(text, (pdfium.FPDF_WCHAR * (len(number) + 1)).from_buffer_copy(encoded))
    width = 0.556 * size * len(number)  # of Helvetica's digits
    pdfium.FPDFPageObj_Transform(text, 1, 0, 0, 1, place - width if to_left else place, baseline)
    pdfium.FPDFPage_InsertObject(page.raw, text)
