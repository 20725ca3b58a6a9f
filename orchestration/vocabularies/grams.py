"""Trigrams of names: which names are most alike in their letters, by cosine of TF-IDF weights.

Comes in: normalised names in their order. Leaves: per trigram the rows that have it, and per row the length
of its vector; and the most similar rows of a query.
Source: Salton, Buckley: Term-weighting approaches in automatic text retrieval, 1988.
"""

from __future__ import annotations

import math
from array import array
from collections import defaultdict
from collections.abc import Iterable, Mapping

import numpy as np

__all__ = ["grams_of", "most_similar", "postings"]


def grams_of(words: str) -> list[str]:
    """Trigrams of each word with its start and end marked, each once, sorted."""
    grams: set[str] = set()
    for word in words.split():
        marked = f" {word} "
        grams.update(marked[start : start + 3] for start in range(len(marked) - 2))
    return sorted(grams)


def postings(names: Iterable[tuple[int, str]]) -> tuple[dict[str, bytes], bytes]:
    """Rows (int32) of each trigram, and the length (float32) of each row from 0, of all (row, words).

    Rows are from 1 to the number of names, each once.
    """
    rows: dict[str, array[int]] = defaultdict(lambda: array("i"))
    total = 0
    for row, words in names:
        total += 1
        for gram in grams_of(words):
            rows[gram].append(row)
    squares = np.zeros(total + 1, dtype=np.float64)
    for of_gram in rows.values():
        squares[np.frombuffer(of_gram, dtype=np.int32)] += _rarity(len(of_gram), total) ** 2
    lengths = np.sqrt(np.maximum(squares, 1e-12)).astype(np.float32)
    return {gram: rows[gram].tobytes() for gram in sorted(rows)}, lengths.tobytes()


def most_similar(
    present: Mapping[str, bytes], lengths: bytes, grams: int, limit: int
) -> list[tuple[int, float]]:
    """Rows with the highest cosine to a query, best first; of equal ones the lower row first.

    `present`: rows of the query's trigrams that any name has; `lengths`: of all rows; `grams`: number of
    trigrams of the query. A trigram that no name has counts as one that a single name has.
    """
    if not present:
        return []
    length_of = np.frombuffer(lengths, dtype=np.float32)
    total = len(length_of) - 1
    rows = [np.frombuffer(of_gram, dtype=np.int32) for of_gram in present.values()]
    weights = [_rarity(len(of_gram), total) for of_gram in rows]
    length = math.sqrt(math.fsum(w**2 for w in weights) + (grams - len(rows)) * _rarity(1, total) ** 2)
    products = np.bincount(
        np.concatenate(rows),
        weights=np.repeat([weight**2 for weight in weights], [len(of_gram) for of_gram in rows]),
        minlength=total + 1,
    )
    scores = products / (length_of * length)
    best = np.argpartition(-scores, min(limit, total))[:limit]
    ranked = sorted((-round(float(scores[row]), 6), int(row)) for row in best if scores[row] > 0)
    return [(row, -score) for score, row in ranked]


def _rarity(names: int, total: int) -> float:
    """Weight of a trigram that so many of all names have."""
    return math.log((1 + total) / names) + 1e-3
