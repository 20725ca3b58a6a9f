"""Reranking: the best matches of a fusion, scored by a model that reads question and passage together.

Comes in: a ranking, and a way to score passages. Leaves: the best matches by those scores, then the others in
the order of the fusion. The model compares the question with the whole body of a chunk.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Final

import numpy as np
import numpy.typing as npt

from orchestration.retrieval.hits import Match, ReadChunks

__all__ = ["DEPTH", "RERANK", "Reranker", "Score"]

RERANK: Final = "rerank"
"""Name of the reranking step, beside those of the legs, in time budgets and in `degraded`."""

DEPTH: Final = 50

Score = Callable[[str, Sequence[str]], npt.NDArray[np.float32]]
"""Takes a question and passages; returns one score per passage, float32 [n], higher is better. May raise."""


class Reranker:
    """Reranks matches; thread-safe if `score` is."""

    def __init__(self, score: Score, depth: int = DEPTH) -> None:
        """`depth`: number of matches that are scored, or the number wanted if that is more."""
        self._score = score
        self._depth = depth

    def ranked(self, question: str, matches: Sequence[Match], read: ReadChunks, wanted: int) -> list[Match]:
        """Return the scored matches by score, ties in the fusion's order, then the others.

        Leaves out scored matches whose chunk no longer exists. Raises what the model raises.
        """
        depth = max(self._depth, wanted)
        best, rest = matches[:depth], matches[depth:]
        chunks = read([match.ref for match in best])
        readable = [(match, chunk) for match, chunk in zip(best, chunks, strict=True) if chunk is not None]
        scores = self._score(question, [chunk.body for _, chunk in readable])
        scored = [
            replace(match, score=float(score)) for (match, _), score in zip(readable, scores, strict=True)
        ]
        return [*sorted(scored, key=lambda match: -match.score), *rest]
