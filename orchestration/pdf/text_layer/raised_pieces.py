"""Marks, exponents and indices that a PDF draws apart from their line: joined to the word they stand beside.

Comes in: the pieces of a page. Leaves: the same, with short raised or lowered ones in the words that end,
or begin, where they stand. (Those drawn in the order of the line are joined glyph by glyph, in `lines`.)
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from orchestration.pdf.text_layer.marks import POINTS, Stretch, takes_exponent
from orchestration.pdf.text_layer.pieces import Piece
from orchestration.pdf.text_layer.words import word_of

__all__ = ["with_raised_pieces"]

SMALLER: Final = 0.85
HIGHER: Final = (0.15, 0.6)
"""Of the size of a line: how much higher what is raised stands."""
TOUCHING: Final = 0.15
"""Of the size: the widest gap between a word and what is raised beside it."""
EXPONENT_GAP: Final = 0.4
"""The same between a 10 or unit and its exponent."""
LOWER: Final = (0.08, 0.35)
"""The same of what is lowered (CO2)."""
MAX_CHARACTERS: Final = 12
BAND: Final = 20
"""Points of the page's height in which pieces are looked up."""


def with_raised_pieces(pieces: Sequence[Piece]) -> list[Piece]:
    """The pieces, those joined that belong together."""
    small = [piece for piece in pieces if len(piece.words) == 1 and len(piece.text) <= MAX_CHARACTERS]
    if not small or len({piece.size for piece in pieces}) == 1:
        return list(pieces)
    bands: dict[int, list[int]] = defaultdict(list)
    joined: list[Piece | None] = list(pieces)
    for number, piece in enumerate(pieces):
        bands[int(piece.baseline // BAND)].append(number)
    places = {id(piece): number for number, piece in enumerate(pieces)}
    for piece in sorted(small, key=lambda piece: piece.left):
        place = places[id(piece)]
        mark = joined[place] or piece  # with the smaller marks that were joined to it
        band = int(mark.baseline // BAND)
        near = [number for row in (band - 1, band, band + 1) for number in bands.get(row, ())]
        hosts = [(number, host) for number in near if (host := joined[number]) and _is_beside(mark, host)]
        joint = next(
            ((number, whole) for number, host in hosts if (whole := _with_mark(host, mark)) is not None), None
        )
        if joint is not None:
            joined[joint[0]] = joint[1]
            joined[place] = None
    return [piece for piece in joined if piece is not None]


def _is_beside(mark: Piece, host: Piece) -> bool:
    """Whether it is set smaller, above or below the baseline of the host."""
    rise = (host.baseline - mark.baseline) / host.size
    return mark.size < SMALLER * host.size and (HIGHER[0] < rise < HIGHER[1] or LOWER[0] < -rise < LOWER[1])


def _takes(host: Piece, at: int, before: int | None, mark: Stretch) -> bool:
    """Whether a mark belongs to a word at a distance: an exponent does, and what stands before a comma."""
    if before is not None:
        return before == at + 1 and host.words[before].text[0] in POINTS
    return takes_exponent(host.words[at].text, mark.text)


def _with_mark(host: Piece, mark: Piece) -> Piece | None:
    """The host with a mark in the word that it touches; None if it touches none."""
    reach = TOUCHING * host.size
    own = Stretch(mark.words[0].text, mark.baseline < host.baseline)
    behind = next((at for at, word in enumerate(host.words) if abs(word.right - mark.left) <= reach), None)
    before = next(
        (at for at, word in enumerate(host.words) if at != behind and abs(word.left - mark.right) <= reach),
        None,
    )
    if behind is None and own.raised:
        reach = EXPONENT_GAP * host.size
        near = (at for at, word in enumerate(host.words) if -0.5 < mark.left - word.right <= reach)
        behind = next((at for at in near if _takes(host, at, before, own)), None)
    if behind is None and before is None:
        return None
    first, last = (behind if behind is not None else before), (before if before is not None else behind)
    if first is None or last is None or last - first not in (0, 1):
        return None
    stretches = [own]
    if behind is not None:
        stretches.insert(0, Stretch(host.words[behind].text, False))
    if before is not None:
        stretches.append(Stretch(host.words[before].text, False))
    left, right = min(host.words[first].left, mark.left), max(host.words[last].right, mark.right)
    previous = host.words[first - 1].text if first else ""
    words = (*host.words[:first], word_of(stretches, left, right, previous), *host.words[last + 1 :])
    return replace(
        host,
        words=words,
        left=min(host.left, mark.left),
        right=max(host.right, mark.right),
        top=min(host.top, mark.top),
        bottom=max(host.bottom, mark.bottom),
    )
