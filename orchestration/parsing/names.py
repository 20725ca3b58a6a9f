"""Names of people and groups without the marks that a publisher sets behind them.

Input: an element such as a surname, or a string with tags. Output: the name: 'Vane' of 'Vane<sup>1,*</sup>'.
Names have no powers: a superscript is a mark, or letters of the name ('M<sup>c</sup>Kite', 'N<sup>3</sup>C').
"""

from __future__ import annotations

import re
from copy import deepcopy
from typing import Final

from lxml import etree

from orchestration.parsing.xml.trees import local_name

__all__ = ["bare_name", "without_high_marks", "without_marks"]

_REMOVED, _PLAIN = "removed", "italic"
"""Names of elements: of one that is removed, and of one that changes no character of a word."""

_WORD: Final = re.compile(r"[^\W\d_]{3}")
_MARK: Final = re.compile(r"\d+|[a-z]{1,2}")
_BETWEEN_MARKS: Final = re.compile(r"[\W_]+")
_LETTERS: Final = re.compile(
    r"(?:a|as|c|e|er|ers|eur|gen|gne|jr|lle|me|nd|o|os|ra|r|rd|sr|st|th|ta)\.?", re.IGNORECASE
)
"""Letters that names have set high: 'M<sup>a</sup>', 'D<sup>r</sup>', '2<sup>nd</sup>'."""
_ABBREVIATED: Final = re.compile(r"(?:\b[A-Z]|\b(?:Fr|Mg|St|Dr|Jn)|\d)\Z")
_ENDS_NAME: Final = re.compile(r"\s*(?:[,;:()\[\]&*†‡§¶]|\Z|(?:and|on|for|y|und|et)\b)")
_HIGH: Final = re.compile(r"<sup\b[^<>]*>([^<>]{0,40})</sup\s*>", re.IGNORECASE)
_SIGNS: Final = " ,;:*†‡§¶‖#^"


def without_marks(name: etree._Element, *, keep_links: bool = False) -> etree._Element:
    """The element, or a copy of it without marks where it holds links, notes or superscripts.

    `keep_links` leaves links and notes in place, for names in references.
    """
    if not len(name) or not any(local_name(part) in ("sup", "xref", "fn") for part in name.iterdescendants()):
        return name
    copy = deepcopy(name)
    for link in () if keep_links else list(copy.iterdescendants("{*}xref", "{*}fn")):
        is_mark = local_name(link) == "fn" or not _WORD.search("".join(map(str, link.itertext())))
        link.tag = _REMOVED if is_mark else _PLAIN
    etree.strip_elements(copy, _REMOVED, with_tail=False)
    for script in list(copy.iterdescendants("{*}sup")):
        words = "".join(map(str, script.itertext())).strip()
        is_mark = _is_mark(words, _text_before(script), script.tail or "")
        script.tag = _REMOVED if is_mark else _PLAIN
    etree.strip_elements(copy, _REMOVED, with_tail=False)
    return copy


def without_high_marks(marked: str) -> str:
    """A name in a string without the superscripts that are marks."""

    def replaced(match: re.Match[str]) -> str:
        before, after = marked[: match.start()], marked[match.end() :]
        return "" if _is_mark(match[1].strip(), before, after) else match[1]

    return _HIGH.sub(replaced, marked) if "<" in marked else marked


def bare_name(name: str) -> str:
    """A name without the separators and signs that its marks left at its end."""
    return name.rstrip(_SIGNS)


def _is_mark(script: str, before: str, after: str) -> bool:
    """Whether a superscript is a mark and no part of the name."""
    if after[:1].isalpha() or not all(map(_MARK.fullmatch, filter(None, _BETWEEN_MARKS.split(script)))):
        return False
    if _LETTERS.fullmatch(script) and _ABBREVIATED.search(before):
        return False
    return not script.isdigit() or _ENDS_NAME.match(after) is not None or not _ABBREVIATED.search(before)


def _text_before(part: etree._Element) -> str:
    """The text directly before an element within its parent."""
    previous = part.getprevious()
    if previous is not None:
        return previous.tail or ""
    parent = part.getparent()
    return (parent.text or "") if parent is not None else ""
