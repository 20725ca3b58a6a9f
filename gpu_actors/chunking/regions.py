"""Regions: a document's blocks grouped so that no chunk crosses from one group to the next.

Input: a document's sections and the boundaries of a chunk profile. Output: blocks with their sections, in
text order, by region. Pure functions.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Final, Literal

from orchestration.records import NOT_INDEXED, Block, BlockKind, Section

__all__ = ["HEADINGS", "Boundaries", "PlacedBlock", "cut_regions", "place_of", "placed_blocks", "with_titles"]

Boundaries = Literal["imrad", "sections", "lengths", "label", "recommendations"]
"""What no chunk crosses: top-level sections, and headings of IMRaD parts below them; top-level sections; only
those of the top-level sections that do not fit into one chunk together; sections and numbered subsections of
a drug label; top-level sections, and recommendations with their rationale."""

HEADINGS: Final = frozenset({BlockKind.TITLE, BlockKind.HEADING})
IMRAD: Final = frozenset({"abstract", "introduction", "methods", "results", "discussion", "conclusions"})


@dataclass(frozen=True, slots=True)
class PlacedBlock:
    """A block and its place."""

    block: Block
    section: Section
    top: int
    """Number of its top-level section."""
    part: Section
    """The innermost section around it that is an IMRaD part, else its top-level section."""


def placed_blocks(sections: Iterable[Section]) -> list[PlacedBlock]:
    """Every block, in text order, but for those of the last sections if nothing in these is indexed."""
    indexed = list(sections)
    while indexed and _is_not_indexed(indexed[-1]):
        indexed.pop()
    return [placed for top, section in enumerate(indexed) for placed in _inside(section, top, section)]


def _is_not_indexed(section: Section) -> bool:
    """Whether the section has blocks, and none but headings and those that are not indexed."""
    kinds: set[BlockKind] = set()
    waiting = [section]
    while waiting:
        inner = waiting.pop()
        kinds.update(block.kind for block in inner.blocks)
        waiting.extend(inner.sections)
    return bool(kinds & NOT_INDEXED) and kinds <= NOT_INDEXED | HEADINGS


def _inside(section: Section, top: int, part: Section) -> Iterator[PlacedBlock]:
    if section.role in IMRAD and section.role != part.role:
        part = section
    inner: list[tuple[int, Block | Section]] = [(block.start_char, block) for block in section.blocks]
    inner += [(child.start_char, child) for child in section.sections]
    for _, each in sorted(inner, key=lambda pair: pair[0]):
        if isinstance(each, Section):
            yield from _inside(each, top, part)
        else:
            yield PlacedBlock(each, section, top, part)


def cut_regions(
    blocks: Sequence[PlacedBlock], boundaries: Boundaries, fits: Callable[[int, int], bool]
) -> list[list[PlacedBlock]]:
    """Return the blocks by region; `fits` returns whether text[start:end] can be one chunk.

    Headings with nothing under them are left out, since they are in the title paths; the document's title
    goes with what follows it.
    """
    key = (lambda placed: id(placed.part)) if boundaries == "imrad" else (lambda placed: placed.top)
    regions = [list(group) for _, group in groupby(blocks, key=key)]
    regions = with_titles(regions)
    if boundaries == "lengths":
        regions = _joined(regions, fits)
    return regions


def with_titles(regions: Sequence[list[PlacedBlock]]) -> list[list[PlacedBlock]]:
    """The regions without bare headings, the document's title joined to what follows it."""
    joined: list[list[PlacedBlock]] = []
    titles: list[PlacedBlock] = []
    for region in regions:
        if all(placed.block.kind is BlockKind.TITLE for placed in region):
            titles += region
        elif any(placed.block.kind not in HEADINGS for placed in region):
            joined.append([*titles, *region])
            titles = []
        else:
            titles = []
    if not joined and regions:
        return [[placed for region in regions for placed in region]]
    return joined


def _joined(
    regions: Sequence[list[PlacedBlock]], fits: Callable[[int, int], bool]
) -> list[list[PlacedBlock]]:
    """Neighbours as one region while they fit into a chunk together."""
    joined: list[list[PlacedBlock]] = []
    for region in regions:
        if joined and fits(joined[-1][0].block.start_char, region[-1].block.end_char):
            joined[-1] = [*joined[-1], *region]
        else:
            joined.append(region)
    return joined


def place_of(sections: Sequence[Section]) -> tuple[tuple[str, ...], str]:
    """The common headings above a chunk's sections, and their role or innermost heading."""
    path = sections[0].title_path
    for section in sections[1:]:
        shared = (a == b for a, b in zip(path, section.title_path, strict=False))
        path = path[: next((at for at, same in enumerate(shared) if not same), len(section.title_path))]
    roles = {section.role for section in sections}
    role = roles.pop() if len(roles) == 1 else None
    return path, role or (path[-1].lower() if path else "")
