"""The characters of a page as PDFium gives them, with their place and type.

Comes in: an open text page. Leaves: one `Character` per visible glyph and per blank, in the order of the
page's content and in its own space (points, y upwards). A glyph without a Unicode value is UNMAPPED. Calls
are few and their answers are kept by text object, as a journal's page has five thousand characters.
https://pdfium.googlesource.com/pdfium/+/refs/heads/main/public/fpdf_text.h (read 2026-11-28)
"""

from __future__ import annotations

import ctypes
import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from orchestration.pdf.text_layer.signs import UNMAPPED, is_symbol_font, sign_of

__all__ = ["BLANK", "Character", "Glyph", "Style", "characters_of"]

HYPHEN_MARKS: Final = frozenset({0x02, 0xFFFE})
"""What PDFium gives for a hyphen at the end of a line; a glyph without a meaning can have the same code."""
WHITE_SPACE: Final = frozenset({0x09, 0x0A, 0x0D})
BOLD_WEIGHT: Final = 600
_BOLD = re.compile(r"bold|black|heavy|demi|cmbx|-medi|-bd|\.b(?:i|$)", re.IGNORECASE)
"""In names of bold fonts."""
_SUBSET = re.compile(r"^[A-Z]{6}\+|\+[0-9a-f]{1,2}$")
"""Tags of a font's subset: before its name, or behind it with the number of a code page."""
FORCE_BOLD: Final = 1 << 18
"""Font descriptor flag (ISO 32000-1, table 123)."""


@dataclass(frozen=True, slots=True)
class Style:
    """The type of one text object."""

    size: float
    """Points, the text matrix applied."""
    bold: bool
    angle: float
    """Degrees of the text against the page's x axis, anticlockwise."""
    face: str = ""
    """Name of the font without the tag of its subset."""


class Character(NamedTuple):
    """One glyph, or a blank, which has the style BLANK if PDFium inserted it and no position."""

    text: str
    hyphen: bool
    """PDFium takes it for a hyphen at a line's end."""
    left: float
    bottom: float
    right: float
    top: float
    x: float
    y: float
    """Origin."""
    style: Style


@dataclass(slots=True)
class Glyph:
    """One character; `text` is ' ' for a blank of the PDF or one that PDFium inserted."""

    text: str
    left: float
    top: float
    right: float
    bottom: float
    baseline: float
    style: Style
    hyphen: bool = False
    """PDFium takes it for a hyphen at a line's end."""


BLANK: Final = Style(0.0, False, 0.0)
_INSERTED: Final = Character(" ", False, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, BLANK)


def characters_of(raw: Any, count: int) -> Iterator[Character]:
    """The characters of a text page in the order of its content."""
    import pypdfium2.raw as pdfium

    objects = _TextObjects(raw)
    box, x, y = pdfium.FS_RECTF(), ctypes.c_double(), ctypes.c_double()
    unicode, text_object = pdfium.FPDFText_GetUnicode, pdfium.FPDFText_GetTextObject
    loose_box, origin = pdfium.FPDFText_GetLooseCharBox, pdfium.FPDFText_GetCharOrigin
    for index in range(count):
        code = unicode(raw, index)
        holder = text_object(raw, index)
        if not holder:
            if code == 0x20:
                yield _INSERTED
            continue
        style, font = objects.of(holder, index)
        text = font.text(code) or font.first_text(raw, code, index)
        hyphen = code in HYPHEN_MARKS and bool(pdfium.FPDFText_IsHyphen(raw, index))
        if hyphen:
            text = "-"
        elif text == UNMAPPED and (code in WHITE_SPACE or _is_empty(raw, index)):
            text = " "
        if not loose_box(raw, index, box) or not origin(raw, index, x, y):
            continue
        if not math.isfinite(box.left + box.right + box.top + box.bottom + x.value + y.value):
            continue
        yield Character(text, hyphen, box.left, box.bottom, box.right, box.top, x.value, y.value, style)


def _is_empty(raw: Any, index: int) -> bool:
    """Whether a glyph draws nothing."""
    import pypdfium2.raw as pdfium

    left, right, bottom, top = (ctypes.c_double() for _ in range(4))
    pdfium.FPDFText_GetCharBox(raw, index, left, right, bottom, top)
    return right.value - left.value <= 0.01 or top.value - bottom.value <= 0.01


class _Font:
    """What is known of a font: whether it is bold, and the texts of its codes met so far."""

    def __init__(self, font: Any) -> None:
        import pypdfium2.raw as pdfium

        name = ctypes.create_string_buffer(200)
        if font:
            pdfium.FPDFFont_GetBaseFontName(font, name, len(name))
        named = name.value.decode("utf-8", "replace")
        self._symbol = is_symbol_font(named)
        self.face = _SUBSET.sub("", named)
        flags = pdfium.FPDFFont_GetFlags(font) if font else 0
        weight = pdfium.FPDFFont_GetWeight(font) if font else 0
        forced = flags > 0 and bool(flags & FORCE_BOLD)
        self.bold = forced or weight >= BOLD_WEIGHT or _BOLD.search(named) is not None
        self._texts: dict[int, str] = {}
        self.text = self._texts.get

    def first_text(self, raw: Any, code: int, index: int) -> str:
        """The text of a code that was not met before; `index` is that of a character with it."""
        import pypdfium2.raw as pdfium

        unknown = pdfium.FPDFText_HasUnicodeMapError(raw, index) == 1
        text = sign_of(code, self._symbol, unknown)
        self._texts[code] = text
        return text


class _TextObjects:
    """Styles and fonts by text object: read once per object, not per character."""

    def __init__(self, raw: Any) -> None:
        self._raw = raw
        self._known: dict[int, tuple[Style, _Font]] = {}
        self._fonts: dict[int, _Font] = {}

    def of(self, holder: Any, index: int) -> tuple[Style, _Font]:
        address = ctypes.addressof(holder.contents)
        known = self._known.get(address)
        if known is None:
            known = self._known[address] = self._read(holder, index)
        return known

    def _read(self, holder: Any, index: int) -> tuple[Style, _Font]:
        import pypdfium2.raw as pdfium

        pointer = pdfium.FPDFTextObj_GetFont(holder)
        address = ctypes.addressof(pointer.contents) if pointer else 0
        font = self._fonts.get(address)
        if font is None:
            font = self._fonts[address] = _Font(pointer)
        matrix = pdfium.FS_MATRIX()
        nominal = pdfium.FPDFText_GetFontSize(self._raw, index)
        size, angle = nominal, 0.0
        if pdfium.FPDFText_GetMatrix(self._raw, index, matrix):
            size = nominal * math.sqrt(abs(matrix.a * matrix.d - matrix.b * matrix.c))
            angle = math.degrees(math.atan2(matrix.b, matrix.a))
        if not math.isfinite(size + angle):
            size, angle = 0.0, 0.0
        return Style(round(size, 1), font.bold, round(angle, 1), font.face), font
