"""The content of a PDF page in the frame in which its text is upright: glyphs and ruled lines.

Comes in: an open PDF. Leaves: one `PageContent` for most of a page's text, and one for each other quarter
turn that it has text in (a table set on its side), all in points, x to the right, y downwards. A page that
was scanned askew is set upright. Slanted text (watermarks) is in no frame, and counted. Only this module
and those it imports use pypdfium2, and import it where it is used.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from orchestration.pdf.text_layer.characters import BLANK, Character, Glyph, characters_of
from orchestration.pdf.text_layer.drawings import Rule, drawings_of, placed_rules
from orchestration.pdf.text_layer.overprint import printed_once
from orchestration.pdf.text_layer.signs import UNMAPPED

__all__ = ["PageContent", "read_page"]

STRAIGHT: Final = 3.0
"""Degrees by which text may differ from the direction of its frame."""
MAX_SKEW: Final = 20.0
"""Degrees by which a page may have been scanned askew."""
MIN_SKEW: Final = 0.2
"""Degrees that are noticed."""


@dataclass(slots=True)
class PageContent:
    """The text of one page in one direction."""

    page_no: int
    width: float
    """Of the page as it is shown; `turns` quarter turns clockwise lead from there to the text's frame."""
    height: float
    turns: int
    skew: float = 0.0
    """Degrees by which the page's text rose before it was set upright."""
    glyphs: list[Glyph] = field(default_factory=list)
    rules: list[Rule] = field(default_factory=list)
    image_share: float = 0.0
    """Share of the page that its images cover, overlaps counted twice."""
    unmapped: int = 0
    """Characters that the font maps to no Unicode value."""
    slanted: int = 0
    """Characters of the page that are in no frame, as they are neither level nor upright."""

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
        width, height = self.frame_width, self.frame_height
        corners = [
            _turned(*_rotated(x, y, -self.skew, width, height), -self.turns, width, height)
            for x in (left, right)
            for y in (top, bottom)
        ]
        xs, ys = zip(*corners, strict=True)
        return (
            max(0.0, min(xs)),
            max(0.0, min(ys)),
            min(self.width, max(xs)),
            min(self.height, max(ys)),
        )


def read_page(document: Any, index: int, max_characters: int) -> list[PageContent]:
    """Page `index` (from 0) of a pypdfium2 document, the direction of most of its text first.

    Raises OverflowError beyond `max_characters`.
    """
    page = document[index]
    try:
        text = page.get_textpage()
        try:
            return _read(page, text, index + 1, max_characters)
        finally:
            text.close()
    finally:
        page.close()


def _read(page: Any, text: Any, page_no: int, max_characters: int) -> list[PageContent]:
    width, height = page.get_size()
    count = text.count_chars()
    if count > max_characters:
        raise OverflowError(f"page {page_no} has {count:,} characters")
    drawn = list(characters_of(text.raw, count))
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
    return contents


def _by_direction(drawn: Sequence[Character]) -> tuple[list[tuple[int, list[Character]]], float, int]:
    """(Characters by quarter turns, most of them first; the page's skew; the number of slanted ones)."""
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


def _turned(x: float, y: float, turns: int, width: float, height: float) -> tuple[float, float]:
    """A point after clockwise quarter turns of a page that is `width` x `height` before them."""
    for _ in range(turns % 4):
        x, y = height - y, x
        width, height = height, width
    return x, y


def _rotated(x: float, y: float, degrees: float, width: float, height: float) -> tuple[float, float]:
    """A point after a clockwise rotation about the middle of the page."""
    if not degrees:
        return x, y
    sine, cosine = math.sin(math.radians(degrees)), math.cos(math.radians(degrees))
    x, y = x - width / 2, y - height / 2
    return width / 2 + cosine * x - sine * y, height / 2 + sine * x + cosine * y


class _Frame:
    """Leads from the space of a page to the frame of its text."""

    def __init__(self, box: tuple[float, float, float, float], upright: int, skew: float) -> None:
        self._left, bottom, right, self._top = box
        self._width, self._height = right - self._left, self._top - bottom
        self._upright, self._skew = upright, skew

    def place(self, x: float, y: float) -> tuple[float, float]:
        """A point of the page's own space (y upwards) in the text's frame."""
        width, height = self._width, self._height
        x, y = _turned(x - self._left, self._top - y, self._upright, width, height)
        if self._upright % 2:
            width, height = height, width
        return _rotated(x, y, self._skew, width, height)

    def placed(self, character: Character) -> Glyph:
        text, hyphen, left, bottom, right, top, x, y, style = character
        if style is BLANK:
            return Glyph(" ", 0.0, 0.0, 0.0, 0.0, 0.0, style)
        (x0, y0), (x1, y1) = self.place(left, bottom), self.place(right, top)
        _, baseline = self.place(x, y)
        if self._skew:
            x0, y0, x1, y1 = self._narrowed(right - left, top - bottom, (x0 + x1) / 2, (y0 + y1) / 2)
        return Glyph(text, min(x0, x1), min(y0, y1), max(x0, x1), max(y0, y1), baseline, style, hyphen)

    def _narrowed(self, width: float, height: float, x: float, y: float) -> tuple[float, float, float, float]:
        """The box of a glyph about its middle, of which PDFium gives the box around the slanted one."""
        if self._upright % 2:
            width, height = height, width
        sine, cosine = abs(math.sin(math.radians(self._skew))), math.cos(math.radians(self._skew))
        scale = cosine * cosine - sine * sine
        inner = max(0.0, (width * cosine - height * sine) / scale)
        tall = max(0.0, (height * cosine - width * sine) / scale)
        return x - inner / 2, y - tall / 2, x + inner / 2, y + tall / 2
