"""Matching of two lists, each item with at most one of the other list.

Input: two lists and what may be matched. Output: pairs of positions; as many as there can be, so that the
number of pairs is the same from either side and a repeated item gains nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

import numpy as np

__all__ = ["matching"]

A = TypeVar("A")
B = TypeVar("B")


def matching(left: Sequence[A], right: Sequence[B], may: Callable[[A, B], bool]) -> list[tuple[int, int]]:
    """Pairs (position in left, position in right) of a maximum bipartite matching (Hopcroft-Karp)."""
    if not left or not right:
        return []
    allowed = np.array([[may(item, candidate) for candidate in right] for item in left], dtype=np.int8)
    if not allowed.any():
        return []
    from scipy.sparse import csr_array  # type: ignore[import-untyped] # takes a second to import
    from scipy.sparse.csgraph import maximum_bipartite_matching  # type: ignore[import-untyped]

    partner = maximum_bipartite_matching(csr_array(allowed), perm_type="column")
    return [(position, int(other)) for position, other in enumerate(partner) if other >= 0]
