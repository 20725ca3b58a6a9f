"""HaystackReranker: a cross-encoder as a Haystack ranker, in the plane's actors and any pipeline.

Comes in: a query and Haystack documents; on the plane's hot path, token ids. Leaves: the documents, best
first, with the model's logit as `score`. A content longer than the model takes is scored in pieces, of which
the best counts; nothing is cut off.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from haystack import Document, component

from gpu_actors.encoders.cross_encoder import CrossEncoder
from gpu_actors.health.gpu import preflight
from gpu_actors.profiles import chosen_profile
from orchestration.errors import ConfigurationError

__all__ = ["HaystackReranker"]


@component
class HaystackReranker:
    """Ranks documents for a query, in length-sorted micro-batches of a token budget."""

    def __init__(self, profile: str = "cpu", model: str | None = None, top_k: int | None = None) -> None:
        """`model`: folder or hub id of a cross-encoder; `top_k`: how many documents are given, default all.

        Raises ConfigurationError without a model, or for one that is no cross-encoder.
        """
        self._profile = chosen_profile(profile, rerank_model=model)
        if self._profile.rerank_model is None:
            raise ConfigurationError("there is no rerank model; name a cross-encoder's folder or hub id.")
        self._top_k = top_k
        self._cross_encoder: CrossEncoder | None = None

    def warm_up(self) -> None:
        """Load the model; `run` does it if this was not called. Raises GpuUnavailableError."""
        if self._cross_encoder is None:
            preflight(self._profile)
            self._cross_encoder = CrossEncoder(self._profile)

    @property
    def cross_encoder(self) -> CrossEncoder:
        """The loaded model, for callers that have token ids already."""
        self.warm_up()
        assert self._cross_encoder is not None
        return self._cross_encoder

    @component.output_types(documents=list[Document])
    def run(
        self, query: str, documents: list[Document], top_k: int | None = None
    ) -> dict[str, list[Document]]:
        """The documents by score, ties in the order in which they came."""
        scores = self.cross_encoder.score(query, [document.content or "" for document in documents])
        best = np.argsort(-scores, kind="stable")[: top_k or self._top_k]
        return {"documents": [replace(documents[place], score=float(scores[place])) for place in best]}
