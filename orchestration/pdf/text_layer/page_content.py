"""The text of one page in one direction, in the frame in which it is upright.

The frame has points, x to the right, y downwards; `turned` and `rotated` lead to it, `PageContent.shown`
back to the page as it is displayed.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

from orchestration.pdf.text_layer.characters import Glyph
from orchestration.pdf.text_layer.drawings import Rule

__all__ = ["PageContent", "rotated", "turned"]


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
    values: list[tuple[str, tuple[float, float, float, float]]] = field(default_factory=list)
    """Values of form fields, with their boxes: left, top, right, bottom."""
    image_share: float = 0.0
    """Share of the page that its images cover, overlaps counted twice."""
    unmapped: int = 0
    """Characters that the font maps to no Unicode value."""
    damaged: bool = False
    """Whether the page's content does not decode, or its text cannot be right; without glyphs."""
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
            turned(*rotated(x, y, -self.skew, width, height), -self.turns, width, height)
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


def turned(x: float, y: float, turns: int, width: float, height: float) -> tuple[float, float]:
    """A point after clockwise quarter turns of a page that is `width` x `height` before them."""
    for _ in range(turns % 4):
        x, y = height - y, x
        width, height = height, width
    return x, y


def rotated(x: float, y: float, degrees: float, width: float, height: float) -> tuple[float, float]:
    """A point after a clockwise rotation about the middle of the page."""
    if not degrees:
        return x, y
    sine, cosine = math.sin(math.radians(degrees)), math.cos(math.radians(degrees))
    x, y = x - width / 2, y - height / 2
    return width / 2 + cosine * x - sine * y, height / 2 + sine * x + cosine * y
