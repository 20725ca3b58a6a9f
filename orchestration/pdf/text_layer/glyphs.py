"""The content of a PDF page in the frame in which its text is upright: glyphs and ruled lines.

Comes in: an open PDF. Leaves: one `PageContent` for most of a page's text, and one for each other quarter
turn that it has text in (a table set on its side), all in points, x to the right, y downwards. A page that
was scanned askew is set upright. Slanted text (watermarks) is in no frame, and counted.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from typing import Any, Final

from orchestration.pdf.text_layer.characters import BLANK, Character, Glyph, characters_of
from orchestration.pdf.text_layer.damage import PageStreams, has_damaged_text
from orchestration.pdf.text_layer.drawings import drawings_of, placed_rules
from orchestration.pdf.text_layer.form_fields import values_of
from orchestration.pdf.text_layer.overprint import printed_once
from orchestration.pdf.text_layer.page_content import PageContent, rotated, turned
from orchestration.pdf.text_layer.signs import UNMAPPED

__all__ = ["read_page"]

STRAIGHT: Final = 3.0
"""Degrees by which text may differ from the direction of its frame."""
MAX_SKEW: Final = 20.0
"""Degrees by which a page may have been scanned askew."""
MIN_SKEW: Final = 0.2
"""Degrees that are noticed."""


def read_page(document: Any, index: int, max_characters: int, streams: PageStreams) -> list[PageContent]:
    """Page `index` (from 0) of a pypdfium2 document, the direction of most of its text first.

    A damaged page is one without glyphs. Raises OverflowError beyond `max_characters`.
    """
    if not streams.sound:
        return [_damaged(index + 1, *document.get_page_size(index))]
    page = document[index]
    try:
        text = page.get_textpage()
        try:
            return _read(document, page, text, index + 1, max_characters, streams)
        finally:
            text.close()
    finally:
        page.close()


def _damaged(page_no: int, width: float, height: float) -> PageContent:
    return PageContent(page_no, max(width, 1.0), max(height, 1.0), 0, damaged=True)


def _read(
    document: Any, page: Any, text: Any, page_no: int, max_characters: int, streams: PageStreams
) -> list[PageContent]:
    width, height = page.get_size()
    count = text.count_chars()
    if count > max_characters:
        raise OverflowError(f"page {page_no} has {count:,} characters")
    drawn = list(characters_of(text.raw, count))
    shows_nothing = streams.has_content and not drawn and next(page.get_objects(max_depth=1), None) is None
    if shows_nothing or has_damaged_text(drawn):
        return [_damaged(page_no, width, height)]
    by_turns, skew, slanted = _by_direction(drawn)
    width, height = max(width, 1.0), max(height, 1.0)
    lines, image_share = drawings_of(page, width * height)
    rotation = (page.get_rotation() // 90) % 4
    contents = []
    for upright, characters in by_turns:
        content = PageContent(page_no, width, height, (upright - rotation) % 4, skew)
        frame = _Frame(page.get_bbox(), upright, skew)
        content.rules = placed_rules(lines, frame.place)
        content.glyphs = printed_once([frame.placed(character) for character in characters])
        content.unmapped = sum(glyph.text == UNMAPPED for glyph in content.glyphs)
        contents.append(content)
    contents[0].image_share, contents[0].slanted = image_share, slanted
    frame = _Frame(page.get_bbox(), by_turns[0][0], skew)
    contents[0].values = [(value, frame.box(*box)) for value, box in values_of(document, page)]
    return contents


def _by_direction(drawn: Sequence[Character]) -> tuple[list[tuple[int, list[Character]]], float, int]:
    """(Characters by quarter turns, most of them first; the page's skew; the number of slanted ones)."""
    styles = {id(character.style): character.style for character in drawn}
    if len({style.angle for style in styles.values() if style is not BLANK}) <= 1:
        angle = next((style.angle for style in styles.values() if style is not BLANK), 0.0)
        if angle in (0.0, 90.0, 180.0, -90.0):
            return [(_quarter(angle), list(drawn))], 0.0, 0
    angles = Counter(character.style.angle for character in drawn if character.text != " ")
    turns: Counter[int] = Counter()
    for angle, count in angles.items():
        if abs(_deviation(angle)) <= MAX_SKEW:
            turns[_quarter(angle)] += count
    main = turns.most_common(1)[0][0] if turns else 0
    skew = _median_skew({angle: count for angle, count in angles.items() if _quarter(angle) == main})
    if abs(skew) < MIN_SKEW:
        skew = 0.0
    by_turns: dict[int, list[Character]] = {main: []}
    slanted = 0
    for character in drawn:
        if character.style is BLANK:
            for characters in by_turns.values():
                characters.append(character)
        elif abs(_deviation(character.style.angle) - skew) <= STRAIGHT:
            by_turns.setdefault(_quarter(character.style.angle), []).append(character)
        else:
            slanted += character.text != " "
    return list(by_turns.items()), skew, slanted


def _median_skew(angles: dict[float, int]) -> float:
    """The deviation from a quarter turn that most characters have; 0 where it is small or too large."""
    deviations = sorted((_deviation(angle), count) for angle, count in angles.items())
    passed, half = 0, sum(angles.values()) / 2
    for deviation, count in deviations:
        passed += count
        if passed >= half:
            return deviation if abs(deviation) <= MAX_SKEW else 0.0
    return 0.0


def _quarter(angle: float) -> int:
    return round(angle / 90) % 4


def _deviation(angle: float) -> float:
    return angle - 90 * round(angle / 90)


class _Frame:
    """Leads from the space of a page to the frame of its text."""

    def __init__(self, box: tuple[float, float, float, float], upright: int, skew: float) -> None:
        self._left, bottom, right, self._top = box
        self._width, self._height = right - self._left, self._top - bottom
        self._upright, self._skew = upright, skew

    def place(self, x: float, y: float) -> tuple[float, float]:
        """A point of the page's own space (y upwards) in the text's frame."""
        width, height = self._width, self._height
        x, y = turned(x - self._left, self._top - y, self._upright, width, height)
        if self._upright % 2:
            width, height = height, width
        return rotated(x, y, self._skew, width, height)

    def box(self, left: float, bottom: float, right: float, top: float) -> tuple[float, float, float, float]:
        """A box of the page's own space as left, top, right and bottom of the frame."""
        (x0, y0), (x1, y1) = self.place(left, bottom), self.place(right, top)
        return min(x0, x1), min(y0, y1), max(x0, x1), max(y0, y1)

    def placed(self, character: Character) -> Glyph:
        text, hyphen, left, bottom, right, top, x, y, style = character
        if style is BLANK:
            return Glyph(" ", 0.0, 0.0, 0.0, 0.0, 0.0, style)
        if not self._upright and not self._skew:  # nearly all pages, and five thousand times a page
            from_left, from_top = self._left, self._top
            return Glyph(
                text,
                left - from_left,
                from_top - top,
                right - from_left,
                from_top - bottom,
                from_top - y,
                style,
                hyphen,
            )
        x0, y0, x1, y1 = self.box(left, bottom, right, top)
        if self._skew:
            x0, y0, x1, y1 = self._narrowed(right - left, top - bottom, (x0 + x1) / 2, (y0 + y1) / 2)
        return Glyph(text, x0, y0, x1, y1, self.place(x, y)[1], style, hyphen)

    def _narrowed(self, width: float, height: float, x: float, y: float) -> tuple[float, float, float, float]:
        """The box of a glyph about its middle, of which PDFium gives the box around the slanted one."""
        if self._upright % 2:
            width, height = height, width
        sine, cosine = abs(math.sin(math.radians(self._skew))), math.cos(math.radians(self._skew))
        scale = cosine * cosine - sine * sine
        inner = max(0.0, (width * cosine - height * sine) / scale)
        tall = max(0.0, (height * cosine - width * sine) / scale)
        return x - inner / 2, y - tall / 2, x + inner / 2, y + tall / 2
