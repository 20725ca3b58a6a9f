"""How alike two normalised names are, by letters and by words that are weighted by their rarity.

Comes in: names as `names.name_keys` writes their words. Leaves: numbers from 0 (nothing in common) to 1.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from functools import lru_cache

__all__ = ["letters_in_common", "word_weights", "words_in_common"]


def letters_in_common(words: str, other: str) -> float:
    """Dice coefficient of the trigrams of two names, each word with its start and end marked."""
    grams, others = _grams(words), _grams(other)
    return 2 * len(grams & others) / (len(grams) + len(others)) if grams and others else 0.0


def word_weights(words: Sequence[str], counts: Mapping[str, int], names: int) -> dict[str, float]:
    """Weight of each word: the logarithm of how rare it is among `names` names."""
    return {word: math.log((names + 1) / (counts.get(word, 0) + 1)) + 0.1 for word in words}


def words_in_common(
    words: Sequence[str], other: Sequence[str], weights: Mapping[str, float]
) -> tuple[float, float]:
    """Shares of the weight of `words` that `other` has, and of `other` that `words` has.

    A word counts as far as its most similar one is alike, if that is more than half.
    """
    return _share(words, other, weights), _share(other, words, weights)


def _share(words: Sequence[str], other: Sequence[str], weights: Mapping[str, float]) -> float:
    total = sum(weights[word] for word in words)
    if not total:
        return 0.0
    return sum(weights[word] * _nearest(word, other) for word in words) / total


def _nearest(word: str, others: Sequence[str]) -> float:
    if word in others:
        return 1.0
    best = max((letters_in_common(word, other) for other in others), default=0.0)
    return best if best > 0.5 else 0.0


@lru_cache(maxsize=65536)
def _grams(words: str) -> frozenset[str]:
    marked = " " + words + " "
    return frozenset(marked[start : start + 3] for start in range(len(marked) - 2))
