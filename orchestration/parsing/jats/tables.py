"""The tables of a JATS article: captions, grids and feet.

Comes in: a table-wrap or a table, in the XHTML or the OASIS model. Leaves: one block per grid, with the
caption before it and the notes of the foot after the last; a table inside a cell is a grid after the one that
holds it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from lxml import etree

from orchestration.parsing.jats.blocks import BlockReader, labelled
from orchestration.parsing.jats.captions import caption_parts, caption_text, label_and_caption
from orchestration.parsing.jats.grids import nested_tables, read_grids
from orchestration.parsing.text_builder import one_line
from orchestration.parsing.xml.elements import LEFT_OUT
from orchestration.parsing.xml.inline import InlineText, best_form, child_text, inline_text
from orchestration.parsing.xml.inline_runs import Level, script_before_mark
from orchestration.parsing.xml.trees import first_child, local_name
from orchestration.records import BlockKind

_FOOT = frozenset({"attrib", "table-wrap-foot"})
_NOTE_MARK_CHARS = 3
_ENDS_OF_NOTES = frozenset(".;:?!")
_SIGNS = "*†‡§‖¶#"


def read_table_wrap(reader: BlockReader, wrap: etree._Element, kind: BlockKind) -> None:
    """Caption, rows and foot as one block per grid; a table that is a picture or a list keeps its caption."""
    feet = [child for child in wrap if local_name(child) in _FOOT]
    tables = {child: table for child in wrap if (table := _table_of(child)) is not None}
    read = {*feet, *caption_parts(wrap), *tables}
    others = [child for child in wrap if child not in read and local_name(child) not in LEFT_OUT]
    marks = _note_marks([*feet, *(foot for table in tables.values() for foot in table.iter("{*}tfoot"))])
    notes = [line for foot in feet for line in _foot_lines(foot, marks)]
    if not tables:
        _read_without_grid(reader, wrap, label_and_caption(wrap, marks), notes, others)
        return
    label, caption = child_text(wrap, "label", marks), caption_text(wrap, marks)
    for number, table in enumerate(tables.values()):
        last = number == len(tables) - 1
        _add_grids(reader, table, label, caption, notes if last else (), marks)
        caption = ""
    _read_others(reader, wrap, others)


def read_bare_table(reader: BlockReader, table: etree._Element, kind: BlockKind) -> None:
    """A table without label and caption."""
    _add_grids(reader, table, "", "", (), frozenset())


def _table_of(child: etree._Element) -> etree._Element | None:
    """The table that a child of a wrap is, or that is the readable one of its alternatives."""
    form = best_form(child) if local_name(child) == "alternatives" else child
    return form if form is not None and local_name(form) == "table" else None


def _add_grids(
    reader: BlockReader,
    table: etree._Element,
    label: str,
    caption: str,
    notes: Sequence[str],
    marks: frozenset[str],
) -> None:
    """Append a table's grids, those of tables in its cells after them."""
    own = " ".join(filter(None, (child_text(table, "title"), child_text(table, "caption"))))
    caption = " ".join(filter(None, (caption, own)))
    grids = read_grids(table, marks)
    for number, grid in enumerate(grids):
        last = number == len(grids) - 1
        reader.builder.table(grid, label=label, caption=caption, notes=notes if last else ())
        caption = ""
    for inner in nested_tables(table):
        _add_grids(reader, inner, "", "", (), marks)


def _read_without_grid(
    reader: BlockReader,
    wrap: etree._Element,
    caption: str,
    notes: Sequence[str],
    others: Sequence[etree._Element],
) -> None:
    if any(one_line(inline_text(other)) for other in others):
        reader.builder.block(BlockKind.FIGURE_CAPTION, caption)
        _read_others(reader, wrap, others)
        caption = ""
    reader.builder.block(BlockKind.FIGURE_CAPTION, " ".join(filter(None, (caption, *notes))))


def _read_others(reader: BlockReader, wrap: etree._Element, others: Sequence[etree._Element]) -> None:
    words = (wrap.text, *(child.tail for child in wrap))
    if others or any(text and not text.isspace() for text in words):
        without = [child for child in wrap if child not in others]
        reader.contents(wrap, BlockKind.FIGURE_CAPTION, without=without)


def _foot_lines(foot: etree._Element, marks: frozenset[str]) -> Iterator[str]:
    """One line per note, with its mark."""
    if local_name(foot) in ("table-wrap-foot", "fn-group", "list", "def-list", "list-item", "sec"):
        yield one_line(foot.text or "")
        for child in foot:
            yield from _foot_lines(child, marks)
            yield one_line(child.tail or "")
        return
    if local_name(foot) in LEFT_OUT:
        return
    label = first_child(foot, "label") if local_name(foot) == "fn" else None
    symbol = foot.get("symbol", "") if local_name(foot) == "fn" else ""
    line = InlineText(note_marks=marks)
    if local_name(foot) != "fn":
        line.add(foot)
    else:
        line.add_text(foot.text)
        for child in foot:
            if child is not label:
                line.add(child)
            line.add_text(child.tail)
    yield labelled(one_line(inline_text(label) if label is not None else symbol), one_line(line.text()))


def _note_marks(places: Sequence[etree._Element]) -> frozenset[str]:
    """The marks of a table's notes: their labels, and superscripts that begin a note.

    Several notes may stand in one paragraph: a superscript begins one at the start of its element, behind a
    sentence, or anywhere if it is the next of the marks before it.
    """
    marks: list[str] = []
    for place in places:
        for element in place.iter("{*}label", "{*}sup", "{*}fn"):
            text = element.get("symbol", "") if local_name(element) == "fn" else inline_text(element)
            mark = re.sub(r"[\s.):]+\Z", "", one_line(text))
            if not mark or len(mark) > _NOTE_MARK_CHARS:
                continue
            if local_name(element) != "sup" or _begins_note(element, mark, marks):
                marks.append(mark)
    return frozenset(marks)


def _begins_note(script: etree._Element, mark: str, marks: Sequence[str]) -> bool:
    """Whether a superscript of the notes is the mark of one, not a power, an isotope or a mark in it."""
    parent, previous = script.getparent(), script.getprevious()
    before = (parent.text if previous is None else previous.tail) if parent is not None else ""
    before = (before or "").replace("\n", " ")
    words = before.rstrip()
    if not words:
        return previous is None or local_name(previous) == "break"
    if script_before_mark((Level.TEXT, words), mark) is not None:
        return False
    follows = bool(marks) and mark in _next_marks(marks[-1])
    if words[-1] in _ENDS_OF_NOTES:
        is_isotope = mark.isdigit() and (script.tail or "")[:1].isupper()
        return follows or not (is_isotope or (mark.isdigit() and marks and not marks[-1].isdigit()))
    return follows and before[-1:].isspace()


def _next_marks(mark: str) -> tuple[str, ...]:
    """The marks that may come after one: 3 after 2, c after b, a sign twice after the sign."""
    if mark.isdecimal():
        return (str(int(mark) + 1),)
    if len(mark) == 1 and mark.isalpha():
        return (chr(ord(mark) + 1),)
    sign = _SIGNS.find(mark[0])
    return (mark + mark[0], _SIGNS[sign + 1 : sign + 2]) if sign >= 0 else ()
