"""Reranking: the best of a fusion scored again by a model that reads question and passage together.

Comes in: a ranking, and a way to score passages. Leaves: the best of it by those scores, and behind them the
rest as the fusion ranked it. What is compared is the question and a chunk's body, whole.
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
"""As it is named beside the legs: in time budgets, in `degraded`."""

DEPTH: Final = 50

Score = Callable[[str, Sequence[str]], npt.NDArray[np.float32]]
"""A question and passages to a score a passage, float32 [n]; higher is better. May raise."""


class Reranker:
    """Ranks matches anew; thread-safe if `score` is."""

    def __init__(self, score: Score, depth: int = DEPTH) -> None:
        """`depth`: matches that are scored, or as many as are wanted if that is more."""
        self._score = score
        self._depth = depth

    def ranked(self, question: str, matches: Sequence[Match], read: ReadChunks, wanted: int) -> list[Match]:
        """The matches, the scored ones first; ties in the fusion's order.

        Chunks that are gone are left out. Raises what the model raises.
        """
        depth = max(self._depth, wanted)
        best, rest = matches[:depth], matches[depth:]
        chunks = read([match.ref for match in best])
        held = [(match, chunk) for match, chunk in zip(best, chunks, strict=True) if chunk is not None]
        scores = self._score(question, [chunk.body for _, chunk in held])
        scored = [replace(match, score=float(score)) for (match, _), score in zip(held, scores, strict=True)]
        return [*sorted(scored, key=lambda match: -match.score), *rest]
