"""The words of one citation of a JATS article.

Comes in: a citation, as a sentence with its parts marked, or as parts alone. Leaves: one line. A sentence
stays as it is. Parts alone get what print has between them: separators, and the words that say what a part
is ('editors', '2nd ed', '320 p').
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Final

from lxml import etree

from orchestration.parsing.jats.parts import add_part, is_glued, parts_text
from orchestration.parsing.jats.people import person_name
from orchestration.parsing.text_builder import one_line
from orchestration.parsing.xml.inline import InlineText, inline_text
from orchestration.parsing.xml.trees import local_name

__all__ = ["citation_text"]

_PEOPLE = frozenset(
    {
        "person-group",
        "name",
        "collab",
        "string-name",
        "name-alternatives",
        "collab-alternatives",
        "etal",
        "anonymous",
    }
)
_WITHOUT_WORDS: Final = {"etal": "et al", "anonymous": "Anonymous"}
_ALONE = frozenset({"name", "string-name", "etal"})
"""People outside of a group; several in a row are one list."""

_AUTHORS = frozenset({"", "author", "authors", "allauthors", "all-authors"})
_SENTENCE_SIGN = re.compile(r"[\w.,;:]")
_WORD = re.compile(r"\w+")
_EDITION_WORD = re.compile(r"\b(?:[ée]d|aufl|rev)", re.IGNORECASE)
_BARE = re.compile(r"\w{1,4}")
_DATE = ("year", "month", "season", "day")
_PLACES: Final = {
    "year": ";",
    "month": ";",
    "day": ";",
    "season": ";",
    "volume": ";",
    "issue": "(",
    "issue-part": " ",
    "supplement": " ",
    "fpage": ":",
    "lpage": "-",
    "page-range": ":",
    "elocation-id": ":",
}
"""Parts that say where a text is, each with the sign before it: 2001 May 12;3(1):1-5."""

_PAGE_NAMES = frozenset({"fpage", "lpage", "page-range"})
_NUMBERS = re.compile(r"[A-Za-z]?\d+(?:[-–−]?[A-Za-z]?\d+)*")
_NAMED_IDS: Final = {"arxiv": "arXiv", "isbn": "ISBN", "issn": "ISSN"}
_WORD_BEFORE: Final = {
    "isbn": "ISBN",
    "issn": "ISSN",
    "patent": "Patent",
    "series": "Series:",
    "version": "Version",
}
_PAGES = frozenset({"page", "pages", "p", "pp"})


def citation_text(citation: etree._Element) -> str:
    """A sentence as it stands; the parts of a structured citation separated by full stops."""
    if local_name(citation) in ("note", "p"):
        return one_line(inline_text(citation))
    if not len(citation) or any(_is_in_sentence(child) for child in citation):
        return one_line(_sentence(citation))
    return _structured(citation)


def _is_in_sentence(child: etree._Element) -> bool:
    """Whether a part of a citation has words or punctuation after it, or is a character."""
    return not local_name(child) or _SENTENCE_SIGN.search(child.tail or "") is not None


def _sentence(citation: etree._Element) -> str:
    """The words of a mixed citation; parts with nothing between them are set apart."""
    line = InlineText(citation.text)
    text = citation.text
    for number, run in enumerate(_runs(citation)):
        follows_part = bool(number) and not text
        if len(run) == 1:
            add_part(line, run[0], follows_part=follows_part)
        else:
            blank = " " if is_glued(line.last_character(), run[0], follows_part=follows_part) else ""
            line.add_text(blank + _place(run))
        text = run[-1].tail
        line.add_text(text)
    return line.text()


def _runs(citation: etree._Element) -> Iterator[list[etree._Element]]:
    """The children of a citation; year, volume, pages with nothing between them together."""
    run: list[etree._Element] = []
    for child in citation:
        if run and not (local_name(child) in _PLACES and local_name(run[-1]) in _PLACES and not run[-1].tail):
            yield run
            run = []
        run.append(child)
    if run:
        yield run


def _structured(citation: etree._Element) -> str:
    """'Lee K, Roe J. On bridles. In: Kite J, editor. Kites. 2nd ed. 2001;3(1):1-5.'"""
    parts = [(citation.text or "").strip()]
    place: list[etree._Element] = []
    before = ""
    for child in _parts_of(citation):
        name = local_name(child)
        if name in _PLACES and parts_text(child):
            place.append(child)
            continue
        text = _part_text(child)
        if text:
            parts.append(_named_place(place))
            joined = before in _ALONE and name in _ALONE and not place
            place = []
            parts[-2:] = [f"{parts[-2]}, {text}"] if joined else [*parts[-2:], text]
            before = name
    parts.append(_named_place(place))
    text = ""
    for part in filter(None, parts):
        text += f"{'' if not text else ' ' if text.endswith(('.', '?', '!')) else '. '}{part}"
    return text


def _parts_of(citation: etree._Element) -> Iterator[etree._Element]:
    """The parts with words; of a date its parts."""
    for child in citation:
        name = local_name(child)
        if name == "date" and len(child):
            yield from child
        elif name != "object-id" and not (name == "pub-id" and child.get("pub-id-type") in ("pmid", "doi")):
            yield child


def _part_text(part: etree._Element) -> str:
    """A part with the words that print has beside it."""
    name = local_name(part)
    if name in _PEOPLE:
        return _with_role(_people(part).strip(), part)
    if name == "page-count" and part.get("count"):
        return f"{part.get('count')} p"
    text = parts_text(part)
    return _with_words(text, name, part) if text else ""


def _with_words(text: str, name: str, part: etree._Element) -> str:
    word = _WORD_BEFORE.get(name) or _NAMED_IDS.get(part.get("pub-id-type", "") if name == "pub-id" else "")
    if word:
        is_said = word.rstrip(":").casefold() in text.casefold()
        country = part.get("country", "") if name == "patent" else ""
        return text if is_said else " ".join(filter(None, (word, country, text)))
    if name == "edition":
        return text if _EDITION_WORD.search(text) else f"{_ordinal(text)} ed"
    if name == "size":
        units = part.get("units", "")
        return text if not text.isdecimal() else f"{text} {'p' if units in _PAGES else units}".strip()
    if name in ("trans-title", "trans-source"):
        return text if text.startswith("[") else f"[{text}]"
    is_access = name == "access-date" or "access" in (part.get("content-type") or "")
    if is_access and name in ("access-date", "date-in-citation") and "access" not in text.casefold():
        return f"accessed {text}"
    return text


def _ordinal(number: str) -> str:
    """'2nd' for '2'; other texts as they are."""
    if not number.isdecimal():
        return number
    ending = {"1": "st", "2": "nd", "3": "rd"}.get(number[-1], "th")
    return f"{number}{'th' if number[-2:] in ('11', '12', '13') else ending}"


def _place(place: Sequence[etree._Element]) -> str:
    """Date, volume, issue and pages in one group: '2001 May 12;3(1):1-5', the year first in its date."""
    dates = sorted(
        (part for part in place if local_name(part) in _DATE), key=lambda p: _DATE.index(local_name(p))
    )
    text = ""
    for part in place:
        name, words = local_name(part), parts_text(part)
        if name in _DATE:
            if part is not next(part for part in place if local_name(part) in _DATE):
                continue
            words = " ".join(filter(None, map(parts_text, dates)))
        elif name == "supplement" and _BARE.fullmatch(words):
            words = f"Suppl {words}"
        sign = _PLACES[name] if text else ""
        text += f"({words})" if name == "issue" else f"{sign}{words}"
    return text


def _named_place(place: Sequence[etree._Element]) -> str:
    """A place with a word where pages or a volume stand alone: 'p 21-51', 'Vol 2'."""
    text = _place(place)
    names = {local_name(part) for part in place}
    word = "p" if names <= _PAGE_NAMES else "Vol" if names == {"volume"} else ""
    return f"{word} {text}" if word and _NUMBERS.fullmatch(text) else text


def _with_role(people: str, part: etree._Element) -> str:
    """People with what they did, unless they are authors or the record says it: 'Lee K, Roe J, editors'."""
    role = (
        (part.get("person-group-type") or part.get("collab-type") or "")
        .casefold()
        .replace("-", " ")
        .rstrip("s")
    )
    beside = part.getnext()
    said = f"{people} {inline_text(beside) if beside is not None else ''}".casefold()
    if (
        not people
        or role in _AUTHORS
        or role[:5] in said
        or (role.endswith("editor") and _EDITORS.search(said))
    ):
        return people
    several = "," in people or ";" in people
    return f"{people}, {role}{'s' if several else ''}"


_EDITORS = re.compile(r"\b(?:eds?|hrsg)\b")


def _people(element: etree._Element) -> str:
    """The people of a citation, 'Lee K, Roe J, et al'; words between them stay."""
    name = local_name(element)
    if name == "name":
        return person_name(element, with_honorific=True)
    if name in _WITHOUT_WORDS:
        return inline_text(element) or _WITHOUT_WORDS[name]
    if name in ("collab", "string-name") or any(child.tail and _WORD.search(child.tail) for child in element):
        return parts_text(element)
    if name.endswith("-alternatives"):
        return _people(element[0]) if len(element) else ""
    people = [element.text or ""]
    people += [
        _people(child) if local_name(child) in _PEOPLE else parts_text(child)
        for child in element
        if local_name(child)
    ]
    return ", ".join(filter(None, map(str.strip, people)))
