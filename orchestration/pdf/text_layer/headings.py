"""Which parts are the title and the headings, and the level of each heading.

Comes in: the parts of a document. Leaves: the same with kinds and levels. The title is the largest type on
the first page; headings are short and larger than the text, bold, in capitals, or numbered and alone. A
number ('2.1') sets the level; else the styles of the headings do, from the largest down.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from itertools import pairwise
from typing import Final

from orchestration.contracts import PdfBlockKind
from orchestration.pdf.text_layer.breaks import LABEL
from orchestration.pdf.text_layer.paragraphs import REFERENCE_LIST, Part
from orchestration.pdf.text_layer.tables import TABLE_CAPTION

__all__ = ["mark_headings"]

LARGER: Final = 1.07
TITLE_LARGER: Final = 1.15
SMALLEST: Final = 0.9
"""Of the body's size: what is smaller is no heading."""
SMALL_CAPITALS: Final = 0.74
"""The same for capitals, of which all but the first may be small ones."""
MAX_HEADING: Final = 160
MAX_TITLE: Final = 400
MAX_LEVEL: Final = 6
_NUMBERED = re.compile(r"(\d{1,2}(?:\.\d{1,2}){0,4})\.?\s+[^\W\d_]")
_ROMAN = re.compile(r"[IVX]{1,5}\.\s+[A-Z]")
_LETTERED = re.compile(r"[A-H]\.\s+[A-Z][a-z]")
_LEADERS = re.compile(r"(?:\.\s?){4,}")
"""Dots that lead to a page number: a table of contents."""
_SECTIONS = re.compile(
    r"abstract|summary|introduction|background|(materials? and |patients and )?methods?|results?|"
    r"discussions?|conclusions?|references?|acknowledge?ments?|keywords?|appendix|bibliography|funding",
    re.IGNORECASE,
)

TEXT: Final = 60
"""Characters that a paragraph below a heading in another face has at least."""

_BACK = re.compile(
    rf"{REFERENCE_LIST.pattern}|(?:list of )?abbreviations(?: used)?|acknowledge?ments?|declarations?|orcid|"
    r"(?:authors?[’'] ?s?|authors?) ?(?:contributions?|information)|funding(?: (?:sources?|information))?|"
    r"(?:availability of )?(?:supporting )?data(?: and materials?)?(?: availability(?: statements?)?)?|"
    r"ethics approval(?: and consent to participate)?|consent for publication|publisher[’']s note|"
    r"(?:(?:competing|conflicts? of|declarations? of) interests?|disclosures?)(?: statements?)?|"
    r"supplement(?:ary|al) (?:materials?|information|data)|additional files?",
    re.IGNORECASE,
)
"""Headings of what is set small at the end of an article."""

Look = tuple[float, bool, bool, str]
"""Size, bold, capitals, and the face where it is not bold."""


def mark_headings(parts: list[Part], body: float) -> None:
    """Set kind and level of the title and of headings, in place; the lines of the title become one part."""
    title = _title(parts, body)
    if title is not None:
        title.kind = PdfBlockKind.TITLE
        _join_title(title, parts)
    by_face = _in_faces_of_headings(parts, body)
    candidates = [
        part for part in parts if part is not title and (id(part) in by_face or _may_be_heading(part, body))
    ]
    headings = _with_numbers_between(_without_front_matter(candidates, parts, title), parts)
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


def _join_title(title: Part, parts: list[Part]) -> None:
    """Move the next lines of the title, in the same type and right below it, to its part."""
    at = next(number for number, part in enumerate(parts) if part is title) + 1
    while at < len(parts) and _goes_on(title, parts[at]):
        title.stretches[-1].lines.extend(parts.pop(at).lines)


def _goes_on(title: Part, part: Part) -> bool:
    if part.kind is not PdfBlockKind.PARAGRAPH or part.page_no != title.page_no or part.room_above:
        return False
    alike = (part.size, part.bold, part.face) == (title.size, title.bold, title.face)
    return alike and len(title.text) + len(part.text) < MAX_TITLE


def _in_faces_of_headings(parts: Sequence[Part], body: float) -> set[int]:
    """Ids of short parts in another face than the text, apart from what is above and right above text.

    So headings are found whose fonts do not say in their names that they are bold, and those in italics.
    """
    faces: Counter[str] = Counter()
    for part in parts:
        if abs(part.size - body) <= 0.5:
            faces[part.face] += len(part.text)
    text = max(faces, key=lambda face: (face != "", faces[face]), default="")
    headings: set[int] = set()
    types: Counter[tuple[str, float]] = Counter()
    below: Part | None = None
    for part in reversed(parts):
        is_text = (
            below is not None
            and below.kind in (PdfBlockKind.PARAGRAPH, PdfBlockKind.LIST)
            and (id(below) in headings or (below.face in (text, "") and len(below.text) >= TEXT))
            and abs(below.size - body) <= 0.5
        )
        if is_text and part.face not in (text, "") and part.room_above and _stands_apart(part, body):
            headings.add(id(part))
            types[part.face, part.size] += 1
        below = part
    for above, part in pairwise(parts):
        apart = part.room_above or id(above) in headings
        if apart and types[part.face, part.size] >= 2 and _stands_apart(part, body):
            headings.add(id(part))
    return headings


def _stands_apart(part: Part, body: float) -> bool:
    """Whether a part reads like a heading of at most two lines."""
    text = part.text.strip()
    return (
        part.kind is PdfBlockKind.PARAGRAPH
        and len(part.lines) <= 2
        and part.size >= SMALLEST * body
        and _reads_like_heading(text)
        and ":" not in text
        and not text.endswith(".")
        and 2 * _letters(text) > len(text)
    )


def _may_be_heading(part: Part, body: float) -> bool:
    text = part.text.strip()
    if part.kind is not PdfBlockKind.PARAGRAPH or len(part.lines) > 4 or not _reads_like_heading(text):
        return False
    larger = part.size >= LARGER * body
    if text.endswith(".") and (len(text) > 60 or not (_NUMBERED.match(text) or part.bold or larger)):
        return False
    alone = part.room_above and part.room_below
    apart = alone or (part.room_above and part.short)
    if _capitals(text) and apart and len(part.lines) <= 2:
        return part.size >= SMALL_CAPITALS * body
    if part.size < SMALLEST * body:
        return bool(_BACK.fullmatch(text.rstrip(".: "))) and len(part.lines) == 1 and part.room_above
    if larger or part.bold:
        return True
    known = bool(_SECTIONS.fullmatch(text.rstrip(".: ")))
    numbered = len(text) <= 90 and ((alone and _NUMBERED.match(text)) or (apart and _LETTERED.match(text)))
    return len(part.lines) == 1 and bool(known or numbered)


def _reads_like_heading(text: str) -> bool:
    """Whether it is short, has words, starts with a capital or number, and is no entry of a contents list."""
    if len(text) > MAX_HEADING or _letters(text) < 2 or text.endswith((",", ";", "-")):
        return False
    if TABLE_CAPTION.match(text):
        return False
    return (text[0].isupper() or text[0].isdigit()) and not _LEADERS.search(text)


def _without_front_matter(
    candidates: Sequence[Part], parts: Sequence[Part], title: Part | None
) -> list[Part]:
    """Candidates without what is above the title, and the authors and addresses before the first section.

    Above a title are the article's type ('RESEARCH ARTICLE', 'Open Access') and the journal's name. Only
    sections beyond doubt stay headings there.
    """
    if title is None:
        return list(candidates)
    begins = next((number for number, part in enumerate(parts) if part is title), 0)
    above = {id(part) for part in parts[:begins]}
    candidates = [part for part in candidates if id(part) not in above or _is_section(part.text)]
    front = {id(part) for part in parts[begins + 1 :] if part.page_no == title.page_no}
    sections = [
        number for number, part in enumerate(candidates) if id(part) in front and _is_section(part.text)
    ]
    if sections:
        first = sections[0]
        return [part for number, part in enumerate(candidates) if number >= first or id(part) not in front]
    looks = Counter(_look(part) for part in candidates)
    return [
        part
        for part in candidates
        if id(part) not in front or (looks[_look(part)] >= 3 and "@" not in part.text)
    ]


def _with_numbers_between(headings: Sequence[Part], parts: Sequence[Part]) -> list[Part]:
    """The headings, and each short part in their type whose number ('2.7') is the next after one of theirs.

    Such a part needs no room below it, and may have two lines.
    """
    accepted = {id(part) for part in headings}
    types: set[tuple[float, bool, int]] = set()
    for part in headings:
        if number := _section_number(part):
            types.add((part.size, part.bold, len(number)))
    expected: set[tuple[int, ...]] = set()
    result: list[Part] = []
    for before, part in zip([None, *parts], parts, strict=False):
        number = _section_number(part)
        apart = part.room_above or (before is not None and id(before) in accepted)
        if id(part) not in accepted:
            alike = number is not None and (part.size, part.bold, len(number)) in types
            if not (alike and number in expected and apart and _is_short_number(part)):
                continue
            accepted.add(id(part))
        result.append(part)
        if number:
            expected |= {(*number[:-1], number[-1] + 1), (*number, 1)}
    return result


def _section_number(part: Part) -> tuple[int, ...] | None:
    """(2, 7) of '2.7. Outcomes'."""
    match = _NUMBERED.match(part.text.strip())
    return tuple(map(int, match.group(1).split("."))) if match else None


def _is_short_number(part: Part) -> bool:
    """Whether a part has a number of several levels and the length of a heading."""
    text = part.text.strip()
    return (
        part.kind is PdfBlockKind.PARAGRAPH
        and "." in text.split()[0].rstrip(".")
        and len(part.lines) <= 2
        and _reads_like_heading(text)
        and not (text.endswith(".") and len(text) > 60)
    )


def _is_section(text: str) -> bool:
    """Whether it is a heading beyond doubt."""
    text = text.strip().rstrip(".: ")
    return bool(_NUMBERED.match(text) or _ROMAN.match(text) or _SECTIONS.fullmatch(text))


def _levels(headings: Sequence[Part]) -> dict[Look, int]:
    """Level by style: that of its numbered headings, else by its rank."""
    numbered: dict[Look, list[int]] = {}
    for part in headings:
        level = _numbered_level(part.text)
        if level:
            numbered.setdefault(_look(part), []).append(level)
    ranks = {look: rank for rank, look in enumerate(_ranked(headings), start=1)}
    return {
        look: min(numbered[look]) if look in numbered else min(rank, MAX_LEVEL)
        for look, rank in ranks.items()
    }


def _ranked(headings: Sequence[Part]) -> list[Look]:
    """The styles from the highest level down; of two faces in one style the first one is above the other."""
    looks = list(dict.fromkeys(_look(part) for part in headings))
    return sorted(looks, key=lambda look: look[:3], reverse=True)


def _numbered_level(text: str) -> int | None:
    text = text.strip()
    if _ROMAN.match(text):
        return 1
    if _LETTERED.match(text):
        return 2
    match = _NUMBERED.match(text)
    if match is None or (LABEL.match(text) and len(match.group(1)) > 2 and "." not in match.group(1)):
        return None
    return min(match.group(1).count(".") + 1, MAX_LEVEL)


def _look(part: Part) -> Look:
    return part.size, part.bold, _capitals(part.text), "" if part.bold else part.face


def _capitals(text: str) -> bool:
    letters = [letter for letter in text if letter.isalpha()]
    enough = len(letters) >= max(4, 0.5 * len(text.replace(" ", "")))
    return enough and all(letter.isupper() for letter in letters) and len(text) <= 90


def _letters(text: str) -> int:
    return sum(letter.isalpha() for letter in text)
