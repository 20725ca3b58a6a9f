"""Reranking by a client of the plane: pairs are tokenised here and scored by the pool's actors.

Input: a profile's rerank model and its pool. Output: one score per passage. Imports no torch.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from gpu_actors.batches.micro_batches import MicroBatch
from gpu_actors.batches.token_budget import TokenBudget
from gpu_actors.profiles import Model, Profile, find_model
from orchestration.errors import StageFailedError

if TYPE_CHECKING:
    from gpu_actors.pools.pool import Pool

__all__ = ["PlaneReranker", "rerank_model_id", "reranker_of"]


def rerank_model_id(profile: Profile) -> str | None:
    """Return the cross-encoder's id; it changes no index entry, so it is part of no fingerprint."""
    return None if profile.rerank_model is None else find_model(profile.rerank_model).model_id


def reranker_of(profile: Profile, pool: Pool[MicroBatch] | None) -> PlaneReranker | None:
    """Return the profile's reranker; None if it has no rerank model."""
    if profile.rerank_model is None or pool is None:
        return None
    return PlaneReranker(find_model(profile.rerank_model), profile.rerank_max_tokens, pool)


class PlaneReranker:
    """A cross-encoder behind a pool; thread-safe."""

    def __init__(self, model: Model, max_tokens: int, pool: Pool[MicroBatch]) -> None:
        from gpu_actors.batches.pairs import PairTokenizer

        self.model_id = model.model_id
        self._pairs = PairTokenizer(model.files, model.token_limit(max_tokens))
        self._pool = pool
        self._budget: TokenBudget | None = None

    def score(
        self, question: str, passages: Sequence[str], timeout_seconds: float
    ) -> npt.NDArray[np.float32]:
        """Return one score per passage, in order; raises the first error, StageFailedError for NaN.

        Micro-batches use every lane, since this pool has no other work.
        """
        from gpu_actors.batches.pairs import best_pieces
        from gpu_actors.pools.rows import dense_rows

        pieces = self._pairs.rows(question, passages)
        rows = [row for of_passage in pieces for row in of_passage]
        if self._budget is None:
            self._budget = TokenBudget(int(self._pool.described(timeout_seconds)["batch_tokens"]))
        scores, outcome = dense_rows(self._pool, rows, self._budget, timeout_seconds)
        for error in outcome.errors.values():
            raise error
        if not np.isfinite(scores).all():
            raise StageFailedError(
                f"{self.model_id} returns scores that are not finite. Choose another model."
            )
        return best_pieces(scores[:, 0], list(map(len, pieces)))
