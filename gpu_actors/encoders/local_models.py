"""Models in this process, for a few texts: `medkg search` uses them when no plane runs, and reports it.

Input: a profile. Output: vectors of a few texts, scores of a few passages. Each model is loaded at its first
use.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from gpu_actors.health.gpu import preflight
from gpu_actors.profiles import Profile, find_model
from orchestration.contracts import EffectStatement, Outcome, ReadDirection, TaggedText, TextToTag
from orchestration.errors import ConfigurationError
from orchestration.records import Float32Matrix, SparseMatrix

if TYPE_CHECKING:
    from gpu_actors.encoders.cross_encoder import CrossEncoder
    from gpu_actors.encoders.dense_model import DenseModel
    from gpu_actors.encoders.splade import SpladeEncoder
    from gpu_actors.encoders.tagger import Tagger

__all__ = ["LocalModels"]


class LocalModels:
    """Vectors and scores without a plane; raises GpuUnavailableError for a profile without a usable GPU."""

    def __init__(self, profile: Profile) -> None:
        preflight(profile)
        self._profile = profile

    @cached_property
    def _embedder(self) -> DenseModel:
        from gpu_actors.encoders.dense import load_dense

        return load_dense(self._profile)

    @cached_property
    def _sparse_encoder(self) -> SpladeEncoder:
        from gpu_actors.encoders.splade import SpladeEncoder

        return SpladeEncoder(self._profile)

    @cached_property
    def _cross_encoder(self) -> CrossEncoder:
        from gpu_actors.encoders.cross_encoder import CrossEncoder

        return CrossEncoder(self._profile)

    @cached_property
    def _tagger(self) -> Tagger:
        from gpu_actors.encoders.tagger import Tagger

        return Tagger(self._profile)

    def warm_up(self, legs: Collection[str]) -> None:
        """Load the models of these legs now: `dense`, `sparse`, `rerank`."""
        if "dense" in legs:
            self.embed_texts(["warm up"])
        if "sparse" in legs and self._profile.sparse_model is not None:
            self.encode_sparse_queries(["warm up"])
        if "rerank" in legs and self._profile.rerank_model is not None:
            self.rerank("warm up", ["warm up"])

    def close(self) -> None:
        """Free the models and end a vLLM server; a later call loads them again. Idempotent."""
        loaded = vars(self)
        if (embedder := loaded.pop("_embedder", None)) is not None:
            embedder.close()
        loaded.pop("_sparse_encoder", None)
        loaded.pop("_cross_encoder", None)
        loaded.pop("_tagger", None)

    def embed_texts(self, texts: Sequence[str]) -> Float32Matrix:
        """Return unit vectors of texts, float32 [n, d]; raises EmbeddingInputTooLongError."""
        return self._embedder.embed(texts)

    def embed_queries(self, texts: Sequence[str]) -> Float32Matrix:
        """The same with the model's query prompt before each text."""
        prompt = find_model(self._profile.embedding_model).query_prompt
        return self.embed_texts([prompt + text for text in texts])

    def encode_sparse_texts(self, texts: Sequence[str]) -> SparseMatrix:
        """Return term weights of texts, CSR [n, vocabulary]."""
        return self._sparse_encoder.encode_sparse(texts)

    def encode_sparse_queries(self, texts: Sequence[str]) -> SparseMatrix:
        """Return term weights of queries, CSR [n, vocabulary]."""
        return self._sparse_encoder.encode_sparse(texts)

    def rerank(self, question: str, passages: Sequence[str]) -> npt.NDArray[np.float32]:
        """Return one score per passage, float32 [n], in order."""
        return self._cross_encoder.score(question, passages)

    def tag(self, texts: Sequence[TextToTag], timeout_seconds: float) -> Sequence[Outcome[TaggedText]]:
        """Return texts with their mentions, in order; there is no time-out in one's own process."""
        if self._profile.extraction_model is None:
            raise ConfigurationError("there is no extraction model: MEDKG_EXTRACTION_MODEL is none.")
        return self._tagger.tag(texts)

    @property
    def reads_directions(self) -> bool:
        """Whether the extraction model reads directions."""
        return self._profile.extraction_model is not None and self._tagger.reads_directions

    def directions(
        self, statements: Sequence[EffectStatement], timeout_seconds: float
    ) -> Sequence[Outcome[ReadDirection]]:
        """Return what the evidence of each statement says; there is no time-out in one's own process."""
        if self._profile.extraction_model is None:
            raise ConfigurationError("there is no extraction model: MEDKG_EXTRACTION_MODEL is none.")
        return self._tagger.directions(statements)
