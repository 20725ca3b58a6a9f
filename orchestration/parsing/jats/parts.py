"""Text of elements that hold parts: names, groups, institutions, awards, citations.

Comes in: an element such as a collab of two institutions. Leaves: its words in one line. Records of data have
nothing between such parts, so a blank is written there: two parts never become one word ('WHO Unit 5').
"""

from __future__ import annotations

from collections.abc import Collection

from lxml import etree

from orchestration.parsing.text_builder import one_line
from orchestration.parsing.xml.elements import LEFT_OUT, SEPARATED
from orchestration.parsing.xml.inline import InlineText, inline_text
from orchestration.parsing.xml.trees import local_name

_IN_WORDS = frozenset(
    {"bold", "fixed-case", "italic", "monospace", "named-content", "overline", "roman", "sans-serif", "sc",
     "strike", "styled-content", "sub", "sup", "underline", "xref"}
)  # fmt: skip
"""Elements that may be a piece of a word."""

_AS_ONE = SEPARATED | {"alternatives", "chem-struct", "fn", "inline-formula", "math", "ruby", "tex-math"}
_PLAIN = frozenset(
    {"article-title", "collab", "etal", "fpage", "given-names", "institution", "issue", "lpage", "pub-id",
     "source", "surname", "volume", "year"}
)  # fmt: skip
"""Elements that are read as their text alone where they hold nothing else; this saves a third of the time."""

_OPENING = frozenset("([{/-–—‐‑'\"“‘«")


def parts_text(element: etree._Element, *, without: Collection[str] = (), with_marks: bool = True) -> str:
    """The words of an element in one line, without the elements of these names at any depth."""
    if not len(element):
        return one_line(inline_text(element))
    line = InlineText(with_marks=with_marks)
    add_parts(line, element, without=without)
    return one_line(line.text())


def add_parts(line: InlineText, element: etree._Element, *, without: Collection[str] = ()) -> None:
    """Append the words of an element; parts with nothing between them are set apart by a blank."""
    text = element.text
    line.add_text(text)
    for number, child in enumerate(element):
        add_part(line, child, follows_part=bool(number) and not text, without=without)
        text = child.tail
        line.add_text(text)


def add_part(
    line: InlineText, part: etree._Element, *, follows_part: bool, without: Collection[str] = ()
) -> None:
    """Append one part without its tail.

    `follows_part` says that nothing stands between it and the part before it.
    """
    name = local_name(part)
    if name in without or name in LEFT_OUT:
        return
    is_word = name in _IN_WORDS
    if not is_word and is_glued(line.last_character(), part, follows_part=follows_part):
        line.add_text(" ")
    if not len(part) and name in _PLAIN:
        line.add_text(part.text)
    elif len(part) and not is_word and name not in _AS_ONE:
        add_parts(line, part, without=without)
    else:
        line.add(part)


def is_glued(last: str, part: etree._Element, *, follows_part: bool) -> bool:
    """Whether a part would make one word with the character before it.

    Behind words of a sentence ('doi:', 'p.') it stands as the sentence has it.
    """
    first = _first_character(part)
    if last.isalnum() or not follows_part:
        return last.isalnum() and first.isalnum()
    return bool(last) and not last.isspace() and last not in _OPENING and first.isalnum()


def _first_character(element: etree._Element) -> str:
    if element.text:
        return element.text[0]
    return next((str(text)[0] for text in element.itertext() if text), "")
