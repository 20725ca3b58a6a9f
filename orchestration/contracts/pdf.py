"""Converters of PDFs, and the format of what they return: `pdf-ir`.

A converter takes the bytes of one PDF as a task and returns, when the task is done, one `ConvertedPdf` as
JSON. The parser of format `pdf-ir` makes the Document from it, so that all converters share one model.
Positions are in points (1/72 inch) from the top left of a page. Plugins: entry point group
`medkg.pdf_converters`; a class is called with its config as keyword arguments, or made by its
`from_settings(config, settings)` if it has that.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated, Final, Literal, Protocol

from pydantic import Field, model_validator

from orchestration.errors import MedkgError
from orchestration.records import PageBox, Record

PDF: Final = "pdf"
"""Registered format of a PDF itself."""

PDF_IR: Final = "pdf-ir"
"""Registered format of a converted PDF; names its parser."""

PDF_MARK: Final = b"%PDF-"
MARK_WITHIN: Final = 1024


def has_pdf_mark(content: bytes) -> bool:
    """Whether bytes begin as a PDF does: readers look for the mark in the first kibibyte.

    ISO 32000-1, annex H.3, note 13.
    """
    return PDF_MARK in content[:MARK_WITHIN]


class ConversionState(StrEnum):
    """Where a conversion stands."""

    QUEUED = "queued"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class ConversionStatus:
    """A converter's report on one task."""

    task_id: str
    state: ConversionState
    error: MedkgError | None = None
    """Why it failed: Permanent, the PDF is at fault; Transient, submitting it again may do (a task that a
    restarted service no longer knows is ConversionLostError)."""
    ahead: int | None = None
    """Tasks before this one in the converter's queue, if it reports them."""


class PdfConverter(Protocol):
    """Converts PDFs, one task each. Thread-safe; a call lasts as long as a request, never a conversion.

    Guarantees that an implementation gives. Order: `poll` returns statuses in the order of the ids; tasks end
    in any order. Idempotence: `poll`, `result`, `forget` and `close` may be repeated; each `submit` makes a
    task. Durability: none; a task that was lost in a restart is reported as ConversionLostError; no result is
    ever another task's. Delivery: at least once; a `submit` whose answer was lost raises although the
    service may have the task, so the PDF is submitted again, and the first task's result is not fetched.
    Errors: a call raises DagsterResourceUnavailableError when the service is unavailable, which is no fault
    of a PDF and costs no attempt; an error of one task is in its status and concerns no other task.
    """

    name: str
    """What topologies call it: mineru, text-layer."""
    version: str
    """Changes whenever the output for the same PDF changes by our doing; part of the fingerprint."""

    @property
    def capacity(self) -> int:
        """How many tasks are worth having under way at once."""
        ...

    def submit(self, pdf: bytes, doc_id: str) -> str:
        """Hand over a PDF; the task's id. Not idempotent: every call is a task.

        Raises a Permanent error where the PDF is refused at once (too large, no PDF), RateLimitedError
        where the converter takes no more for now.
        """
        ...

    def poll(self, task_ids: Sequence[str]) -> Sequence[ConversionStatus]:
        """How the tasks stand, one status an id, same order; an id of no task is ConversionLostError."""
        ...

    def result(self, task_id: str) -> bytes:
        """The `ConvertedPdf` of a task that is done, as JSON; the same until `forget`.

        Raises the task's error if it failed, ConversionLostError if there is no such task, and
        ConversionFailedError if it is not done yet, or what the service gave is no document.
        """
        ...

    def forget(self, task_ids: Sequence[str]) -> None:
        """Stop what still runs of these tasks and drop what is kept of them. Idempotent."""
        ...

    def close(self) -> None:
        """End worker processes and connections. Idempotent."""
        ...


# --- the converted document ------------------------------------------------------------------------


class PdfBlockKind(StrEnum):
    """What a block of a converted PDF is."""

    TITLE = "title"
    HEADING = "heading"
    PARAGRAPH = "paragraph"
    LIST = "list"
    TABLE = "table"
    EQUATION = "equation"
    FIGURE_CAPTION = "figure_caption"
    FOOTNOTE = "footnote"
    REFERENCE = "reference"


MOST_POINTS: Final = 1_000_000
"""Largest side of a page: some 350 metres, beyond which a size is an error or an attack."""


class PdfPage(Record):
    """One page, with or without text."""

    page_no: int = Field(ge=1, description="1-based.")
    width: float = Field(gt=0, le=MOST_POINTS, description="Points, as the page is shown (rotation applied).")
    height: float = Field(gt=0, le=MOST_POINTS, description="Points.")
    unread: bool = Field(
        default=False, description="It shows an image in place of text, or is damaged: its text was not read."
    )


LINE_NUMBERS: Final = "line_numbers"
WATERMARKS: Final = "watermarks"
TURNED_TEXT: Final = "turned_text"
SLANTED_TEXT: Final = "slanted_text"
"""Kinds of text that a converter leaves out and counts in `ConvertedPdf.left_out`."""


class PdfCell(Record):
    """One cell of a table."""

    text: str = Field(description="Its text.")
    columns: int = Field(default=1, ge=1, le=200, description="How many columns it spans.")
    rows: int = Field(default=1, ge=1, le=200, description="How many rows it spans.")


class PdfBlock(Record):
    """One block of text in reading order; hyphenation undone, running headers and footers left out."""

    kind: PdfBlockKind = Field(description="What it is.")
    text: str = Field(
        description="Its text: of a list one line per item, of a table or figure its caption, of a heading "
        "as printed, with its number."
    )
    level: Annotated[int, Field(ge=1, le=9)] | None = Field(
        default=None, description="Depth of a heading, 1 outermost."
    )
    boxes: tuple[PageBox, ...] = Field(
        min_length=1, description="Where it stands: one box a column or page it runs through, in order."
    )
    rows: tuple[tuple[PdfCell, ...], ...] = Field(
        default=(), description="Cells of a table by row, as HTML has them: a spanned place holds no cell."
    )
    header_rows: int = Field(default=0, ge=0, description="How many of the first rows are header.")
    notes: tuple[str, ...] = Field(default=(), description="Footnotes of a table or figure.")

    @property
    def page_no(self) -> int:
        """The page it begins on."""
        return self.boxes[0].page_no


class ConvertedPdf(Record):
    """A converted PDF."""

    format: Literal["pdf-ir"] = Field(default="pdf-ir", description="Marks the format.")
    format_version: Literal[1] = Field(default=1, description="Version of this format.")
    converter: str = Field(min_length=1, description="Which converter made it: mineru, text-layer.")
    converter_version: str = Field(min_length=1, description="Its version, that of its service included.")
    title: str = Field(default="", description="Title that the PDF's own metadata gives, if it is one.")
    language: str = Field(default="en", description="BCP 47 language tag.")
    pages: tuple[PdfPage, ...] = Field(description="Every page, in order.")
    blocks: tuple[PdfBlock, ...] = Field(description="Blocks in reading order.")
    unmapped_characters: int = Field(
        default=0, ge=0, description="Glyphs whose font names no character; each is U+FFFD in the text."
    )
    left_out: dict[str, int] = Field(
        default_factory=dict,
        description="Characters on the pages that are not in the text, by kind (`line_numbers`, "
        "`watermarks`, `turned_text`, `slanted_text`); running headers and footers are not counted.",
    )

    @model_validator(mode="after")
    def _blocks_stand_on_pages(self) -> ConvertedPdf:
        known = {page.page_no for page in self.pages}
        if len(known) != len(self.pages):
            raise ValueError("two pages have one number")
        for number, block in enumerate(self.blocks):
            for box in block.boxes:
                if box.page_no not in known:
                    raise ValueError(f"block {number} stands on page {box.page_no}, which is not there")
        return self
