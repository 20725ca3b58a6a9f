"""Lines of flows to parts of a document: paragraphs, lists, captions, notes and tables.

Comes in: the flows of all pages in reading order. Leaves: `Part`s; a paragraph that continues over the end
of a column or page is one part with a stretch in each. A paragraph ends where the leading widens, a first
line is indented, the last line leaves room for the next word, or the type changes.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Final

from orchestration.contracts import PdfBlockKind
from orchestration.pdf.text_layer.breaks import BULLET, LABEL, OTHER_SIZE, FlowReader
from orchestration.pdf.text_layer.columns import Flow
from orchestration.pdf.text_layer.lines import Line
from orchestration.pdf.text_layer.page_content import PageContent
from orchestration.pdf.text_layer.tables import TABLE_CAPTION, TableRegion

__all__ = ["REFERENCE_LIST", "Part", "Stretch", "joined", "parts_of"]

FIGURE_CAPTION: Final = re.compile(
    r"(?:(?:supplementary|extended data)\s+)?fig(?:ure|\.)\s*(?:[A-Z]?\d+[A-Za-z]?|[IVX]+)\s*[.:|–—-]",
    re.IGNORECASE,
)
REFERENCE_LIST: Final = re.compile(
    r"(?:\d+\.?\s+)?(?:references|bibliography|literature(?: cited)?)", re.IGNORECASE
)
SAME_WIDTH: Final = 6.0
"""Points by which the sides of a table may differ from page to page."""
SMALLER: Final = 0.92
"""Of the body's size: smaller type at the foot of a column is a note."""
_ENDS = tuple(".!?:;")


@dataclass(slots=True)
class Stretch:
    """The lines of a part in one column of one page."""

    page: PageContent
    lines: list[Line]
    full: bool = False
    """Whether its last line reaches the right edge of its column, so that it may go on elsewhere."""


@dataclass(slots=True)
class Part:
    """The lines or rows that become one block."""

    kind: PdfBlockKind
    stretches: list[Stretch]
    items: list[int] = field(default_factory=list)
    """Of a list: at which of its lines an item begins."""
    table: TableRegion | None = None
    continued: list[tuple[PageContent, TableRegion]] = field(default_factory=list)
    """The rest of a table on later pages, each with its page."""
    level: int | None = None
    room_above: bool = False
    room_below: bool = True
    """Whether more room than usual, or the column's end, is above and below it."""
    short: bool = False
    """Whether its only line leaves a fifth of the column empty."""

    @property
    def lines(self) -> list[Line]:
        return [line for stretch in self.stretches for line in stretch.lines]

    @property
    def page(self) -> PageContent:
        return self.stretches[0].page

    @property
    def page_no(self) -> int:
        return self.page.page_no

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
    def face(self) -> str:
        """The face of all lines; '' if they differ."""
        faces = {line.face for line in self.lines}
        return faces.pop() if len(faces) == 1 else ""

    @property
    def bold(self) -> bool:
        lines = self.lines
        return bool(lines) and all(line.bold for line in lines)


# --- one flow --------------------------------------------------------------------------------------


def parts_of(flow: Flow, page: PageContent, body: float) -> list[Part]:
    """The parts of one flow of a page; `body` is the size of the document's text."""
    reader = FlowReader(flow)
    parts: list[Part] = []
    for item in flow.items:
        if isinstance(item, TableRegion):
            parts.append(Part(PdfBlockKind.TABLE, [Stretch(page, [])], table=item))
            reader.last = None
            continue
        if reader.last is None or reader.breaks(item, parts[-1].stretches[0].lines):
            room = reader.room_above(item)
            parts.append(Part(PdfBlockKind.PARAGRAPH, [Stretch(page, [])], room_above=room))
        parts[-1].stretches[0].lines.append(item)
        reader.last = item
    _mark_room_below(parts, reader)
    for part in parts:
        if part.table is None:
            part.short = len(part.lines) == 1 and reader.is_short(part.lines[0])
            part.kind = _kind(part)
            part.stretches[0].full = reader.is_full(part.lines[-1])
    _mark_notes(parts, page.frame_height, body)
    return _with_lists(parts)


def _mark_room_below(parts: Sequence[Part], reader: FlowReader) -> None:
    for part, following in pairwise(parts):
        if following.table is None and part.table is None:
            part.room_below = reader.room_between(part.lines[-1], following.lines[0])


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
        if REFERENCE_LIST.fullmatch(part.text):
            return  # what follows is the reference list in its smaller type
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
    """All parts in order; paragraphs that continue in the next column or page are joined."""
    result: list[Part] = []
    open_part: Part | None = None
    for flow in parts:
        body = [part for part in flow if not _floats(part)]
        rest = body[0] if body and open_part is not None and _goes_on(open_part, body[0]) else None
        result.extend(part for part in flow if part is not rest)
        if rest is not None and open_part is not None:
            open_part.stretches.extend(rest.stretches)
        if body and body[-1] is not rest:
            open_part = body[-1] if body[-1].kind is PdfBlockKind.PARAGRAPH else None
    return _with_whole_tables(result)


def _with_whole_tables(parts: Iterable[Part]) -> list[Part]:
    """Tables that continue on the next page as one."""
    whole: list[Part] = []
    for part in parts:
        last = whole[-1] if whole else None
        if last is not None and last.table is not None and part.table is not None and _is_rest(last, part):
            last.continued.append((part.page, part.table))
        else:
            whole.append(part)
    return whole


def _is_rest(part: Part, following: Part) -> bool:
    """Whether `following` continues a table: first on the next page, as wide, as many columns, no caption."""
    page, above = part.continued[-1] if part.continued else (part.page, part.table)
    below = following.table
    if above is None or below is None or following.page_no != page.page_no + 1:
        return False
    named = below.caption and "cont" not in below.caption[0].text.casefold()
    alike = abs(above.left - below.left) <= SAME_WIDTH and abs(above.right - below.right) <= SAME_WIDTH
    return not named and alike and above.columns == below.columns


def _floats(part: Part) -> bool:
    """Whether the part is set apart from the text, so that a paragraph may continue after it."""
    return part.kind in (PdfBlockKind.TABLE, PdfBlockKind.FIGURE_CAPTION, PdfBlockKind.FOOTNOTE) or bool(
        TABLE_CAPTION.match(part.text)
    )


def _goes_on(part: Part, following: Part) -> bool:
    """Whether `following` is the rest of a paragraph that the end of its column cut."""
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
