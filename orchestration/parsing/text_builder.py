"""Builds a Document from its parts in reading order, so that offsets are correct by construction.

Comes in: headings, paragraphs, tables and references as a parser meets them. Leaves: a Document in which
every section and block spans exactly its own text. White space is normalised here, once, on the way in;
parts are joined by one blank line. Reference lists become the last section, which is not indexed.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from itertools import groupby
from typing import Any, Final, Protocol

from orchestration.errors import DocumentTooLargeError, EmptyDocumentError, MalformedDocumentError
from orchestration.parsing.identifiers import is_in
from orchestration.parsing.marking import Marks
from orchestration.parsing.section_roles import inherited_role
from orchestration.parsing.tables import Grid
from orchestration.records import (
    NOT_INDEXED,
    Annotation,
    Block,
    BlockKind,
    Document,
    PageBox,
    RawPayload,
    Reference,
    Section,
    Table,
    article_curies,
)

SEPARATOR = "\n\n"
"""Stands between any two blocks of a document."""

MAX_CHARACTERS = 100_000_000
"""Of a document: its text, and its tables' cells with CELL_COST more for each."""

CELL_COST = 20
"""An empty cell takes about as much memory as so many characters."""

MOST_LEVELS = 100
"""Of metadata; records of publishers have fewer than ten, and what serialises them has limits."""

# Control characters, lone surrogates, soft hyphens, zero-width characters and byte order marks: they
# are invisible, break tokenizers and stores, and hide words from search.
_INVISIBLE = re.compile("[\x00-\x08\x0e-\x1b\x7f-\x84\x86-\x9f\xad\u200b-\u200f\u2060\ufeff\ud800-\udfff]")


def one_line(text: str) -> str:
    """`text` with every run of white space as one blank and invisible characters dropped."""
    visible = text if text.isprintable() else _INVISIBLE.sub("", text)  # printable: none of them is in it
    return " ".join(visible.split())


def clean_metadata(value: Any, levels: int = MOST_LEVELS) -> Any:
    """`value` with all strings on one line and empty entries left out, for Document.metadata.

    Raises ValueError for values in more than `levels` others, and for numbers that JSON does not have.
    """
    if isinstance(value, str):
        return one_line(value)
    if isinstance(value, float) and not math.isfinite(value):
        raise ValueError(f"the metadata has the number {value}, which JSON does not have")
    if not isinstance(value, Mapping | list | tuple):
        return value
    if not levels:
        raise ValueError(f"values are nested more than {MOST_LEVELS} deep")
    if isinstance(value, Mapping):
        cleaned = {one_line(str(key)): clean_metadata(item, levels - 1) for key, item in value.items()}
        return {key: item for key, item in cleaned.items() if item not in (None, "", [], {})}
    items = (clean_metadata(item, levels - 1) for item in value)
    return [item for item in items if item not in (None, "", [], {})]


class ParserName(Protocol):
    """The parser's name and version as a document keeps them."""

    format: str
    version: str


@dataclass(frozen=True, slots=True)
class Place:
    """The position of a block on the pages of its record, for formats that have pages."""

    page_no: int | None = None
    boxes: tuple[PageBox, ...] = ()


NOWHERE: Final = Place()


@dataclass(frozen=True, slots=True)
class _CitedWork:
    """An entry of a reference list, and how the text shows it."""

    annotation_id: str
    reference: Reference
    text: str
    """The entry with its marks."""
    role: str
    place: Place

    def line(self, marks: Marks) -> str:
        """'3. Result: Lee K. Kites. 2001. PMID 12, doi:10.1/x'; an entry with identifiers is marked."""
        entry = self.reference
        label = entry.label or ""
        curies = article_curies(pmid=entry.pmid, doi=entry.doi)
        entry_text = self.text
        if curies:
            entry_text = marks.mark(
                entry_text, "reference", self.annotation_id, identifiers=curies, role=self.role
            )
        stated = (("PMID ", entry.pmid), ("doi:", entry.doi))
        unprinted = [f"{name}{value}" for name, value in stated if value and not is_in(value, entry.text)]
        front = [f"{label}." if label.isalnum() else label, f"{self.role}:" if self.role else ""]
        return " ".join(filter(None, (*front, entry_text, ", ".join(unprinted))))


@dataclass(slots=True)
class _OpenSection:
    title: str
    title_path: tuple[str, ...]
    role: str | None
    start_char: int | None
    """None until its heading is written."""
    place: Place = NOWHERE
    heading: str = ""
    """The title with its marks."""
    blocks: list[Block] = field(default_factory=list)
    sections: list[Section] = field(default_factory=list)


class DocumentBuilder:
    """Append the parts of one document in reading order, then `build`."""

    def __init__(self, marks: Marks | None = None) -> None:
        self._marks = marks or Marks()
        self._annotations: list[Annotation] = []
        self._parts: list[str] = []
        self._length = 0
        self._title = ""
        self._open: list[_OpenSection] = []
        self._anonymous: _OpenSection | None = None
        self._sections: list[Section] = []
        self._tables: list[Table] = []
        self._references: list[_CitedWork] = []
        self._count: Counter[BlockKind] = Counter()
        self._characters = 0

    @property
    def depth(self) -> int:
        """Number of open sections."""
        return len(self._open)

    def title(self, text: str, *, place: Place = NOWHERE) -> None:
        """The document's title, as its first block."""
        self._title = self._plain_line(text)
        self.block(BlockKind.TITLE, text, place=place)

    def open_section(self, title: str, role: str | None = None, *, place: Place = NOWHERE) -> None:
        """Start a section inside the innermost open one; its role is `role`, else that of its heading."""
        self._close_anonymous()
        heading = one_line(title)
        title = self._marks.plain(heading)
        parent = self._open[-1] if self._open else None
        path = (*(parent.title_path if parent else ()), *((title,) if title else ()))
        inherited = inherited_role(title, role, parent.role if parent else None)
        self._open.append(_OpenSection(title, path, inherited, None, place, heading))

    def close_section(self) -> None:
        """End the innermost open section; a heading without content stays in the text."""
        self._write_headings()
        self._keep(self._open.pop(), self._open[-1].sections if self._open else self._sections)

    @contextmanager
    def section(self, title: str, role: str | None = None) -> Iterator[None]:
        """A section of what is appended inside; if nothing is, its heading is left out too."""
        self.open_section(title, role)
        yield
        if self._open[-1].start_char is None:
            self._open.pop()
        else:
            self.close_section()

    def block(self, kind: BlockKind, text: str, *, place: Place = NOWHERE) -> str | None:
        """Append `text` as one line; returns the block's id, None when there was no text."""
        return self._append(kind, one_line(text), place)

    def lines(self, kind: BlockKind, lines: Iterable[str], *, place: Place = NOWHERE) -> str | None:
        """Append a block of lines, each normalised but for its indentation; empty ones are dropped."""
        cleaned = (_indentation(line) + one_line(line) for line in lines if one_line(line))
        return self._append(kind, "\n".join(cleaned), place)

    def table(
        self,
        grid: Grid,
        *,
        label: str = "",
        caption: str = "",
        notes: Iterable[str] = (),
        place: Place = NOWHERE,
    ) -> str | None:
        """Append a table: caption, one line per row, notes as one block; the grid goes to Document.tables."""
        self._add_to_size(sum(len(cell) + CELL_COST for row in grid.rows for cell in row))
        heading = ". ".join(part.rstrip(".") for part in map(one_line, (label, caption)) if part)
        label, caption = self._plain_line(label), self._plain_line(caption)
        block_id = self.lines(BlockKind.TABLE, [heading, *grid.lines(), *notes], place=place)
        if block_id and grid.rows:
            rows = tuple(tuple(self._plain_line(cell) for cell in row) for row in grid.rows)
            self._tables.append(
                Table(
                    block_id=block_id,
                    label=label or None,
                    caption=caption or None,
                    header_rows=grid.header_rows,
                    rows=rows,
                )
            )
        return block_id

    def reference(
        self,
        text: str,
        *,
        label: str = "",
        pmid: str | None = None,
        doi: str | None = None,
        part: str | None = None,
        role: str = "",
        place: Place = NOWHERE,
    ) -> str | None:
        """Add one entry of a reference list; `part` has the list, `role` says what the work is to the record.

        Returns the id that its annotation has if it has an identifier; None where there is no text.
        """
        text = one_line(text)
        plain = self._marks.plain(text)
        if not plain:
            return None
        entry = Reference(
            label=one_line(label) or None,
            text=plain,
            pmid=one_line(pmid or "") or None,
            doi=one_line(doi or "") or None,
            part=one_line(part or "") or None,
        )
        annotation_id = f"reference-{len(self._references)}"
        self._references.append(_CitedWork(annotation_id, entry, text, one_line(role), place))
        return annotation_id

    def build(
        self,
        payload: RawPayload,
        tenant_id: str,
        parser: ParserName,
        *,
        metadata: Mapping[str, Any] | None = None,
        language: str = "en",
    ) -> Document:
        """The document.

        Raises EmptyDocumentError if no text was appended, MalformedDocumentError for metadata that is not JS
        """
        while self._open:
            self.close_section()
        self._close_anonymous()
        if not self._parts or self._is_not_indexed():
            raise EmptyDocumentError(
                f"{payload.uri}: {payload.doc_id} has no text to index. Check the record at its source."
            )
        self._add_references()
        try:
            cleaned = clean_metadata(metadata or {})
        except ValueError as error:
            raise MalformedDocumentError(
                f"{payload.uri}: {payload.doc_id}: {error}. Leave the record out, or the field."
            ) from error
        return Document(
            doc_id=payload.doc_id,
            tenant_id=tenant_id,
            source=payload.source,
            version=payload.version,
            title=self._title,
            text="".join(self._parts),
            sections=tuple(self._sections),
            tables=tuple(self._tables),
            references=tuple(each.reference for each in self._references),
            annotations=tuple(self._annotations),
            language=language,
            parser=f"{parser.format}/{parser.version}",
            metadata=cleaned,
        )

    def _is_not_indexed(self) -> bool:
        """Whether nothing was appended but headings and blocks that are not indexed."""
        kinds = self._count.keys()
        return bool(kinds & NOT_INDEXED) and kinds <= NOT_INDEXED | {BlockKind.HEADING}

    def _add_references(self) -> None:
        """Append the reference lists, each entry as a block with its identifiers as an annotation."""
        with self.section("References", "references"):
            for part, entries in groupby(self._references, key=lambda each: each.reference.part):
                with self.section(part) if part else nullcontext():
                    for entry in entries:
                        self.block(BlockKind.REFERENCE, entry.line(self._marks), place=entry.place)

    def _append(self, kind: BlockKind, text: str, place: Place) -> str | None:
        if not text:
            return None
        self._write_headings()
        return self._write(kind, text, place, self._open[-1] if self._open else None)

    def _write_headings(self) -> None:
        """Write the headings of open sections that have none yet, outermost first."""
        for section in self._open:
            if section.start_char is None:
                section.start_char = self._next_start()
                if section.heading:
                    self._write(BlockKind.HEADING, section.heading, section.place, section)

    def _next_start(self) -> int:
        return self._length + (len(SEPARATOR) if self._parts else 0)

    def _write(self, kind: BlockKind, text: str, place: Place, section: _OpenSection | None) -> str:
        start = self._next_start()
        text, annotations = self._marks.take(text, start)
        self._annotations += annotations
        self._add_to_size(len(text))
        if self._parts:
            self._parts.append(SEPARATOR)
        self._parts.append(text)
        self._length = start + len(text)
        self._count[kind] += 1
        block_id = f"{kind.value}-{self._count[kind]}"
        block = Block(
            block_id=block_id,
            kind=kind,
            start_char=start,
            end_char=self._length,
            page_no=place.page_no,
            boxes=place.boxes,
        )
        if section is None:
            section = self._anonymous = self._anonymous or _OpenSection("", (), None, start)
        section.blocks.append(block)
        return block_id

    def _plain_line(self, text: str) -> str:
        return self._marks.plain(one_line(text))

    def _add_to_size(self, characters: int) -> None:
        """Add to the size and check it: a record can repeat its texts (spans, groups of each table)."""
        self._characters += characters
        if self._characters > MAX_CHARACTERS:
            raise DocumentTooLargeError(
                f"the record makes a document of more than {MAX_CHARACTERS:,} characters with its tables. "
                "Split the record."
            )

    def _close_anonymous(self) -> None:
        if self._anonymous is not None and not self._open:
            self._keep(self._anonymous, self._sections)
            self._anonymous = None

    def _keep(self, section: _OpenSection, siblings: list[Section]) -> None:
        if section.start_char is not None and (section.blocks or section.sections):
            siblings.append(
                Section(
                    title=section.title,
                    title_path=section.title_path,
                    role=section.role,
                    start_char=section.start_char,
                    end_char=self._length,
                    blocks=tuple(section.blocks),
                    sections=tuple(section.sections),
                )
            )


def _indentation(line: str) -> str:
    return " " * min(len(line) - len(line.lstrip(" ")), 40)
