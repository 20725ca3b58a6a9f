"""Lines of flows to parts of a document: paragraphs, lists, captions, notes and tables.

Comes in: the flows of all pages in reading order. Leaves: `Part`s; a paragraph that runs over the end of a column
or page is one part with a stretch in each. A paragraph ends where the leading widens, a first line is indented,
the last line leaves room for the next word, or the type changes.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import groupby, pairwise
from statistics import mean, median
from typing import Final

from orchestration.contracts import PdfBlockKind
from orchestration.pdf.columns import Flow
from orchestration.pdf.lines import Line
from orchestration.pdf.tables import TABLE_CAPTION, TableRegion

__all__ = ["Part", "Stretch", "joined", "parts_of"]

FIGURE_CAPTION: Final = re.compile(
    r"(?:(?:supplementary|extended data)\s+)?fig(?:ure|\.)\s*(?:[A-Z]?\d+[A-Za-z]?|[IVX]+)\s*[.:|–—-]",
    re.IGNORECASE,
)
CAPTION_LABEL: Final = re.compile(r"(?:tab(?:le|\.)|fig(?:ure|\.))\s*[A-Z]?\d+[A-Za-z]?[.:]?", re.IGNORECASE)
BULLET: Final = re.compile(r"[•‣▪◦●○∙·\uf0b7*–—-]\s+\S")
LABEL: Final = re.compile(r"(?:\[(\d{1,4})\]|\(?(\d{1,3})[.)])\s*\S")
WIDER: Final = 1.35
"""Times the usual leading: as much parts paragraphs."""
INDENT: Final = 0.7
"""Of the size: as much is an indentation."""
OTHER_SIZE: Final = 0.08
SMALLER: Final = 0.92
"""Of the body's size: smaller type at the foot of a column is a note."""
_ENDS = tuple(".!?:;")


@dataclass(slots=True)
class Stretch:
    """The lines of a part in one column of one page."""

    page_no: int
    lines: list[Line]
    full: bool = False
    """Whether its last line reaches the right edge of its column, so that it may go on elsewhere."""


@dataclass(slots=True)
class Part:
    """What becomes one block."""

    kind: PdfBlockKind
    stretches: list[Stretch]
    items: list[int] = field(default_factory=list)
    """Of a list: at which of its lines an item begins."""
    table: TableRegion | None = None
    level: int | None = None
    alone: bool = False
    """Whether more room than usual, or the column's end, is above and below it."""

    @property
    def lines(self) -> list[Line]:
        return [line for stretch in self.stretches for line in stretch.lines]

    @property
    def page_no(self) -> int:
        return self.stretches[0].page_no

    @property
    def text(self) -> str:
        return " ".join(line.text for line in self.lines)

    @property
    def size(self) -> float:
        sizes: Counter[float] = Counter()
        for line in self.lines:
            sizes[round(line.size * 2) / 2] += len(line.text)
        return sizes.most_common(1)[0][0] if sizes else 0.0

    @property
    def bold(self) -> bool:
        lines = self.lines
        return bool(lines) and all(line.bold for line in lines)


# --- one flow --------------------------------------------------------------------------------------


def parts_of(flow: Flow, page_no: int, height: float, body: float) -> list[Part]:
    """The parts of one flow; `body` is the size of the document's text, `height` that of the page."""
    reader = _FlowReader(flow)
    parts: list[Part] = []
    for item in flow.items:
        if isinstance(item, TableRegion):
            parts.append(Part(PdfBlockKind.TABLE, [Stretch(page_no, [])], table=item))
            reader.last = None
            continue
        if reader.last is None or reader.breaks(item, parts[-1].stretches[0].lines):
            parts.append(Part(PdfBlockKind.PARAGRAPH, [Stretch(page_no, [])], alone=reader.room_above(item)))
        parts[-1].stretches[0].lines.append(item)
        reader.last = item
    _mark_alone(parts, reader)
    for part in parts:
        if part.table is None:
            part.kind = _kind(part)
            part.stretches[0].full = reader.is_full(part.lines[-1])
    _mark_notes(parts, height, body)
    return _with_lists(parts)


class _FlowReader:
    """Tells where a paragraph of one flow ends."""

    def __init__(self, flow: Flow) -> None:
        self.lines = [item for item in flow.items if isinstance(item, Line)]
        self.last: Line | None = None
        self.right = _edge([line.right for line in self.lines])
        self._positions = {id(line): number for number, line in enumerate(self.lines)}
        self._leadings = _leadings(self.lines)
        lefts = Counter(round(line.left) for line in self.lines)
        self.left = min((at for at, count in lefts.items() if count * 8 >= len(self.lines)), default=0)
        self._hanging = _hanging_sizes(self.lines, self.left)

    def breaks(self, line: Line, paragraph: Sequence[Line]) -> bool:
        """Does a new paragraph begin with this line?"""
        last = self.last
        assert last is not None
        if abs(line.size - last.size) > OTHER_SIZE * max(line.size, last.size):
            return True
        if self.room_between(last, line) or BULLET.match(line.text):
            return True
        if len(paragraph) == 1 and CAPTION_LABEL.fullmatch(last.text):
            return False
        if (
            line.bold != last.bold
            and (line.bold or all(other.bold for other in paragraph))
            and not last.hyphen
        ):
            return True
        if TABLE_CAPTION.match(line.text) and not self.is_full(last):
            return True
        if line.bold and len(paragraph) < 4:
            return False  # a heading of several lines, its first one indented by its number
        if last.hyphen:
            return False
        return (
            self._by_label(line, paragraph)
            or self._by_indentation(line, paragraph)
            or self._by_short_line(last, line)
        )

    def room_between(self, above: Line, below: Line) -> bool:
        """Is there more room between two lines than the leading of their type?"""
        step = below.baseline - above.baseline
        usual = self._leadings.get(round(below.size)) or 1.25 * below.size
        return step > WIDER * usual or step < 0

    def room_above(self, line: Line) -> bool:
        """Whether it is the first line of its column, or stands further below the one before than usual."""
        number = self._positions[id(line)]
        return number == 0 or self.room_between(self.lines[number - 1], line)

    def is_full(self, line: Line) -> bool:
        """Does the line reach the right edge, but for half a word?"""
        return line.right >= self.right - 2.5 * line.size or line.hyphen

    def _by_label(self, line: Line, paragraph: Sequence[Line]) -> bool:
        """The next number of a list or of the references."""
        label, first = LABEL.match(line.text), LABEL.match(paragraph[0].text)
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
        """Is the line indented against the column's margin while the other is not?"""
        return (
            line.left > self.left + INDENT * line.size >= other.left
            or line.left > other.left + INDENT * line.size
        )

    def _centred(self, line: Line, other: Line) -> bool:
        middles = [(one.left + one.right) / 2 for one in (line, other)]
        return abs(middles[0] - middles[1]) < 0.6 * line.size and other.left > self.left + INDENT * line.size

    def _following(self, line: Line) -> Line | None:
        number = self._positions[id(line)] + 1
        return self.lines[number] if number < len(self.lines) else None

    def _by_short_line(self, last: Line, line: Line) -> bool:
        """Would the first word of the line have had room on the last one?"""
        if self._centred(line, last):
            return False
        word = line.pieces[0].words[0]
        room = self.right - last.right
        return room > (word.right - word.left) + 0.35 * line.size + 0.06 * (self.right - self.left)


def _edge(rights: Sequence[float]) -> float:
    """The right edge of a column: where a fifth of its lines end, else its longest, one that sticks out aside."""
    ordered = sorted(rights)
    for right in reversed(ordered):
        if sum(abs(right - other) <= 2 for other in ordered) >= max(3, 0.2 * len(ordered)):
            return right
    if not ordered:
        return 0.0
    return ordered[-2] if len(ordered) >= 8 and ordered[-1] - ordered[-2] > 6 else ordered[-1]


def _leadings(lines: Sequence[Line]) -> dict[int, float]:
    """The usual leading by rounded size, where at least three lines tell."""
    steps: dict[int, list[float]] = {}
    for above, below in pairwise(lines):
        step = below.baseline - above.baseline
        if abs(above.size - below.size) < 0.5 and 0 < step < 2.2 * below.size:
            steps.setdefault(round(below.size), []).append(step)
    return {
        size: median(sorted(found)[: max(3, len(found) * 3 // 4)])
        for size, found in steps.items()
        if len(found) >= 3
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


def _mark_alone(parts: Sequence[Part], reader: _FlowReader) -> None:
    for part, following in pairwise(parts):
        if part.alone and following.table is None and part.table is None:
            part.alone = reader.room_between(part.lines[-1], following.lines[0])


def _kind(part: Part) -> PdfBlockKind:
    if FIGURE_CAPTION.match(part.text):
        return PdfBlockKind.FIGURE_CAPTION
    return PdfBlockKind.LIST if BULLET.match(part.lines[0].text) else PdfBlockKind.PARAGRAPH


def _mark_notes(parts: Sequence[Part], height: float, body: float) -> None:
    """Paragraphs in smaller type at the foot of a column of text are notes."""
    notes: list[Part] = []
    for part in reversed(parts):
        small = part.kind is PdfBlockKind.PARAGRAPH and part.size <= SMALLER * body
        if not small or part.lines[0].baseline < 0.55 * height or TABLE_CAPTION.match(part.text):
            text_above = part.kind in (PdfBlockKind.PARAGRAPH, PdfBlockKind.LIST) and len(part.text) >= 40
            if text_above and part.size > SMALLER * body:
                for note in notes:
                    note.kind = PdfBlockKind.FOOTNOTE
            return
        notes.append(part)


def _with_lists(parts: Sequence[Part]) -> list[Part]:
    """Items that follow one another as one list."""
    merged: list[Part] = []
    for part in parts:
        last = merged[-1] if merged else None
        if part.kind is PdfBlockKind.LIST and last is not None and last.kind is PdfBlockKind.LIST:
            last.items.append(len(last.lines))
            last.stretches[0].lines.extend(part.lines)
            last.stretches[0].full = part.stretches[0].full
            continue
        if part.kind is PdfBlockKind.LIST:
            part.items.append(0)
        merged.append(part)
    return merged


# --- across columns and pages ----------------------------------------------------------------------


def joined(parts: Iterable[Sequence[Part]]) -> list[Part]:
    """All parts in order, paragraphs that go on in the next column or page put together."""
    result: list[Part] = []
    open_part: Part | None = None
    for flow in parts:
        for number, part in enumerate(flow):
            if number == 0 or all(_floats(before) for before in flow[:number]):
                if open_part is not None and _goes_on(open_part, part):
                    open_part.stretches.extend(part.stretches)
                    open_part = open_part if number == len(flow) - 1 else None
                    continue
            result.append(part)
        last = next((part for part in reversed(flow) if not _floats(part)), None)
        if last is not None and not (open_part is not None and open_part.stretches[-1] is last.stretches[-1]):
            open_part = last if last.kind is PdfBlockKind.PARAGRAPH else None
    return result


def _floats(part: Part) -> bool:
    """Does the part stand aside from the text, so that a paragraph may run on over it?"""
    return part.kind in (PdfBlockKind.TABLE, PdfBlockKind.FIGURE_CAPTION, PdfBlockKind.FOOTNOTE) or bool(
        TABLE_CAPTION.match(part.text)
    )


def _goes_on(part: Part, following: Part) -> bool:
    """Is `following` the rest of a paragraph that the end of its column cut?"""
    last = part.stretches[-1]
    if following.kind is not PdfBlockKind.PARAGRAPH or part.kind is not PdfBlockKind.PARAGRAPH:
        return False
    if abs(part.size - following.size) > OTHER_SIZE * part.size or part.bold != following.bold:
        return False
    if last.lines[-1].hyphen:
        return True
    text, rest = last.lines[-1].text, following.text
    if rest[:1].islower():
        return not text.endswith((".", "!", "?")) or last.full
    return last.full and not text.endswith(_ENDS) and not LABEL.match(rest)
