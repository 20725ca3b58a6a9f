"""The passages of a document that the tagger reads: running text, a section at a time.

Input: a document. Output: character ranges in order. Neighbouring sections share a passage as long as both
fit about one window of the model, so that a title and its abstract are read together, as in training.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from orchestration.contracts import CharRange
from orchestration.records import Block, BlockKind, Document, Section

__all__ = ["passages"]

WINDOW_CHARACTERS: Final = 2_200
"""Of about 500 word pieces."""

READ: Final = frozenset(
    {
        BlockKind.TITLE,
        BlockKind.HEADING,
        BlockKind.PARAGRAPH,
        BlockKind.LIST,
        BlockKind.FIGURE_CAPTION,
        BlockKind.BOXED_TEXT,
        BlockKind.ELIGIBILITY,
    }
)
"""Running text. Tables and fields of registries are none; registry values come from the record."""

UNREAD_ROLES: Final = frozenset(
    {
        "acknowledgements",
        "competing_interests",
        "contacts",
        "data_sharing",
        "ethics",
        "funding",
        "identification",
        "locations",
        "mesh",
        "oversight",
        "sponsor",
        "status",
        "supplementary",
    }
)
"""Sections that say nothing of drugs and conditions in sentences."""


def passages(document: Document) -> list[CharRange]:
    """Ranges in order; they do not overlap."""
    joined: list[CharRange] = []
    for section in document.sections:
        for number, (start, end) in enumerate(_runs(document.text, section)):
            fits = joined and number == 0 and end - joined[-1][0] <= WINDOW_CHARACTERS
            if fits and not document.text[joined[-1][1] : start].strip():
                joined[-1] = joined[-1][0], end
            else:
                joined.append((start, end))
    return joined


def _runs(text: str, section: Section) -> Iterator[CharRange]:
    """Blocks of running text with nothing else between them."""
    run: CharRange | None = None
    for block in _blocks([section]):
        if block.kind not in READ:
            continue
        if run and not text[run[1] : block.start_char].strip():
            run = run[0], block.end_char
            continue
        if run:
            yield run
        run = block.start_char, block.end_char
    if run:
        yield run


def _blocks(sections: Sequence[Section]) -> Iterator[Block]:
    for section in sections:
        if section.role not in UNREAD_ROLES:
            yield from section.blocks
            yield from _blocks(section.sections)
