"""The walk through the elements of a JATS article that hold blocks.

Comes in: an element whose contents are text, inline elements, blocks or containers of blocks, in any mixture
and at any depth. Leaves: sections and blocks appended to the document in reading order. What an element is
read as is decided by the readers that `body` registers by name; an element without one is read by what
it holds.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field

from lxml import etree

from orchestration.parsing.jats.numbering import Numbering
from orchestration.parsing.section_roles import section_role
from orchestration.parsing.text_builder import DocumentBuilder, one_line
from orchestration.parsing.xml.elements import INLINE, LEFT_OUT
from orchestration.parsing.xml.inline import InlineText, inline_text, node_text
from orchestration.parsing.xml.trees import first_child, local_name
from orchestration.records import BlockKind

ReadElement = Callable[["BlockReader", etree._Element, BlockKind], None]

IN_SENTENCES = frozenset({"attrib", "disp-formula", "fn", "p"})
"""Blocks that also stand inside a sentence or a note; they do not make their parent a container there."""

_ROLE_BY_TYPE = {
    "intro": "introduction",
    "materials|methods": "methods",
    "methods": "methods",
    "results": "results",
    "results|discussion": "results",
    "discussion": "discussion",
    "conclusions": "conclusions",
    "conclusion": "conclusions",
    "cases": "case",
    "supplementary-material": "supplementary",
}
_ROLE_BY_ELEMENT = {"ack": "acknowledgements", "app": "supplementary", "glossary": "abbreviations"}


@dataclass(frozen=True, slots=True)
class BlockReader:
    """Appends what elements hold to `builder`; `readers` are functions by the name of the element.

    `numberings` are those of the lists so far by their id, for lists that continue them.
    """

    builder: DocumentBuilder
    readers: Mapping[str, ReadElement]
    numberings: dict[str, Numbering] = field(default_factory=dict)

    def contents(
        self,
        element: etree._Element,
        kind: BlockKind = BlockKind.PARAGRAPH,
        *,
        prefix: str = "",
        without: Collection[etree._Element] = (),
    ) -> None:
        """Append all that is in `element` as blocks of `kind`, but for the children in `without`.

        `prefix` (a label, a speaker) is put before the first words.
        """
        if _is_sentence(element):
            prefix = self._sentences(element, kind, prefix, without)
        else:
            for child in element:
                if child not in without:
                    prefix = self._part(child, self._reader(child, in_sentence=False), kind, prefix)
        self._block(kind, prefix)

    def _sentences(
        self, element: etree._Element, kind: BlockKind, prefix: str, without: Collection[etree._Element]
    ) -> str:
        """Append running text, and the blocks that interrupt it; returns the prefix if it is still unused."""
        line = InlineText(element.text)
        for child in element:
            if child.tag in INLINE:
                line.add(child)
            elif child not in without:
                read = self._reader(child, in_sentence=True)
                if read is None:
                    line.add(child)
                else:
                    prefix = self._line(line.text(), kind, prefix)
                    prefix = self._part(child, read, kind, prefix)
                    line = InlineText()
            line.add_text(child.tail)
        return self._line(line.text(), kind, prefix)

    def _part(self, child: etree._Element, read: ReadElement | None, kind: BlockKind, prefix: str) -> str:
        """Append one child as a block; returns the prefix if it is still unused."""
        if read is None:
            return self._line(node_text(child), kind, prefix)
        if prefix and read is read_paragraph:
            self.contents(child, kind, prefix=prefix)
        else:
            self._block(kind, prefix)
            read(self, child, kind)
        return ""

    def _line(self, text: str, kind: BlockKind, prefix: str) -> str:
        """Append words with the prefix; returns the prefix if there are none."""
        if not text or text.isspace():
            return prefix
        self._block(kind, labelled(prefix, text))
        return ""

    def section(
        self,
        element: etree._Element,
        kind: BlockKind = BlockKind.PARAGRAPH,
        *,
        heading: str = "",
        default: str = "",
        role: str | None = None,
    ) -> None:
        """Append a section with everything in `element`.

        Its heading is `heading`, else the label and title that it prints, else `default`; without any, its
        blocks are appended to the section around it.
        """
        parts = heading_parts(element)
        heading = one_line(heading) or heading_text(parts)
        if not heading and not role:
            if default:
                with self.builder.section(default, _ROLE_BY_ELEMENT.get(local_name(element))):
                    self.contents(element, kind, without=parts)
            else:
                self.contents(element, kind, without=parts)
            return
        self.builder.open_section(heading, role or _role(element, heading))
        self.contents(element, kind, without=parts)
        self.builder.close_section()

    def is_block(self, element: etree._Element) -> bool:
        """Whether an element ends the sentence that it stands in: a table, a list, what holds these."""
        name = local_name(element)
        if name in IN_SENTENCES or name in LEFT_OUT:
            return False
        return self._reader(element, in_sentence=True) is not None

    def _reader(self, child: etree._Element, *, in_sentence: bool) -> ReadElement | None:
        name = local_name(child)
        if name in INLINE or not name or name in LEFT_OUT:
            return None
        read = self.readers.get(name)
        if read is not None:
            return None if in_sentence and name in IN_SENTENCES and name != "p" else read
        blocks = self.readers.keys() - IN_SENTENCES if in_sentence else self.readers.keys()
        return (
            read_container if any(local_name(below) in blocks for below in child.iterdescendants()) else None
        )

    def _block(self, kind: BlockKind, text: str) -> None:
        if text:
            self.builder.block(kind, text)


def read_paragraph(reader: BlockReader, paragraph: etree._Element, kind: BlockKind) -> None:
    """A paragraph; tables, figures and lists inside it end one block and begin the next."""
    reader.contents(paragraph, kind)


def read_container(reader: BlockReader, element: etree._Element, kind: BlockKind) -> None:
    """What an element without its own reader holds: a section if it has a title, else its blocks."""
    parts = heading_parts(element)
    if any(local_name(part) == "title" for part in parts):
        reader.section(element, kind)
        return
    reader.contents(element, kind, prefix=heading_text(parts), without=parts)


def labelled(label: str, text: str) -> str:
    """A text with its label, so that a number before a number stays apart: '[1] 20 kites'."""
    if not label:
        return text
    return f"[{label}] {text}" if label[-1].isdigit() and text.lstrip()[:1].isdigit() else f"{label} {text}"


def heading_parts(element: etree._Element) -> list[etree._Element]:
    """The first label and the first title among the children."""
    parts = (first_child(element, "label"), first_child(element, "title"))
    return [part for part in parts if part is not None]


def heading_text(parts: Iterable[etree._Element]) -> str:
    """The words of a label and a title, '1. Methods'; an empty one leaves no blank."""
    return " ".join(filter(None, (one_line(inline_text(part)) for part in parts)))


def _is_sentence(element: etree._Element) -> bool:
    """Whether the children of an element stand in one line: it is a paragraph, or holds words itself."""
    if local_name(element) == "p" or (element.text and not element.text.isspace()):
        return True
    return any(
        (child.tail and not child.tail.isspace()) or local_name(child) in INLINE or not local_name(child)
        for child in element
    )


def _role(element: etree._Element, heading: str) -> str | None:
    declared = _ROLE_BY_TYPE.get(element.get("sec-type", ""))
    usual = _ROLE_BY_ELEMENT.get(local_name(element))
    return declared or (usual if usual and section_role(heading) is None else None)
