"""Passages: stretches of a document that rules about its kind keep separate, and blocks cut along them.

Input: placed blocks, and the passages that a rule (label_sections, recommendations) found in them. Output:
regions that cross no passage. A passage may begin inside a block: plain text has headings and lists run into
paragraphs; the pieces keep their block's id. Pure functions.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import groupby, pairwise

from gpu_actors.chunking.regions import PlacedBlock, with_titles
from orchestration.records import BlockKind

__all__ = ["Passage", "passage_at", "passage_regions"]


@dataclass(frozen=True, slots=True)
class Passage:
    """A stretch of text that ends where the next passage begins; the first begins at 0."""

    start: int
    whole: tuple[int, int] | None = None
    """The part of it that is not split if it fits the model."""
    metadata: Mapping[str, str] = field(default_factory=dict)
    """Metadata of the chunks that contain some of `whole`, or of the passage if there is none."""


def passage_regions(blocks: Sequence[PlacedBlock], passages: Sequence[Passage]) -> list[list[PlacedBlock]]:
    """The blocks, cut where passages begin, by passage; bare headings go as in regions.cut_regions.

    A heading that is part of what stays whole is text: 'Recommendation 3: We recommend ...'.
    """
    starts = [passage.start for passage in passages]
    pieces = (piece for placed in blocks for piece in _cut(placed, starts))
    groups = groupby(pieces, key=lambda piece: bisect_right(starts, piece.block.start_char))
    return with_titles(
        [[_as_text(piece, passages[number - 1]) for piece in group] for number, group in groups]
    )


def _cut(placed: PlacedBlock, starts: Sequence[int]) -> Iterator[PlacedBlock]:
    block = placed.block
    first, last = bisect_right(starts, block.start_char), bisect_right(starts, block.end_char - 1)
    edges = [block.start_char, *starts[first:last], block.end_char]
    for start, end in pairwise(edges):
        yield replace(placed, block=block.model_copy(update={"start_char": start, "end_char": end}))


def _as_text(piece: PlacedBlock, passage: Passage) -> PlacedBlock:
    block, whole = piece.block, passage.whole
    if block.kind is not BlockKind.HEADING or whole is None:
        return piece
    if not whole[0] <= block.start_char < whole[1]:
        return piece
    return replace(piece, block=block.model_copy(update={"kind": BlockKind.PARAGRAPH}))


def passage_at(passages: Sequence[Passage], position: int) -> Passage | None:
    """Return the passage around a position; None if the profile has no passages."""
    number = bisect_right([passage.start for passage in passages], position)
    return passages[number - 1] if number else None
