"""Encoding by a client of the plane: texts are tokenised here and encoded by the pools' actors.

Input: a profile's embedding and sparse models and their pools. Output: one vector or row of term weights per
text, with the errors of texts and the cost. Imports no torch.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from gpu_actors.batches.micro_batches import MicroBatch
from gpu_actors.batches.token_budget import TokenBudget
from gpu_actors.profiles import Profile, find_model
from orchestration.errors import ConfigurationError, MedkgError
from orchestration.records import Float32Matrix, SparseMatrix

if TYPE_CHECKING:
    from gpu_actors.pools.pool import Pool
    from gpu_actors.pools.rows import RowsOutcome

__all__ = ["PlaneEncoder"]


class PlaneEncoder:
    """The dense and the sparse model behind their pools; thread-safe."""

    def __init__(
        self, profile: Profile, embedders: Pool[MicroBatch], sparse_encoders: Pool[MicroBatch] | None
    ) -> None:
        from gpu_actors.batches.tokens import TextTokenizer

        model = find_model(profile.embedding_model)
        self._embedders = embedders
        self._tokenizer = TextTokenizer(model.files, model.token_limit(profile.max_tokens))
        self._query_prompt = model.query_prompt
        self._sparse_off = profile.sparse_off
        self._sparse: tuple[TextTokenizer, Pool[MicroBatch]] | None = None
        if profile.sparse_model is not None and sparse_encoders is not None:
            sparse = find_model(profile.sparse_model)
            tokenizer = TextTokenizer(sparse.files, sparse.token_limit(profile.sparse_max_tokens))
            self._sparse = (tokenizer, sparse_encoders)
        self._budgets: dict[str, TokenBudget] = {}
        self._lock = threading.Lock()

    @property
    def has_sparse(self) -> bool:
        """Whether the profile has a sparse model."""
        return self._sparse is not None

    def batch_tokens(self) -> Mapping[str, int]:
        """Tokens of this client's micro-batches now, by leg, once it has encoded something."""
        with self._lock:
            return {leg: budget.tokens for leg, budget in self._budgets.items()}

    def as_query(self, text: str) -> str:
        """The text with the embedding model's prompt for queries."""
        return self._query_prompt + text

    def dense(
        self, texts: Sequence[str], timeout_seconds: float, lane: str | None = None
    ) -> tuple[Float32Matrix, RowsOutcome]:
        """Return unit vectors, float32 [n, d], zeros where a text failed, with errors by text and the cost.

        `lane`: as of rows.dense_rows. A text that is too long fails with EmbeddingInputTooLongError.
        """
        from gpu_actors.pools.rows import dense_rows

        token_ids = self._tokenizer.token_ids(texts)
        errors: dict[int, MedkgError] = {
            row: error for row, ids in enumerate(token_ids) if (error := self._tokenizer.too_long(ids))
        }
        rows = [row for row in range(len(texts)) if row not in errors]
        budget = self._budget("dense", self._embedders, timeout_seconds)
        fitting = [token_ids[row] for row in rows]
        vectors, outcome = dense_rows(self._embedders, fitting, budget, timeout_seconds, lane)
        if len(rows) == len(texts):
            return vectors, outcome
        dense = np.zeros((len(texts), vectors.shape[1]), dtype=np.float32)
        dense[rows] = vectors
        errors |= {rows[position]: error for position, error in outcome.errors.items()}
        return dense, replace(outcome, errors=errors)

    def sparse(
        self, texts: Sequence[str], timeout_seconds: float, lane: str | None = None
    ) -> tuple[SparseMatrix, RowsOutcome]:
        """Return term weights, CSR, no terms where a text failed, with errors by text and the cost.

        Texts longer than the model's limit are cut into pieces. Raises ConfigurationError without a model.
        """
        from gpu_actors.batches.pieces import cut
        from gpu_actors.pools.rows import sparse_rows

        if self._sparse is None:
            raise ConfigurationError(f"the plane has no sparse model: {self._sparse_off}.")
        tokenizer, pool = self._sparse
        pieces = [cut(ids, tokenizer.room) for ids in tokenizer.token_ids(texts)]
        return sparse_rows(pool, pieces, self._budget("sparse", pool, timeout_seconds), timeout_seconds, lane)

    def _budget(self, leg: str, pool: Pool[MicroBatch], timeout_seconds: float) -> TokenBudget:
        """This client's budget for a pool, which starts at the one that its replicas measured at load."""
        described = pool.described(timeout_seconds)
        with self._lock:
            return self._budgets.setdefault(leg, TokenBudget(int(described["batch_tokens"])))
