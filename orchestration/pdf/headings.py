"""Which parts are the title and the headings, and how deep each heading is.

Comes in: the parts of a document. Leaves: the same with kinds and levels. The title is the largest type on the
first page; headings are short and larger than the text, bold, in capitals, or numbered and alone. A number
('2.1') tells the level; else the styles of the headings do, from the largest down.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from typing import Final

from orchestration.contracts import PdfBlockKind
from orchestration.pdf.paragraphs import LABEL, Part

__all__ = ["mark_headings"]

LARGER: Final = 1.07
TITLE_LARGER: Final = 1.15
MAX_HEADING: Final = 160
MAX_TITLE: Final = 400
MAX_LEVEL: Final = 6
_NUMBERED = re.compile(r"(\d{1,2}(?:\.\d{1,2}){0,4})\.?\s+[^\W\d_]")
_APPENDIX = re.compile(r"[A-Z]\.?(?:\d{1,2}(?:\.\d{1,2}){0,3})?\.?\s+[A-Z]")
_SECTIONS = re.compile(
    r"abstract|summary|introduction|background|(materials? and |patients and )?methods?|results?|discussions?|"
    r"conclusions?|references?|acknowledge?ments?|keywords?|appendix|bibliography|funding",
    re.IGNORECASE,
)

Look = tuple[float, bool, bool]
"""Size, bold, capitals."""


def mark_headings(parts: Sequence[Part], body: float) -> None:
    """Set kind and level of the title and of headings, in place."""
    title = _title(parts, body)
    if title is not None:
        title.kind = PdfBlockKind.TITLE
    candidates = [part for part in parts if part is not title and _may_be_heading(part, body)]
    headings = _without_front_matter(candidates, parts, title)
    levels = _levels(headings)
    for part in headings:
        part.kind = PdfBlockKind.HEADING
        part.level = _numbered_level(part.text) or levels[_look(part)]


def _title(parts: Sequence[Part], body: float) -> Part | None:
    """The first part in the largest type of the first page, if it is larger than the text."""
    first = [
        part
        for part in parts
        if part.page_no == 1
        and part.kind is PdfBlockKind.PARAGRAPH
        and 8 <= len(part.text) <= MAX_TITLE
        and _letters(part.text) >= 6
    ]
    if not first:
        return None
    largest = max(part.size for part in first)
    if largest < TITLE_LARGER * body:
        return None
    return next(part for part in first if part.size == largest)


def _may_be_heading(part: Part, body: float) -> bool:
    text = part.text.strip()
    if part.kind is not PdfBlockKind.PARAGRAPH or len(part.lines) > 4 or len(text) > MAX_HEADING:
        return False
    if _letters(text) < 2 or text.endswith((",", ";", "-")) or not (text[0].isupper() or text[0].isdigit()):
        return False
    if text.endswith(".") and (
        len(text) > 60 or not (_NUMBERED.match(text) or part.bold or part.size >= LARGER * body)
    ):
        return False
    numbered = _NUMBERED.match(text)
    if part.size < SMALLEST * body:
        return False
    if part.size >= LARGER * body or part.bold:
        return True
    if part.alone and len(part.lines) == 1:
        return (
            bool(numbered and len(text) <= 90)
            or _capitals(text)
            or bool(_SECTIONS.fullmatch(text.rstrip(".: ")))
        )
    return bool(_SECTIONS.fullmatch(text.rstrip(".: "))) and len(part.lines) == 1


SMALLEST: Final = 0.9
"""Of the body's size: what is smaller is no heading."""


def _without_front_matter(
    candidates: Sequence[Part], parts: Sequence[Part], title: Part | None
) -> list[Part]:
    """Candidates without the authors and addresses that follow the title in types of their own."""
    if title is None:
        return list(candidates)
    looks = Counter(_look(part) for part in candidates)
    begins = next((number for number, part in enumerate(parts) if part is title), 0)
    front = {id(part) for part in parts[begins + 1 :][:30] if part.page_no == title.page_no}
    kept: list[Part] = []
    in_front = True
    for part in candidates:
        text = part.text.strip().rstrip(".: ")
        if in_front and id(part) in front:
            known = _NUMBERED.match(text) or _SECTIONS.fullmatch(text)
            if not known and (looks[_look(part)] < 3 or "@" in text):
                continue
            in_front = not known
        kept.append(part)
    return kept


def _levels(headings: Sequence[Part]) -> dict[Look, int]:
    """Level by look: that of its numbered headings, else by its rank."""
    numbered: dict[Look, list[int]] = {}
    for part in headings:
        level = _numbered_level(part.text)
        if level:
            numbered.setdefault(_look(part), []).append(level)
    ranks = {
        look: rank
        for rank, look in enumerate(sorted({_look(part) for part in headings}, reverse=True), start=1)
    }
    return {
        look: min(numbered[look]) if look in numbered else min(rank, MAX_LEVEL)
        for look, rank in ranks.items()
    }


def _numbered_level(text: str) -> int | None:
    match = _NUMBERED.match(text.strip())
    if match is None or (LABEL.match(text) and len(match.group(1)) > 2 and "." not in match.group(1)):
        return None
    return min(match.group(1).count(".") + 1, MAX_LEVEL)


def _look(part: Part) -> Look:
    return part.size, part.bold, _capitals(part.text)


def _capitals(text: str) -> bool:
    letters = [letter for letter in text if letter.isalpha()]
    return len(letters) >= 4 and all(letter.isupper() for letter in letters) and len(text) <= 90


def _letters(text: str) -> int:
    return sum(letter.isalpha() for letter in text)
