"""The body, back matter and abstracts of a JATS article, in reading order.

Comes in: an element that holds blocks. Leaves: sections and blocks appended to the document. This module says
which elements are read as what; the entries of reference lists are left to `references`.
"""

from __future__ import annotations

import re

from lxml import etree

from orchestration.parsing.jats.blocks import (
    BlockReader,
    ReadElement,
    heading_parts,
    heading_text,
    read_container,
    read_paragraph,
)
from orchestration.parsing.jats.captions import read_figure, read_graphic, read_supplement
from orchestration.parsing.jats.lists import read_definitions, read_list
from orchestration.parsing.jats.tables import read_bare_table, read_table_wrap
from orchestration.parsing.text_builder import DocumentBuilder, one_line
from orchestration.parsing.xml.inline import InlineText, best_form, child_text, inline_text, node_text
from orchestration.parsing.xml.trees import first_child, local_name
from orchestration.records import BlockKind

_DEFAULT_HEADINGS = {
    "ack": "Acknowledgments",
    "app": "Appendix",
    "bio": "Biography",
    "fn-group": "Notes",
    "glossary": "Abbreviations",
    "notes": "Notes",
}
_ROLE_BY_NOTE = {
    "coi-statement": "competing_interests",
    "conflict": "competing_interests",
    "financial-disclosure": "funding",
    "supported-by": "funding",
    "abbr": "abbreviations",
}
_WORD = re.compile(r"[^\W\d_]{4,}")


def body_reader(builder: DocumentBuilder) -> BlockReader:
    """Appends to `builder` what elements of the body hold."""
    return BlockReader(builder, _READERS)


def _read_section(reader: BlockReader, element: etree._Element, kind: BlockKind) -> None:
    """A section with the heading that it prints ('1. Methods'), or the usual one of its element."""
    reader.section(element, kind, default=_DEFAULT_HEADINGS.get(local_name(element), ""))


def _read_box(reader: BlockReader, box: etree._Element, kind: BlockKind) -> None:
    _read_captioned(reader, box, BlockKind.BOXED_TEXT)


def _read_captioned(reader: BlockReader, element: etree._Element, kind: BlockKind) -> None:
    """A box or statement: its label and title, or its label and the title of its caption, are its heading."""
    caption = first_child(element, "caption")
    title = first_child(caption, "title") if caption is not None else None
    if caption is None or title is None or first_child(element, "title") is not None:
        reader.section(element, kind)
        return
    label = first_child(element, "label")
    parts = [part for part in (label, title) if part is not None]
    heading = ". ".join(filter(None, (one_line(inline_text(part)) for part in parts)))
    reader.builder.open_section(heading)
    reader.contents(caption, kind, without=[title])
    reader.contents(element, kind, without=[caption, *parts])
    reader.builder.close_section()


def _read_note(reader: BlockReader, note: etree._Element, kind: BlockKind) -> None:
    """A footnote after its mark; one that is headed by words ('Funding') is a section."""
    words = _WORD.search(child_text(note, "label")) is not None
    role = _ROLE_BY_NOTE.get((note.get("fn-type") or "").casefold())
    if words or first_child(note, "title") is not None:
        reader.section(note, kind, role=role)
    elif role:
        with reader.builder.section("", role):
            read_container(reader, note, kind)
    else:
        read_container(reader, note, kind)


def _read_reference_list(reader: BlockReader, element: etree._Element, kind: BlockKind) -> None:
    """What stands in a reference list beside its entries; a list of entries alone leaves nothing here."""
    parts = heading_parts(element)
    with reader.builder.section(heading_text(parts)):
        reader.contents(element, kind, without=parts)


def _read_speech(reader: BlockReader, speech: etree._Element, kind: BlockKind) -> None:
    speaker = first_child(speech, "speaker")
    name = child_text(speech, "speaker").rstrip(":")
    without = [speaker] if speaker is not None else []
    reader.contents(speech, kind, prefix=f"{name}:" if name else "", without=without)


def _read_verses(reader: BlockReader, group: etree._Element, kind: BlockKind) -> None:
    """The lines of a poem as lines of one block."""
    reader.builder.lines(kind, [line for part in group for line in _verse_lines(part)])


def _verse_lines(part: etree._Element) -> list[str]:
    if local_name(part) == "verse-group":
        return [line for inner in part for line in _verse_lines(inner)]
    return [node_text(part).strip()]


def _read_formula(reader: BlockReader, formula: etree._Element, kind: BlockKind) -> None:
    reader.builder.block(kind, node_text(formula))


def _read_code(reader: BlockReader, element: etree._Element, kind: BlockKind) -> None:
    code = InlineText(as_written=True)
    code.add_contents(element)
    reader.builder.lines(kind, code.text().split("\n"))


def _read_alternatives(reader: BlockReader, element: etree._Element, kind: BlockKind) -> None:
    """The one of several forms of the same that reads best."""
    form = best_form(element)
    if form is not None:
        read = reader.readers.get(local_name(form), _read_formula)
        read(reader, form, kind)


_READERS: dict[str, ReadElement] = {
    "ack": _read_section,
    "alternatives": _read_alternatives,
    "app": _read_section,
    "array": read_bare_table,
    "bio": _read_section,
    "boxed-text": _read_box,
    "caption": read_paragraph,
    "chem-struct-wrap": read_figure,
    "code": _read_code,
    "def-list": read_definitions,
    "disp-formula": _read_formula,
    "disp-formula-group": read_figure,
    "disp-quote": read_container,
    "fig": read_figure,
    "fig-group": read_figure,
    "fn": _read_note,
    "fn-group": _read_section,
    "glossary": _read_section,
    "graphic": read_graphic,
    "list": read_list,
    "media": read_supplement,
    "notes": _read_section,
    "p": read_paragraph,
    "preformat": _read_code,
    "ref-list": _read_reference_list,
    "sec": _read_section,
    "speech": _read_speech,
    "statement": _read_captioned,
    "supplementary-material": read_supplement,
    "table": read_bare_table,
    "table-wrap": read_table_wrap,
    "table-wrap-group": read_figure,
    "verse-group": _read_verses,
}
