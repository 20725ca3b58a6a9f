"""Text of the short fields of a PubMed record: names, ids, terms, parts of dates.

Comes in: an element. Leaves: its text in one line. Most fields hold plain text; markup and entities of the
others are read as those of a title are.
"""

from __future__ import annotations

from lxml import etree

from orchestration.parsing.text_builder import one_line
from orchestration.parsing.xml.inline import inline_text

__all__ = ["field_text"]


def field_text(element: etree._Element | None) -> str:
    """The text of a field, '' for none; white space inside is normalised with the metadata."""
    if element is None:
        return ""
    return one_line(inline_text(element)) if len(element) else (element.text or "").strip()
