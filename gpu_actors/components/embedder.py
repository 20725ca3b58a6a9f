"""HaystackEmbedder: the encoder as a Haystack document embedder, in the plane's actors and any pipeline.

Comes in: Haystack documents; on the plane's hot path, token ids. Leaves: the same documents with `embedding`
set; unit vectors. Over-long contents are an error that says so, never a truncated vector.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Literal

from haystack import Document, component, default_to_dict

from gpu_actors.encoders.dense import load_dense
from gpu_actors.encoders.dense_model import DenseModel
from gpu_actors.health.gpu import preflight
from gpu_actors.profiles import NO_MODEL, chosen_profile

__all__ = ["HaystackEmbedder"]


@component
class HaystackEmbedder:
    """Embeds documents with a profile's model, in length-sorted micro-batches of a token budget."""

    def __init__(
        self,
        profile: str = "cpu",
        model: str | None = None,
        engine: Literal["torch", "vllm"] | None = None,
        vllm_command: str | None = None,
        dimensions: int | None = None,
    ) -> None:
        """`model`: another sentence-transformers folder or hub id than the profile's; `engine` likewise.

        `dimensions`: how many of a Matryoshka model's vectors are kept.
        """
        self._profile = chosen_profile(profile, model, NO_MODEL, engine, vllm_command, dimensions=dimensions)
        self._model: DenseModel | None = None
        self._parameters = {
            "profile": profile,
            "model": model,
            "engine": engine,
            "vllm_command": vllm_command,
            "dimensions": dimensions,
        }

    def to_dict(self) -> dict[str, Any]:
        """The component as Haystack keeps it; loads nothing."""
        kept: dict[str, Any] = default_to_dict(self, **self._parameters)
        return kept

    def warm_up(self) -> None:
        """Load the model; `run` does it if this was not called. Raises GpuUnavailableError."""
        if self._model is None:
            preflight(self._profile)
            self._model = load_dense(self._profile)

    @property
    def model(self) -> DenseModel:
        """The loaded model, for callers that have token ids already."""
        self.warm_up()
        assert self._model is not None
        return self._model

    @component.output_types(documents=list[Document])
    def run(self, documents: list[Document]) -> dict[str, list[Document]]:
        """The documents in order, each with a unit vector; raises EmbeddingInputTooLongError."""
        vectors = self.model.embed([document.content or "" for document in documents])
        embedded = [
            replace(document, embedding=vector.tolist())
            for document, vector in zip(documents, vectors, strict=True)
        ]
        return {"documents": embedded}
