"""What a page draws besides text: ruled lines and images.

Comes in: an open page. Leaves: the ends of its ruled lines, in the page's own space (points, y upwards),
and the share of the page that images cover. A page with more paths than a table needs is a drawing and has
none.
"""

from __future__ import annotations

import ctypes
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Final

__all__ = ["Rule", "drawings_of", "placed_rules"]

MAX_PATHS: Final = 4_000
"""Paths of a page that are looked at for ruled lines: a drawing has more, a table fewer."""
MAX_SEGMENTS: Final = 400
RULE_THICKNESS: Final = 2.5
RULE_LENGTH: Final = 12.0

Point = tuple[float, float]
Place = Callable[[float, float], Point]
Ends = tuple[Point, Point]


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


def drawings_of(page: Any, area: float) -> tuple[list[Ends], float]:
    """(Ends of straight lines, share of the area that images cover, overlaps counted twice)."""
    import pypdfium2.raw as pdfium

    lines: list[Ends] = []
    share = 0.0
    paths = 0
    for holder in page.get_objects(max_depth=1):
        if holder.type == pdfium.FPDF_PAGEOBJ_IMAGE:
            left, bottom, right, top = _bounds(holder) or (0.0, 0.0, 0.0, 0.0)
            share = min(1.0, share + (right - left) * (top - bottom) / area)
        elif holder.type == pdfium.FPDF_PAGEOBJ_PATH:
            paths += 1
            if paths > MAX_PATHS:
                return [], share
            lines.extend(_straight_lines(holder))
    return lines, share


def placed_rules(lines: list[Ends], place: Place) -> list[Rule]:
    """The lines that are level or upright in the frame to which `place` leads."""
    return [rule for start, end in lines if (rule := _rule(place(*start), place(*end))) is not None]


def _bounds(holder: Any) -> tuple[float, float, float, float] | None:
    """Left, bottom, right and top of an object; None for an empty one."""
    from pypdfium2 import PdfiumError

    try:
        bounds: tuple[float, float, float, float] = holder.get_bounds()
    except PdfiumError:
        return None
    return bounds if all(map(math.isfinite, bounds)) else None


def _straight_lines(holder: Any) -> Iterator[Ends]:
    """The lines that a path draws: its straight edges if it is stroked, itself if it is a thin area."""
    import pypdfium2.raw as pdfium

    fill, stroke = ctypes.c_int(), ctypes.c_int()
    bounds = _bounds(holder)
    if bounds is None or not pdfium.FPDFPath_GetDrawMode(holder.raw, fill, stroke):
        return
    left, bottom, right, top = bounds
    if min(right - left, top - bottom) <= RULE_THICKNESS:
        yield (left, bottom), (right, top)
    elif stroke.value:
        yield from _edges(holder)


def _rule(start: Point, end: Point) -> Rule | None:
    (x0, y0), (x1, y1) = start, end
    left, right, top, bottom = min(x0, x1), max(x0, x1), min(y0, y1), max(y0, y1)
    if min(right - left, bottom - top) <= RULE_THICKNESS and max(right - left, bottom - top) >= RULE_LENGTH:
        return Rule(left, top, right, bottom)
    return None


def _edges(holder: Any) -> Iterator[Ends]:
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
