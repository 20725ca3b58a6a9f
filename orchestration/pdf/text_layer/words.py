"""A word: adjacent characters of a line without a blank between them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from orchestration.pdf.text_layer.marks import Stretch, spelled

__all__ = ["Word", "word_of"]


@dataclass(frozen=True, slots=True)
class Word:
    """Adjacent characters; positions in the frame of the page's text."""

    text: str
    left: float
    right: float
    mark: int = 0
    """How many of its last characters are a mark that is set apart ('[7]' of '500[7]')."""


def word_of(stretches: Sequence[Stretch], left: float, right: float, before: str = "") -> Word:
    """A word of stretches on the line and above it, behind the word `before`.

    A number above the line that stands alone is a mark too.
    """
    if len(stretches) == 1 and not stretches[0].raised:
        return Word(stretches[0].text, left, right)
    text = spelled(stretches, before)
    opened = text.rfind("[") if stretches[-1].raised and text.endswith("]") else -1
    return Word(text, left, right, mark=len(text) - opened if opened >= 0 else 0)
