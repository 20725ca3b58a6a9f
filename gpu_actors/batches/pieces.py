"""Texts longer than a sparse model's limit, as several rows; and the rows' terms merged again.

Input: token rows; later, sparse rows. Output: rows that fit; the union of a text's rows, each term with its
largest weight, which is max pooling over all tokens, except that a piece does not see the others' words.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice

import numpy as np
import numpy.typing as npt

from gpu_actors.batches.token_budget import TokenIds

__all__ = ["NO_TERMS", "SparseRow", "cut", "merged"]

SparseRow = tuple[npt.NDArray[np.int32], npt.NDArray[np.float32]]
"""Terms, ascending, and their weights."""

NO_TERMS: SparseRow = (np.empty(0, np.int32), np.empty(0, np.float32))


def cut(ids: TokenIds, room: int) -> list[TokenIds]:
    """Cut the row into few even pieces of at most `room` tokens, each between the row's special tokens.

    For models with one special token before and after a text, as BERT.
    """
    tokens = ids[1:-1]
    parts = np.array_split(tokens, max(1, -(-len(tokens) // room)))
    return [np.concatenate([ids[:1], part, ids[-1:]]) for part in parts]


def merged(rows: Sequence[SparseRow], counts: Sequence[int]) -> Iterator[SparseRow]:
    """Yield one row per text from the rows of its pieces, given end to end; `counts`: pieces of each text."""
    remaining = iter(rows)
    for count in counts:
        pieces = list(islice(remaining, count))
        yield pieces[0] if count == 1 else _union(pieces)


def _union(pieces: Sequence[SparseRow]) -> SparseRow:
    terms, places = np.unique(np.concatenate([indices for indices, _ in pieces]), return_inverse=True)
    strongest = np.zeros(len(terms), dtype=np.float32)
    np.maximum.at(strongest, places, np.concatenate([values for _, values in pieces]))
    return terms, strongest
