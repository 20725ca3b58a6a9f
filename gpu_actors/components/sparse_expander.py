"""HaystackSparseExpander: the sparse encoder (SPLADE) as a Haystack document embedder.

Input: Haystack documents. Output: the same documents with `sparse_embedding` set: weights of vocabulary
terms, of those in the text and of related ones. A content longer than the model's limit is encoded in pieces,
of whose weights the largest count; nothing is truncated.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from haystack import Document, component, default_to_dict
from haystack.dataclasses import SparseEmbedding

from gpu_actors.encoders.splade import SpladeEncoder
from gpu_actors.health.gpu import preflight
from gpu_actors.profiles import chosen_profile
from orchestration.errors import ConfigurationError

__all__ = ["HaystackSparseExpander"]


@component
class HaystackSparseExpander:
    """Encodes documents with a profile's sparse model, in length-sorted micro-batches of a token budget.

    Usage example:

        from haystack import Document
        from gpu_actors.components.sparse_expander import HaystackSparseExpander

        encoder = HaystackSparseExpander(profile="cpu")
        documents = encoder.run(documents=[Document(content="Metformin lowers blood glucose.")])["documents"]
        documents[0].sparse_embedding.indices, documents[0].sparse_embedding.values
    """

    def __init__(self, profile: str = "cpu", model: str | None = None) -> None:
        """`model`: folder or hub id of a SPLADE model, default the profile's.

        Raises ConfigurationError when the profile has no sparse model.
        """
        self._profile = chosen_profile(profile, sparse_model=model)
        if self._profile.sparse_model is None:
            raise ConfigurationError(f"profile {profile} has no sparse model: {self._profile.sparse_off}.")
        self._encoder: SpladeEncoder | None = None
        self._parameters = {"profile": profile, "model": model}

    def to_dict(self) -> dict[str, Any]:
        """Serialise the component; loads nothing."""
        serialised: dict[str, Any] = default_to_dict(self, **self._parameters)
        return serialised

    def warm_up(self) -> None:
        """Load the model; `run` does it if this was not called. Raises GpuUnavailableError."""
        if self._encoder is None:
            preflight(self._profile)
            self._encoder = SpladeEncoder(self._profile)

    @property
    def encoder(self) -> SpladeEncoder:
        """The loaded model, for callers that have token ids."""
        self.warm_up()
        assert self._encoder is not None
        return self._encoder

    @component.output_types(documents=list[Document])
    def run(self, documents: list[Document]) -> dict[str, list[Document]]:
        """Return the documents in order, each with a sparse embedding, terms ascending."""
        rows = self.encoder.encode_sparse([document.content or "" for document in documents])
        encoded = []
        for number, document in enumerate(documents):
            terms, weights = rows.row(number)
            embedding = SparseEmbedding(terms.tolist(), weights.tolist())
            encoded.append(replace(document, sparse_embedding=embedding))
        return {"documents": encoded}
