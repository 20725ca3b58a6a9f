"""The teacher: the base model as it is, whose cosines the sparse model learns.

Input: texts. Output: their unit vectors, by the plane's own encoder; and which words of the vocabulary
mean nearly the same as a word of the corpus, which is what the head learns to expand it to.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias

import numpy as np
import torch
from torch import Tensor

from orchestration.records import Float32Matrix

__all__ = ["Embed", "Neighbours", "embedded", "nearest_terms"]

Embed: TypeAlias = Callable[[Sequence[str]], Float32Matrix]
"""Unit vectors of texts, float32 [n, d], in order."""

ROWS: Final = 2048
"""Rows of a similarity matrix that are held at once."""

NEIGHBOURS: Final = 12


@dataclass(frozen=True, slots=True)
class Neighbours:
    """The vocabulary's words nearest to each word of the corpus."""

    words: dict[str, int]
    """Row of each word."""
    terms: Tensor
    """Token ids, int64 [words, NEIGHBOURS]."""
    cosines: Tensor
    """float32 [words, NEIGHBOURS], falling."""
    vectors: Tensor
    """Unit vectors by token id, float32 [vocabulary, d]; zero for what is no word."""


def embedded(embed: Embed, texts: Sequence[str], report: Callable[[int], None]) -> Float32Matrix:
    """Unit vectors of many texts, float32 [n, d]; calls `report` with the number done."""
    parts = []
    for start in range(0, len(texts), ROWS):
        parts.append(embed(texts[start : start + ROWS]))
        report(min(start + ROWS, len(texts)))
    return np.concatenate(parts)


def nearest_terms(
    embed: Embed, words: Sequence[str], terms: dict[str, int], vocabulary: int, report: Callable[[int], None]
) -> Neighbours:
    """For each word the `terms` (token ids by text) nearest to it, itself among them if it is one.

    `report` is called with the number of words and terms that are embedded.
    """
    ids = torch.tensor(list(terms.values()))
    both = torch.from_numpy(embedded(embed, [*words, *terms], report))
    of_words, of_terms = both[: len(words)], both[len(words) :]
    nearest = [(part @ of_terms.T).topk(min(NEIGHBOURS, len(ids))) for part in torch.split(of_words, ROWS)]
    vectors = torch.zeros(vocabulary, of_terms.shape[1])
    vectors[ids] = of_terms
    return Neighbours(
        {word: row for row, word in enumerate(words)},
        ids[torch.cat([each.indices for each in nearest])],
        torch.cat([each.values for each in nearest]),
        vectors,
    )
