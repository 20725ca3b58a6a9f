"""HaystackReranker: a cross-encoder as a Haystack ranker.

Input: a query and Haystack documents. Output: the documents, best first, with the model's logit as `score`.
A content longer than the model's limit is scored in pieces, of which the best counts; nothing is truncated.
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
    """Ranks documents for a query, in length-sorted micro-batches of a token budget.

    Usage example:

        from haystack import Document
        from gpu_actors.components.reranker import HaystackReranker

        reranker = HaystackReranker(model="cross-encoder/ms-marco-MiniLM-L6-v2", top_k=1)
        documents = [Document(content="Metformin lowers glucose."), Document(content="Sleep is short.")]
        ranked = reranker.run(query="What lowers glucose?", documents=documents)["documents"]
        ranked[0].content, ranked[0].score
    """

    def __init__(self, profile: str = "cpu", model: str | None = None, top_k: int | None = None) -> None:
        """`model`: folder or hub id of a cross-encoder; `top_k`: number of documents returned, default all.

        Raises ConfigurationError without a model, or for a model that is not a cross-encoder.
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
        """The loaded model, for callers that have token ids."""
        self.warm_up()
        assert self._cross_encoder is not None
        return self._cross_encoder

    @component.output_types(documents=list[Document])
    def run(
        self, query: str, documents: list[Document], top_k: int | None = None
    ) -> dict[str, list[Document]]:
        """Return the documents by descending score, ties in input order."""
        scores = self.cross_encoder.score(query, [document.content or "" for document in documents])
        best = np.argsort(-scores, kind="stable")[: top_k or self._top_k]
        return {"documents": [replace(documents[place], score=float(scores[place])) for place in best]}
