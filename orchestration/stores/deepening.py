"""How a search goes on when readers may not see enough of what it found: with several times as many."""

from __future__ import annotations

from typing import Final

__all__ = ["deeper"]

FACTOR: Final = 4


def deeper(depth: int, most: int) -> int:
    """Return how many candidates to search for next, after `depth` of them; `most` at the most."""
    return min(FACTOR * depth, most)
