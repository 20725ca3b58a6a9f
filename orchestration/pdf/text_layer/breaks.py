"""Where a paragraph ends, by leading, indentation, type size, and the room that lines leave.

Comes in: a flow. Leaves: for each of its lines whether a new paragraph begins with it, and whether there is
more room than usual above it. In columns whose paragraphs hang (references) only a line at the margin
begins one.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from itertools import groupby, pairwise
from statistics import mean, median
from typing import Final

from orchestration.pdf.text_layer.columns import Flow
from orchestration.pdf.text_layer.lines import Line
from orchestration.pdf.text_layer.tables import TABLE_CAPTION

__all__ = ["BULLET", "LABEL", "OTHER_SIZE", "FlowReader"]

CAPTION_LABEL: Final = re.compile(r"(?:tab(?:le|\.)|fig(?:ure|\.))\s*[A-Z]?\d+[A-Za-z]?[.:]?", re.IGNORECASE)
BULLET: Final = re.compile(r"[•‣▪◦●○∙·\uf0b7–—-]\s+\S")
LABEL: Final = re.compile(r"(?:\[(\d{1,4})\]\s*|\(?(\d{1,3})[.)]\s+)\S")
SUBLABEL: Final = re.compile(r"\(?(?:[a-h]|[ivx]{1,4})[.)]\s+\S")
NUMBERED: Final = re.compile(r"\d{1,2}(?:\.\d{1,2})+\.?\s+[^\W\d_]")
WIDER: Final = 1.35
"""Times the usual leading: as much parts paragraphs."""
INDENT: Final = 0.7
"""Of the size: as much is an indentation."""
OTHER_SIZE: Final = 0.08


class FlowReader:
    """Finds where the paragraphs of one flow end."""

    def __init__(self, flow: Flow) -> None:
        self.lines = [item for item in flow.items if isinstance(item, Line)]
        self.last: Line | None = None
        self.right = _edge([line.right for line in self.lines])
        self._positions = {id(line): number for number, line in enumerate(self.lines)}
        self._leadings = _leadings(self.lines)
        faces: Counter[str] = Counter()
        sizes: Counter[float] = Counter()
        for line in self.lines:
            faces[line.face] += len(line.text)
            sizes[line.size] += len(line.text)
        self._face = max(faces, key=lambda face: (face != "", faces[face]), default="")
        self._size = max(sizes, key=lambda size: sizes[size], default=0.0)
        lefts = Counter(round(line.left) for line in self.lines)
        self.left = min((at for at, count in lefts.items() if count * 8 >= len(self.lines)), default=0)
        self._hanging = _hanging_sizes(self.lines, self.left)

    def breaks(self, line: Line, paragraph: Sequence[Line]) -> bool:
        """Whether a new paragraph begins with this line."""
        last = self.last
        assert last is not None
        if self._another_kind(last, line, paragraph):
            return True
        if SUBLABEL.match(line.text) and not last.hyphen and self._by_short_line(last, line):
            return True
        item = self._goes_on_with_item(line, paragraph)
        heading = (line.bold or self._goes_on_with_heading(last, line)) and len(
            paragraph
        ) < 4  # of several lines, its first one indented by its number
        label = len(paragraph) == 1 and CAPTION_LABEL.fullmatch(last.text)
        hangs = round(line.size) in self._hanging and line.left > self.left + INDENT * line.size
        if item or heading or label or hangs or last.hyphen:
            return False
        return (
            self._by_label(line, paragraph)
            or self._by_indentation(line, paragraph)
            or self._by_short_line(last, line)
        )

    def _goes_on_with_item(self, line: Line, paragraph: Sequence[Line]) -> bool:
        """Whether the line is set below the words of a list item rather than below its mark."""
        if LABEL.match(paragraph[0].text):
            return line.left > paragraph[0].left + 0.3 * line.size and not LABEL.match(line.text)
        if not BULLET.match(paragraph[0].text):
            return False
        words = [word for piece in paragraph[0].pieces for word in piece.words]
        inner = words[1].left if len(paragraph) == 1 and len(words) > 1 else paragraph[-1].left
        aligned = abs(line.left - inner) <= 0.12 * line.size and line.left > paragraph[0].left + 1
        return aligned and not self._by_short_line(paragraph[-1], line)

    def _goes_on_with_heading(self, last: Line, line: Line) -> bool:
        """Whether both lines are in one face that is not that of the flow's text, and no smaller."""
        return bool(
            line.face and line.face == last.face != self._face and line.size >= self._size * (1 - OTHER_SIZE)
        )

    def _another_kind(self, last: Line, line: Line, paragraph: Sequence[Line]) -> bool:
        """Whether the type changes, or more room, a list item or a table's caption begins."""
        if abs(line.size - last.size) > OTHER_SIZE * max(line.size, last.size):
            return True
        if self.room_between(last, line) or BULLET.match(line.text):
            return True
        if self._is_subheading(last, line, paragraph):
            return True
        if line.bold != last.bold and not last.hyphen:
            return line.bold or all(other.bold for other in paragraph)
        if line.face == self._face != last.face and self._is_heading(paragraph):
            return True
        return bool(TABLE_CAPTION.match(line.text)) and not self.is_full(last)

    def _is_subheading(self, last: Line, line: Line, paragraph: Sequence[Line]) -> bool:
        """Whether a heading of one line is followed by one in another face, in small letters or numbered."""
        above = len(paragraph) == 1 and (last.bold or last.face != self._face) and self.room_above(last)
        if not above or last.hyphen or not line.face or not (line.bold or line.face != self._face):
            return False
        letters = NUMBERED.match(line.text) or (last.text.isupper() and not line.text.isupper())
        return bool(letters) or (line.face != last.face != "" and line.text[0].isupper())

    def _is_heading(self, paragraph: Sequence[Line]) -> bool:
        """Whether a short paragraph is in another face, with room above it."""
        faces = {line.face for line in paragraph}
        apart = self.room_above(paragraph[0]) and not paragraph[-1].hyphen
        return len(paragraph) <= 2 and len(faces) == 1 and "" not in faces and apart

    def room_between(self, above: Line, below: Line) -> bool:
        """Whether there is more room between two lines than the leading of their type."""
        step = below.baseline - above.baseline
        usual = self._leadings.get(round(below.size)) or 1.25 * below.size
        return step > WIDER * usual or step < 0

    def room_above(self, line: Line) -> bool:
        """Whether it is the first line of its column, or further below the previous one than usual."""
        number = self._positions[id(line)]
        return number == 0 or self.room_between(self.lines[number - 1], line)

    def is_short(self, line: Line) -> bool:
        """Whether the line leaves a fifth of the column empty."""
        return line.right - line.left < 0.8 * (self.right - self.left)

    def is_full(self, line: Line) -> bool:
        """Whether the line reaches the right edge, but for half a word."""
        return line.right >= self.right - 2.5 * line.size or line.hyphen

    def _by_label(self, line: Line, paragraph: Sequence[Line]) -> bool:
        """The next number of a list or of the references."""
        label, first = LABEL.match(line.text), LABEL.match(paragraph[0].text)
        if label and not first and paragraph[-1].text.endswith(":"):
            return True
        if SUBLABEL.match(paragraph[0].text):
            back = label is not None and line.left < paragraph[0].left
            return back or SUBLABEL.match(line.text) is not None
        if not label or not first:
            return False
        return int(label.group(1) or label.group(2)) == int(first.group(1) or first.group(2)) + 1

    def _by_indentation(self, line: Line, paragraph: Sequence[Line]) -> bool:
        last = paragraph[-1]
        step = INDENT * line.size
        if round(line.size) in self._hanging:
            return line.left < self.left + step
        if line.left > last.left + step:  # indented: a first line, unless what follows hangs with it
            following = self._following(line)
            hangs = following is not None and abs(following.left - line.left) < step
            if len(paragraph) == 1 and hangs and not self._is_first(last, line):
                return False
            return self._is_first(line, last) and not self._centred(line, last)
        if line.left < last.left - step:  # back at the margin: of a hanging part, a new one
            return len(paragraph) > 1 and paragraph[0].left < last.left - step
        return False

    def _is_first(self, line: Line, other: Line) -> bool:
        """Whether the line is indented against the column's margin while the other is not."""
        return (
            line.left > self.left + INDENT * line.size >= other.left
            or line.left > other.left + INDENT * line.size
        )

    def _centred(self, line: Line, other: Line) -> bool:
        middles = [(edge_line.left + edge_line.right) / 2 for edge_line in (line, other)]
        return abs(middles[0] - middles[1]) < 0.6 * line.size and other.left > self.left + INDENT * line.size

    def _following(self, line: Line) -> Line | None:
        number = self._positions[id(line)] + 1
        return self.lines[number] if number < len(self.lines) else None

    def _by_short_line(self, last: Line, line: Line) -> bool:
        """Whether the first word of the line would have fitted on the last one."""
        if self._centred(line, last):
            return False
        word = line.pieces[0].words[0]
        room = self.right - last.right
        return room > (word.right - word.left) + 0.35 * line.size + 0.06 * (self.right - self.left)


def _edge(rights: Sequence[float]) -> float:
    """The right edge of a column: where a fifth of its lines end, else its longest line."""
    ordered = sorted(rights)
    for right in reversed(ordered):
        if sum(abs(right - other) <= 2 for other in ordered) >= max(3, 0.2 * len(ordered)):
            return right
    if not ordered:
        return 0.0
    return ordered[-2] if len(ordered) >= 8 and ordered[-1] - ordered[-2] > 6 else ordered[-1]


def _leadings(lines: Sequence[Line]) -> dict[int, float]:
    """The usual leading by rounded size, where at least three lines show it."""
    steps: dict[int, list[float]] = {}
    for above, below in pairwise(lines):
        step = below.baseline - above.baseline
        if abs(above.size - below.size) < 0.5 and 0 < step < 2.2 * below.size:
            steps.setdefault(round(below.size), []).append(step)
    return {
        size: median(sorted(counted)[: max(3, len(counted) * 3 // 4)])
        for size, counted in steps.items()
        if len(counted) >= 3
    }


def _hanging_sizes(lines: Sequence[Line], left: float) -> set[int]:
    """Rounded sizes of type in which first lines stand at the margin and all others are indented."""
    hanging: set[int] = set()
    for size in {round(line.size) for line in lines}:
        indented = [line.left > left + INDENT * line.size for line in lines if round(line.size) == size]
        runs: dict[bool, list[int]] = {True: [], False: []}
        for inner, group in groupby(indented):
            runs[inner].append(len(list(group)))
        if len(runs[True]) >= 2 and len(runs[False]) >= 2:
            first, others = mean(runs[False]), mean(runs[True])
            if (
                first < 1.7
                and others >= 1
                and others + 0.25 >= first
                and sum(runs[True]) >= 0.35 * len(indented)
            ):
                hanging.add(size)
    return hanging
