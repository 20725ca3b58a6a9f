"""DenseModel: the interface and the common code of both dense engines.

Input: token ids with special tokens, one micro-batch at a time; or texts. Output: unit vectors, float32
[n, d]. torch_encoder.py and vllm_encoder.py implement it; dense.py selects one of them. Nothing is truncated:
a text that is too long raises an error.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence

import numpy as np

from gpu_actors.batches.micro_batches import vectors_in_process
from gpu_actors.batches.token_budget import TokenIds
from gpu_actors.batches.tokens import TextTokenizer
from gpu_actors.profiles import Profile, dense_model_id, find_model
from orchestration.errors import ConfigurationError
from orchestration.records import Float32Matrix

__all__ = ["DenseModel"]


class DenseModel(ABC):
    """A loaded model. `lanes` threads may call `encode` at the same time."""

    lanes: int
    """Calls that it computes at the same time."""
    dtype: str
    width: int
    """Dimensions of a vector."""
    sample: TokenIds | None = None
    """A row for the probe of the token budget; None if the engine forms batches itself."""

    def __init__(self, profile: Profile) -> None:
        model = find_model(profile.embedding_model)
        self.model_id = dense_model_id(profile)
        self._dimensions = profile.dimensions
        self.device = profile.device
        self._batch_tokens = profile.batch_tokens
        self._tokenizer = TextTokenizer(model.files, model.token_limit(profile.max_tokens))

    def encode(self, token_ids: TokenIds, lengths: Sequence[int]) -> Float32Matrix:
        """Return unit vectors, float32 [n, d], of rows given end to end, int32 [sum(lengths)].

        Of a Matryoshka model the leading dimensions, normalised again (arXiv:2205.13147).
        """
        vectors = self._pooled(token_ids, lengths)[:, : self._dimensions]
        unit: Float32Matrix = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
        return unit

    @abstractmethod
    def _pooled(self, token_ids: TokenIds, lengths: Sequence[int]) -> Float32Matrix:
        """The model's own vectors, float32 [n, its width] of any length, of rows given end to end."""

    def _probed(self, token_ids: TokenIds, lengths: Sequence[int]) -> int:
        """Dimensions of a vector; raises ConfigurationError if the profile wants more than the model has."""
        width = self._pooled(token_ids, lengths).shape[1]
        if self._dimensions is not None and self._dimensions > width:
            raise ConfigurationError(
                f"{self.model_id}: the model's vectors have {width} dimensions, and {self._dimensions} were "
                "asked for. Set MEDKG_EMBEDDING_DIMENSIONS lower, or leave it out."
            )
        return self._dimensions or width

    def embed(self, texts: Sequence[str]) -> Float32Matrix:
        """Return unit vectors of texts, float32 [n, d], in order; raises EmbeddingInputTooLongError."""
        rows = self._tokenizer.token_ids(texts)
        for error in filter(None, map(self._tokenizer.too_long, rows)):
            raise error
        return vectors_in_process(rows, self.width, self._batch_tokens, self.lanes, self.encode)

    def watch(self, on_death: Callable[[str], None]) -> None:
        """Call `on_death` with the reason if a process that this model needs ends."""
        return

    def cpu_seconds_elsewhere(self) -> float:
        """Return the CPU seconds that other processes spent on this model since the previous call."""
        return 0.0

    def close(self) -> None:
        """End the processes that this model started."""
        return
