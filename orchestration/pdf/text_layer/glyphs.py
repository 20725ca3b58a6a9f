"""The content of a PDF page as PDFium reports it: characters with positions, ruled lines, images.

Comes in: an open PDF. Leaves: one `PageContent` per page, in the frame in which its text is upright: points,
x to the right, y downwards. Text in another direction than most of its page (marginal stamps,
axis labels) is left out. Only this module uses pypdfium2, and imports it where it is used.
https://pdfium.googlesource.com/pdfium/+/refs/heads/main/public/fpdf_text.h (read 2026-11-28)
"""

from __future__ import annotations

import ctypes
import math
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, Final

__all__ = ["Glyph", "PageContent", "Rule", "Style", "read_page"]

HYPHEN_MARKS: Final = frozenset({0x02, 0xFFFE})
"""What PDFium gives for a hyphen at the end of a line."""
LIGATURES: Final = {
    0xFB00: "ff",
    0xFB01: "fi",
    0xFB02: "fl",
    0xFB03: "ffi",
    0xFB04: "ffl",
    0xFB05: "st",
    0xFB06: "st",
}
FORCE_BOLD: Final = 1 << 18
"""Font descriptor flag (ISO 32000-1, table 123)."""
MAX_PATHS: Final = 4_000
"""Paths of a page that are looked at for ruled lines: a drawing has more, a table fewer."""
MAX_SEGMENTS: Final = 400
RULE_THICKNESS: Final = 2.5
RULE_LENGTH: Final = 12.0


@dataclass(frozen=True, slots=True)
class Style:
    """The type of a run of characters."""

    size: float
    """Points, the text matrix applied."""
    bold: bool
    direction: int
    """Quarter turns of the text against the page's own x axis, anticlockwise; -1 for none of them."""


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


@dataclass(frozen=True, slots=True)
class Rule:
    """A ruled line, horizontal or vertical."""

    left: float
    top: float
    right: float
    bottom: float

    @property
    def horizontal(self) -> bool:
        return self.right - self.left >= self.bottom - self.top


@dataclass(slots=True)
class PageContent:
    """One page in the frame of its text."""

    page_no: int
    width: float
    """Of the page as it is shown; `turns` quarter turns clockwise lead from there to the text's frame."""
    height: float
    turns: int
    glyphs: list[Glyph] = field(default_factory=list)
    rules: list[Rule] = field(default_factory=list)
    image_share: float = 0.0
    """Share of the page that its images cover, overlaps counted twice."""
    unmapped: int = 0
    """Characters that the font maps to no Unicode value."""

    @property
    def frame_width(self) -> float:
        return self.height if self.turns % 2 else self.width

    @property
    def frame_height(self) -> float:
        return self.width if self.turns % 2 else self.height

    def shown(
        self, left: float, top: float, right: float, bottom: float
    ) -> tuple[float, float, float, float]:
        """A box of the text's frame, on the page as displayed."""
        corners = [
            _turned(x, y, -self.turns, self.frame_width, self.frame_height)
            for x, y in ((left, top), (right, bottom))
        ]
        (x0, y0), (x1, y1) = corners
        return min(x0, x1), min(y0, y1), max(x0, x1), max(y0, y1)


Place = Callable[[float, float], tuple[float, float]]


def read_page(document: Any, index: int, max_characters: int) -> PageContent:
    """Page `index` (from 0) of a pypdfium2 document; raises OverflowError beyond `max_characters`."""
    page = document[index]
    try:
        text = page.get_textpage()
        try:
            return _read(page, text, index + 1, max_characters)
        finally:
            text.close()
    finally:
        page.close()


def _read(page: Any, text: Any, page_no: int, max_characters: int) -> PageContent:
    width, height = page.get_size()
    count = text.count_chars()
    if count > max_characters:
        raise OverflowError(f"page {page_no} has {count:,} characters")
    styles = _Styles(text.raw)
    drawn = list(_characters(text.raw, count, styles))
    rotation = (page.get_rotation() // 90) % 4
    directions = Counter(glyph[-1].direction for glyph in drawn if glyph[0].strip())
    directions.pop(-1, None)
    upright = directions.most_common(1)[0][0] if directions else 0
    turns = (upright - rotation) % 4
    left, bottom, right, top = page.get_bbox()
    content = PageContent(page_no, max(width, 1.0), max(height, 1.0), turns)

    def place(x: float, y: float) -> tuple[float, float]:
        """A point of the page's own space (y upwards) in the text's frame."""
        return _turned(x - left, top - y, upright, right - left, top - bottom)

    for glyph in drawn:
        if glyph[-1].direction in (upright, -2):
            content.glyphs.append(_placed(glyph, place))
    content.unmapped = styles.unmapped
    _add_objects(page, content, place)
    return content


def _turned(x: float, y: float, turns: int, width: float, height: float) -> tuple[float, float]:
    """A point after clockwise quarter turns of a page that is `width` x `height` before them."""
    for _ in range(turns % 4):
        x, y = height - y, x
        width, height = height, width
    return x, y


_Drawn = tuple[str, bool, float, float, float, float, float, float, Style]
"""Text, hyphen at a line's end, box (left, bottom, right, top), origin (x, y), style."""

_BLANK_STYLE: Final = Style(0.0, False, -2)


def _characters(raw: Any, count: int, styles: _Styles) -> Iterator[_Drawn]:
    """Characters in the order of the page's content; a blank that PDFium inserted has no position."""
    import pypdfium2.raw as pdfium

    box, x, y = pdfium.FS_RECTF(), ctypes.c_double(), ctypes.c_double()
    unicode, text_object = pdfium.FPDFText_GetUnicode, pdfium.FPDFText_GetTextObject
    loose_box, origin = pdfium.FPDFText_GetLooseCharBox, pdfium.FPDFText_GetCharOrigin
    for index in range(count):
        code = unicode(raw, index)
        holder = text_object(raw, index)
        if not holder:
            if code == 0x20:
                yield " ", False, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, _BLANK_STYLE
            continue
        style = styles.of(holder, index)
        text, hyphen = styles.text(code, index)
        if not text or not loose_box(raw, index, box) or not origin(raw, index, x, y):
            continue
        if not math.isfinite(box.left + box.right + box.top + box.bottom + x.value + y.value):
            continue
        yield text, hyphen, box.left, box.bottom, box.right, box.top, x.value, y.value, style


class _Styles:
    """Styles by text object: read once per object, not per character."""

    def __init__(self, raw: Any) -> None:
        self._raw = raw
        self._known: dict[int, Style] = {}
        self.unmapped = 0

    def of(self, holder: Any, index: int) -> Style:
        address = ctypes.addressof(holder.contents)
        style = self._known.get(address)
        if style is None:
            style = self._known[address] = self._read(holder, index)
        return style

    def text(self, code: int, index: int) -> tuple[str, bool]:
        """The character, and whether it is a hyphen at a line's end; '' for an invisible one."""
        if code in HYPHEN_MARKS:
            return "-", True
        if code in LIGATURES:
            return LIGATURES[code], False
        if (
            code < 0x20
            or 0xD800 <= code < 0xE000
            or code == 0xFFFD
            or code > 0x10FFFF
            or 0xE000 <= code < 0xF900
        ):
            self.unmapped += 1
            return "", False
        return (" ", False) if code in (0x20, 0xA0) else (chr(code), False)

    def _read(self, holder: Any, index: int) -> Style:
        import pypdfium2.raw as pdfium

        matrix = pdfium.FS_MATRIX()
        nominal = pdfium.FPDFText_GetFontSize(self._raw, index)
        size, direction = nominal, 0
        if pdfium.FPDFText_GetMatrix(self._raw, index, matrix):
            size = nominal * math.sqrt(abs(matrix.a * matrix.d - matrix.b * matrix.c))
            direction = _quarter(math.degrees(math.atan2(matrix.b, matrix.a)))
        if not math.isfinite(size):
            size = 0.0
        return Style(round(size, 1), self._bold(holder), direction)

    @staticmethod
    def _bold(holder: Any) -> bool:
        import pypdfium2.raw as pdfium

        font = pdfium.FPDFTextObj_GetFont(holder)
        if not font:
            return False
        name = ctypes.create_string_buffer(200)
        pdfium.FPDFFont_GetBaseFontName(font, name, len(name))
        named = name.value.decode("utf-8", "replace").casefold()
        if any(word in named for word in ("bold", "black", "heavy", "-medi", "cmbx", "demi")):
            return True
        flags = pdfium.FPDFFont_GetFlags(font)
        return flags > 0 and bool(flags & FORCE_BOLD)


def _quarter(degrees: float) -> int:
    turns = round(degrees / 90)
    return turns % 4 if abs(degrees - 90 * turns) < 3 else -1


def _placed(glyph: _Drawn, place: Place) -> Glyph:
    text, hyphen, left, bottom, right, top, x, y, style = glyph
    if style is _BLANK_STYLE:
        return Glyph(" ", 0.0, 0.0, 0.0, 0.0, 0.0, style)
    (x0, y0), (x1, y1) = place(left, bottom), place(right, top)
    _, baseline = place(x, y)
    return Glyph(text, min(x0, x1), min(y0, y1), max(x0, x1), max(y0, y1), baseline, style, hyphen)


# --- ruled lines and images ------------------------------------------------------------------------


def _add_objects(page: Any, content: PageContent, place: Place) -> None:
    import pypdfium2.raw as pdfium

    area = content.width * content.height
    paths = 0
    for holder in page.get_objects(max_depth=1):
        if holder.type == pdfium.FPDF_PAGEOBJ_IMAGE:
            left, bottom, right, top = _bounds(holder) or (0.0, 0.0, 0.0, 0.0)
            content.image_share = min(1.0, content.image_share + (right - left) * (top - bottom) / area)
        elif holder.type == pdfium.FPDF_PAGEOBJ_PATH:
            paths += 1
            if paths > MAX_PATHS:
                content.rules.clear()
                return
            content.rules.extend(_rules(holder, place))


def _bounds(holder: Any) -> tuple[float, float, float, float] | None:
    """Left, bottom, right and top of an object; None for an empty one."""
    from pypdfium2 import PdfiumError

    try:
        bounds: tuple[float, float, float, float] = holder.get_bounds()
    except PdfiumError:
        return None
    return bounds if all(map(math.isfinite, bounds)) else None


def _rules(holder: Any, place: Place) -> Iterator[Rule]:
    """The ruled lines that a path draws: its straight edges if it is stroked, itself if it is a thin area."""
    import pypdfium2.raw as pdfium

    fill, stroke = ctypes.c_int(), ctypes.c_int()
    bounds = _bounds(holder)
    if bounds is None or not pdfium.FPDFPath_GetDrawMode(holder.raw, fill, stroke):
        return
    left, bottom, right, top = bounds
    if min(right - left, top - bottom) <= RULE_THICKNESS:
        yield from _rule((left, bottom), (right, top), place)
    elif stroke.value:
        for start, end in _edges(holder):
            yield from _rule(start, end, place)


def _rule(start: tuple[float, float], end: tuple[float, float], place: Place) -> Iterator[Rule]:
    (x0, y0), (x1, y1) = place(*start), place(*end)
    left, right, top, bottom = min(x0, x1), max(x0, x1), min(y0, y1), max(y0, y1)
    if min(right - left, bottom - top) <= RULE_THICKNESS and max(right - left, bottom - top) >= RULE_LENGTH:
        yield Rule(left, top, right, bottom)


def _edges(holder: Any) -> Iterator[tuple[tuple[float, float], tuple[float, float]]]:
    """Straight edges of a path, in the page's space."""
    import pypdfium2.raw as pdfium

    matrix = holder.get_matrix()
    x, y = ctypes.c_float(), ctypes.c_float()
    first = last = None
    for number in range(min(pdfium.FPDFPath_CountSegments(holder.raw), MAX_SEGMENTS)):
        segment = pdfium.FPDFPath_GetPathSegment(holder.raw, number)
        if not segment or not pdfium.FPDFPathSegment_GetPoint(segment, x, y):
            return
        point = matrix.on_point(x.value, y.value)
        kind = pdfium.FPDFPathSegment_GetType(segment)
        if kind == pdfium.FPDF_SEGMENT_MOVETO:
            first = point
        elif kind == pdfium.FPDF_SEGMENT_LINETO and last is not None:
            yield last, point
        last = point
        if pdfium.FPDFPathSegment_GetClose(segment) and first is not None:
            yield last, first
