"""A piece of a line: words without a wide gap between them, a line of a column or a cell of a table."""

from __future__ import annotations

from dataclasses import dataclass

from orchestration.pdf.text_layer.right_to_left import in_reading_order
from orchestration.pdf.text_layer.words import Word

__all__ = ["Piece"]


@dataclass(frozen=True, slots=True)
class Piece:
    """A part of one line without a wide gap; positions in the frame of the page's text."""

    words: tuple[Word, ...]
    left: float
    top: float
    right: float
    bottom: float
    baseline: float
    size: float
    """Of most of its characters, in points."""
    bold: bool
    """Whether nine of ten characters are."""
    face: str = ""
    """Of nine of ten characters; '' if they differ."""
    hyphen: bool = False
    """Whether its last character is a hyphen."""

    @property
    def text(self) -> str:
        return in_reading_order(" ".join(word.text for word in self.words))

    @property
    def width(self) -> float:
        return self.right - self.left

    @property
    def middle(self) -> float:
        return (self.left + self.right) / 2
