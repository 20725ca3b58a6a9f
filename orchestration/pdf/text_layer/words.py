"""A word: adjacent characters of a line without a blank between them."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Word"]


@dataclass(frozen=True, slots=True)
class Word:
    """Adjacent characters; positions in the frame of the page's text."""

    text: str
    left: float
    right: float
    mark: int = 0
    """How many of its last characters are a mark that is set apart ('[7]' of '500[7]')."""
