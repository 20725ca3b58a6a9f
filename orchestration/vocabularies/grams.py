"""Trigrams of names: which names are most alike in their letters, by cosine of TF-IDF weights.

Comes in: normalised names in their order. Leaves: per trigram the rows that have it and their weights, as
bytes; and the most similar rows of a query. Weights of a name are of length 1, so that a score is a cosine.
Source: Salton, Buckley: Term-weighting approaches in automatic text retrieval, 1988.
"""

from __future__ import annotations

from array import array
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping

import numpy as np

__all__ = ["grams_of", "most_similar", "postings"]


def grams_of(words: str) -> list[str]:
    """Trigrams of each word with its start and end marked, each once, sorted."""
    grams: set[str] = set()
    for word in words.split():
        marked = f" {word} "
        grams.update(marked[start : start + 3] for start in range(len(marked) - 2))
    return sorted(grams)


def postings(names: Iterable[tuple[int, str]]) -> Iterator[tuple[str, bytes, bytes]]:
    """Trigram, rows (int32) and weights (float32) of all (row, words), by trigram.

    Rows are at least 0 and less than 2**31.
    """
    rows: dict[str, array[int]] = defaultdict(lambda: array("i"))
    total = highest = 0
    for row, words in names:
        total, highest = total + 1, max(highest, row)
        for gram in grams_of(words):
            rows[gram].append(row)
    rarity = {gram: float(np.log((1 + total) / len(of_gram)) + 1e-3) for gram, of_gram in rows.items()}
    squares = np.zeros(highest + 1, dtype=np.float64)
    for gram, of_gram in rows.items():
        squares[np.frombuffer(of_gram, dtype=np.int32)] += rarity[gram] ** 2
    lengths = np.sqrt(np.maximum(squares, 1e-12))
    for gram in sorted(rows):
        places = np.frombuffer(rows[gram], dtype=np.int32)
        yield gram, places.tobytes(), (rarity[gram] / lengths[places]).astype(np.float32).tobytes()


def most_similar(
    present: Mapping[str, tuple[bytes, bytes]], grams: int, rows: int, limit: int
) -> list[tuple[int, float]]:
    """Rows with the highest cosine to a query, best first; of equal ones the lower row first.

    `present`: postings of the query's trigrams that any name has; `grams`: trigrams of the query; `rows`:
    highest row. A trigram that no name has counts as one that a single name has.
    """
    if not present:
        return []
    rarest = np.log(1 + rows)
    places = [np.frombuffer(of_gram, dtype=np.int32) for of_gram, _ in present.values()]
    rarity = [np.log((1 + rows) / len(of_gram)) + 1e-3 for of_gram in places]
    length = float(np.sqrt(sum(value**2 for value in rarity) + (grams - len(present)) * rarest**2))
    weights = [
        np.frombuffer(weights, dtype=np.float32) * np.float32(value / length)
        for (_, weights), value in zip(present.values(), rarity, strict=True)
    ]
    scores = np.bincount(np.concatenate(places), weights=np.concatenate(weights), minlength=rows + 1)
    best = np.argpartition(-scores, min(limit, rows))[:limit]
    ranked = sorted((-float(scores[row]), int(row)) for row in best if scores[row] > 0)
    return [(row, -score) for score, row in ranked]
