"""HaystackEmbedder: the encoder as a Haystack document embedder, in the plane's actors and any pipeline.

Comes in: Haystack documents; on the plane's hot path, token ids. Leaves: the same documents with `embedding`
set; unit vectors. Over-long contents are an error that says so, never a truncated vector.
"""

from __future__ import annotations

from dataclasses import replace

from haystack import Document, component

from gpu_actors.encoder import Encoder
from gpu_actors.gpu import preflight
from gpu_actors.profiles import chosen_profile

__all__ = ["HaystackEmbedder"]


@component
class HaystackEmbedder:
    """Embeds documents with a profile's model, in length-sorted micro-batches of a token budget."""

    def __init__(self, profile: str = "cpu", model: str | None = None) -> None:
        """`model`: another sentence-transformers folder or hub id than the profile's."""
        self._profile = chosen_profile(profile, model)
        self._encoder: Encoder | None = None

    def warm_up(self) -> None:
        """Load the model; `run` does it if this was not called. Raises GpuUnavailableError."""
        if self._encoder is None:
            preflight(self._profile)
            self._encoder = Encoder(self._profile)

    @property
    def encoder(self) -> Encoder:
        """The loaded model, for callers that have token ids already."""
        self.warm_up()
        assert self._encoder is not None
        return self._encoder

    @component.output_types(documents=list[Document])
    def run(self, documents: list[Document]) -> dict[str, list[Document]]:
        """The documents in order, each with a unit vector; raises EmbeddingInputTooLongError."""
        vectors = self.encoder.embed([document.content or "" for document in documents])
        embedded = [
            replace(document, embedding=vector.tolist())
            for document, vector in zip(documents, vectors, strict=True)
        ]
        return {"documents": embedded}
