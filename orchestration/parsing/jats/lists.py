"""Lists and definition lists of a JATS article, at any depth.

Comes in: the element. Leaves: a block of kind list with one line per item, inner lists indented. A table, a
figure or another block inside an item ends the block; the list goes on after it.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from lxml import etree

from orchestration.parsing.jats.blocks import BlockReader, heading_parts, heading_text
from orchestration.parsing.jats.numbering import Numbering
from orchestration.parsing.text_builder import one_line
from orchestration.parsing.xml.inline import InlineText, child_text, inline_text
from orchestration.parsing.xml.trees import first_child, local_name
from orchestration.records import BlockKind


def read_list(reader: BlockReader, element: etree._Element, kind: BlockKind) -> None:
    """One line per item with its printed label, its number or a dash."""
    lines = _ListLines(reader, kind)
    lines.add_list(element, 0)
    lines.end_block()


def read_definitions(reader: BlockReader, element: etree._Element, kind: BlockKind) -> None:
    """One 'Term: definition' line per entry."""
    lines = _ListLines(reader, kind)
    lines.add_definitions(element, 0)
    lines.end_block()


@dataclass(slots=True)
class _ListLines:
    reader: BlockReader
    kind: BlockKind
    lines: list[str] = field(default_factory=list)

    def end_block(self) -> None:
        self.reader.builder.lines(BlockKind.LIST, self.lines)
        self.lines = []

    def add_list(self, element: etree._Element, depth: int) -> None:
        heading = heading_parts(element)
        self._add_line(depth, heading_text(heading))
        numberings = self.reader.numberings
        before = element.get("continued-from")
        numbering = Numbering.of(element, numberings.get(before) if before else None)
        if name := element.get("id"):
            numberings[name] = numbering
        for child in element:
            if local_name(child) == "list-item":
                self._add_item(child, depth, numbering.next_mark(child_text(child, "label")))
            elif child not in heading:
                self._add_other(child, depth)

    def _add_other(self, element: etree._Element, depth: int) -> None:
        """Add what stands in a list beside its items."""
        item = _Item(depth, "")
        self._add_words(element, item)
        self._end_item(item)

    def _add_item(self, element: etree._Element, depth: int, mark: str) -> None:
        label = first_child(element, "label")
        item = _Item(depth, mark)
        title = first_child(element, "title")
        if title is not None:
            text = one_line(inline_text(title))
            item.words.add_text(text if text.endswith((".", ":", "?", "!")) else f"{text}.")
        if element.text and not element.text.isspace():
            item.words.add_text(element.text)
        for child in element:
            if child is not label and child is not title:
                self._add_words(child, item)
            if child.tail and not child.tail.isspace():
                item.words.add_text(child.tail)
        self._end_item(item)

    def _add_words(self, element: etree._Element, item: _Item) -> None:
        """Add what an item holds: words to its line, inner lists and blocks after it."""
        name = local_name(element)
        if name == "list":
            self._end_item(item)
            self.add_list(element, item.depth + 1)
        elif name == "def-list":
            self._end_item(item)
            self.add_definitions(element, item.depth + 1)
        elif name in ("p", "def"):
            item.words.add_text(" ")
            item.words.add_text(element.text)
            for child in element:
                self._add_words(child, item)
                item.words.add_text(child.tail)
            item.words.add_text(" ")
        elif self.reader.is_block(element):
            self._end_item(item)
            self.end_block()
            read = self.reader.readers.get(name)
            if read is not None:
                read(self.reader, element, self.kind)
            else:
                self.reader.contents(element, self.kind)
        else:
            item.words.add(element)

    def add_definitions(self, element: etree._Element, depth: int) -> None:
        heading = heading_parts(element)
        self._add_line(depth, heading_text(heading))
        heads = [part for part in element if local_name(part) in ("term-head", "def-head")]
        self._add_line(depth, ": ".join(filter(None, (one_line(inline_text(head)) for head in heads))))
        for child in element:
            if local_name(child) == "def-item":
                self._add_definition(child, depth)
            elif local_name(child) == "def-list":
                self.add_definitions(child, depth + 1)
            elif child not in heading and child not in heads:
                self._add_other(child, depth)

    def _add_definition(self, element: etree._Element, depth: int) -> None:
        label = first_child(element, "label")
        terms = [part for part in element if local_name(part) == "term"]
        named = heading_text([*([label] if label is not None else []), *terms])
        item = _Item(depth, f"{named}:" if named else "")
        for number, part in enumerate(part for part in element if part is not label and part not in terms):
            if number:
                item.words.add_text("; ")
            self._add_words(part, item)
        self._end_item(item)

    def _end_item(self, item: _Item) -> None:
        """Write the words so far as a line; the mark stands on an item's first line, a dash never alone."""
        words = item.take_words()
        if words or item.mark not in ("", "-"):
            self._add_line(item.depth, " ".join(filter(None, (item.take_mark(), words))))

    def _add_line(self, depth: int, text: str) -> None:
        if text:
            self.lines.append("  " * depth + text)


@dataclass(slots=True)
class _Item:
    depth: int
    mark: str
    words: InlineText = field(default_factory=InlineText)

    def take_words(self) -> str:
        text, self.words = one_line(self.words.text()), InlineText()
        return text

    def take_mark(self) -> str:
        """The mark, for the first line of the item; '' for the others."""
        mark, self.mark = self.mark, ""
        return mark
