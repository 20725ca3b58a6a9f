"""Text of the short fields of a PubMed record: names, ids, terms, parts of dates.

Comes in: an element. Leaves: its text in one line. Most fields hold plain text; markup and entities of the
others are read as those of a title are.
"""

from __future__ import annotations

from lxml import etree

from orchestration.parsing.names import bare_name, without_marks
from orchestration.parsing.text_builder import one_line
from orchestration.parsing.xml.inline import inline_text
from orchestration.parsing.xml.markup import without_tags

__all__ = ["field_text", "name_text"]


def field_text(element: etree._Element | None) -> str:
    """The text of a field, '' for none; white space inside is normalised with the metadata."""
    if element is None:
        return ""
    text = one_line(inline_text(element)) if len(element) else (element.text or "").strip()
    return without_tags(text)


def name_text(element: etree._Element | None) -> str:
    """A part of a name without the marks that are set high in it."""
    return bare_name(field_text(without_marks(element))) if element is not None else ""
