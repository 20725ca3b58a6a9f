"""Documents and their parts, and the chunks that they are cut into."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from enum import StrEnum
from typing import Any, Final, Literal

from pydantic import Field, model_validator

from orchestration.records.identity import Offset, Record


class BlockKind(StrEnum):
    """What a block of text is; chunk profiles decide by it what stays whole."""

    TITLE = "title"
    HEADING = "heading"
    PARAGRAPH = "paragraph"
    LIST = "list"
    TABLE = "table"
    FIGURE_CAPTION = "figure_caption"
    BOXED_TEXT = "boxed_text"
    OUTCOME = "outcome"
    ELIGIBILITY = "eligibility"
    REGISTRY_FIELD = "registry_field"
    REFERENCE = "reference"
    BIBLIOGRAPHIC = "bibliographic"


NOT_INDEXED: Final = frozenset({BlockKind.REFERENCE, BlockKind.BIBLIOGRAPHIC})
"""Kinds of blocks that are text, so that claims can cite them, and are never chunked: cited works, and what a
record states of its publication (indexing terms, publication types, related records)."""


class Span(Record):
    """A stretch of `Document.text`."""

    start_char: Offset = Field(description="First character.")
    end_char: Offset = Field(description="One past the last character.")

    @model_validator(mode="after")
    def _ordered(self) -> Span:
        if self.end_char < self.start_char:
            raise ValueError(f"span ends ({self.end_char}) before it starts ({self.start_char})")
        return self


class PageBox(Record):
    """A place on a page, in points (1/72 inch) from its top left corner."""

    page_no: int = Field(ge=1, description="1-based page.")
    left: float = Field(allow_inf_nan=False, description="Left edge.")
    top: float = Field(allow_inf_nan=False, description="Upper edge.")
    right: float = Field(allow_inf_nan=False, description="Right edge.")
    bottom: float = Field(allow_inf_nan=False, description="Lower edge.")

    @model_validator(mode="after")
    def _ordered(self) -> PageBox:
        if self.right < self.left or self.bottom < self.top:
            raise ValueError(f"box ({self.left}, {self.top}, {self.right}, {self.bottom}) is turned around")
        return self


class Block(Record):
    """The smallest cited unit of a document: a paragraph, a table, a list, one outcome."""

    block_id: str = Field(description="Unique in the document, stable for the same content.")
    kind: BlockKind = Field(description="What it is.")
    start_char: Offset = Field(description="First character in Document.text.")
    end_char: Offset = Field(description="One past the last character.")
    page_no: int | None = Field(default=None, ge=1, description="1-based page, where pages exist.")
    boxes: tuple[PageBox, ...] = Field(
        default=(), description="Where it stands on its pages, in reading order; of PDFs."
    )


class Table(Record):
    """A table as a grid, beside its text rendering in a block of kind `table`."""

    block_id: str = Field(description="Block that holds the rendered text.")
    label: str | None = Field(default=None, description="E.g. 'Table 2'.")
    caption: str | None = Field(default=None, description="Caption text.")
    header_rows: int = Field(ge=0, description="How many of the first rows are header.")
    rows: tuple[tuple[str, ...], ...] = Field(description="Cells by row; spans are repeated.")


class Section(Record):
    """A heading and what stands under it; sections nest, blocks belong to the innermost one."""

    title: str = Field(description="Heading as printed, '' where there is none.")
    title_path: tuple[str, ...] = Field(description="Headings from the outermost section to this one.")
    role: str | None = Field(
        default=None,
        description="Normalised role: abstract, introduction, methods, results, discussion, conclusions, "
        "eligibility, outcomes, ... None where unknown.",
    )
    start_char: Offset = Field(description="First character, heading included.")
    end_char: Offset = Field(description="One past the last character of its last sub-section.")
    blocks: tuple[Block, ...] = Field(default=(), description="Blocks directly in this section, in order.")
    sections: tuple[Section, ...] = Field(default=(), description="Sub-sections, in order.")


def all_sections(sections: Sequence[Section]) -> Iterator[Section]:
    """Sections and their sub-sections at any depth, outermost first, in the order of the text."""
    stack = list(reversed(sections))
    while stack:
        section = stack.pop()
        yield section
        stack.extend(reversed(section.sections))


class Reference(Record):
    """One entry of a reference list; the text has it in a block of kind `reference`, which is not indexed."""

    label: str | None = Field(default=None, description="Number or key as printed.")
    text: str = Field(description="The entry as text.")
    pmid: str | None = Field(default=None, description="PubMed id if given.")
    doi: str | None = Field(default=None, description="DOI if given.")
    part: str | None = Field(
        default=None,
        description="Heading of the appendix or article inside whose list it is in; none for the main list.",
    )


class Annotation(Record):
    """A value of a structured record, where the text shows it."""

    annotation_id: str = Field(description="Unique in the document.")
    kind: str = Field(description="What the value is in its record: condition, intervention, outcome ...")
    start_char: Offset = Field(description="First character in Document.text.")
    end_char: Offset = Field(description="One past the last character.")
    identifiers: tuple[str, ...] = Field(default=(), description="CURIEs that the record gives for it.")
    of: str | None = Field(default=None, description="Annotation that it belongs to; None: the document.")
    attributes: dict[str, str] = Field(
        default_factory=dict, description="Codes of the record, as it has them."
    )


class Document(Record):
    """One source record as text with structure: every offset below points into `text`."""

    doc_id: str = Field(description="The source's own id.")
    tenant_id: str = Field(description="Tenant that owns it.")
    source: str = Field(description="Where the record comes from.")
    version: str = Field(description="Content hash of the bytes it was parsed from.")
    title: str = Field(description="Title, '' where the record has none.")
    text: str = Field(description="The whole text: headings, and blocks that are not indexed, included.")
    sections: tuple[Section, ...] = Field(description="Top-level sections in order, covering the text.")
    tables: tuple[Table, ...] = Field(default=(), description="Tables as grids.")
    references: tuple[Reference, ...] = Field(default=(), description="Entries of the reference lists.")
    annotations: tuple[Annotation, ...] = Field(
        default=(), description="Values of a structured record, where the text shows them, in order."
    )
    language: str = Field(default="en", description="BCP 47 language tag.")
    parser: str = Field(description="Name and version of the parser, e.g. jats/1.")
    metadata: dict[str, Any] = Field(
        default_factory=dict,
        description="Bibliographic and registry fields: authors, journal, year, doi, phase, status, mesh ...",
    )


class Chunk(Record):
    """The unit that is embedded and found. `document.text[start_char:end_char] == body`, always."""

    chunk_id: str = Field(description="Deterministic: source, document, version, ordinal.")
    doc_id: str = Field(description="Document it was cut from.")
    tenant_id: str = Field(description="Tenant that owns it.")
    version: str = Field(description="Content hash of the document.")
    ordinal: int = Field(ge=0, description="Position in the document, from 0.")
    body: str = Field(min_length=1, description="The text.")
    title_path: tuple[str, ...] = Field(description="Document title, then the headings above the chunk.")
    section: str = Field(description="Role of its section, else its heading in lower case, else ''.")
    start_char: Offset = Field(description="First character in Document.text.")
    end_char: Offset = Field(description="One past the last character.")
    block_ids: tuple[str, ...] = Field(description="Blocks it touches, in order.")
    page_no: int | None = Field(default=None, ge=1, description="Page of its first block.")
    token_count: int = Field(
        ge=1, description="Tokens of body in the embedding model's tokenizer; words where it has none."
    )
    granularity: Literal["chunk", "table", "outcome", "eligibility"] = Field(description="What it holds.")
    chunker: str = Field(description="Name of the chunker and profile, e.g. haystack/pmc-imrad.")
    chunker_version: str = Field(description="Version of that chunker; part of the fingerprint.")
    metadata: dict[str, Any] = Field(default_factory=dict, description="Filterable fields.")


def chunk_id(source: str, doc_id: str, version: str, ordinal: int) -> str:
    """The deterministic id of a chunk."""
    return f"{source}:{doc_id}:{version[:12]}:{ordinal}"
