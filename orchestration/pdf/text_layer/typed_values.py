"""Values of form fields as pieces of lines.

Comes in: a text and the box of its field in the frame of its page. Leaves: a piece for each line of the
text, in type as large as the field has room for.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from orchestration.pdf.text_layer.pieces import Piece
from orchestration.pdf.text_layer.words import Word

__all__ = ["pieces_of_value"]

MAX_SIZE: Final = 11.0
"""Points of the type that a value is taken to have, in a field high enough for it."""
LEADING: Final = 1.25
ADVANCE: Final = 0.5
"""Mean width of a character, of the size."""

Box = tuple[float, float, float, float]


def pieces_of_value(text: str, box: Box, labels: Sequence[Piece]) -> Iterator[Piece]:
    """The lines of a value as pieces, the first one beside the label of its field."""
    left, top, right, bottom = box
    lines = [line for line in text.replace("\r\n", "\n").replace("\r", "\n").split("\n") if line.strip()]
    size = min(MAX_SIZE, max(4.0, 0.7 * (bottom - top) / max(len(lines), 1)))
    first = (top + bottom) / 2 + 0.35 * size if len(lines) == 1 else top + size
    first = _baseline_of_label(box, labels) or first
    for number, line in enumerate(lines):
        baseline = first + number * LEADING * size
        advance = min(ADVANCE * size, max(right - left, 1.0) / max(len(line), 1))
        words, at = [], left
        for word in line.split():
            words.append(Word(word, at, at + advance * len(word)))
            at += advance * (len(word) + 1)
        yield Piece(
            words=tuple(words),
            left=left,
            top=baseline - 0.75 * size,
            right=words[-1].right,
            bottom=baseline + 0.25 * size,
            baseline=baseline,
            size=round(size, 1),
            bold=False,
        )


def _baseline_of_label(box: Box, labels: Sequence[Piece]) -> float | None:
    """The baseline of the nearest text on the left of a field, if there is one at its height."""
    left, top, _, bottom = box
    beside = [label for label in labels if label.right <= left + 2 and top < label.baseline <= bottom + 2]
    return max(beside, key=lambda label: label.right).baseline if beside else None
