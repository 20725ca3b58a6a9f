"""HaystackEmbedder: the dense model as a Haystack document embedder.

Input: Haystack documents. Output: the same documents with `embedding` set to unit vectors. A content longer
than the model's limit raises an error; nothing is truncated.
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
    """Embeds documents with a profile's model, in length-sorted micro-batches of a token budget.

    Usage example:

        from haystack import Document
        from gpu_actors.components.embedder import HaystackEmbedder

        embedder = HaystackEmbedder(profile="cpu")
        embedder.warm_up()
        documents = embedder.run(documents=[Document(content="Metformin lowers blood glucose.")])["documents"]
        documents[0].embedding  # 384 floats, unit length
    """

    def __init__(
        self,
        profile: str = "cpu",
        model: str | None = None,
        engine: Literal["torch", "vllm"] | None = None,
        vllm_command: str | None = None,
        dimensions: int | None = None,
    ) -> None:
        """`model`: sentence-transformers folder or hub id, default the profile's; `engine` likewise.

        `dimensions`: number of leading dimensions kept of a Matryoshka model's vectors; default all.
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
        """Serialise the component; loads nothing."""
        serialised: dict[str, Any] = default_to_dict(self, **self._parameters)
        return serialised

    def warm_up(self) -> None:
        """Load the model; `run` does it if this was not called. Raises GpuUnavailableError."""
        if self._model is None:
            preflight(self._profile)
            self._model = load_dense(self._profile)

    @property
    def model(self) -> DenseModel:
        """The loaded model, for callers that have token ids."""
        self.warm_up()
        assert self._model is not None
        return self._model

    @component.output_types(documents=list[Document])
    def run(self, documents: list[Document]) -> dict[str, list[Document]]:
        """Return the documents in order, each with a unit vector; raises EmbeddingInputTooLongError."""
        vectors = self.model.embed([document.content or "" for document in documents])
        embedded = [
            replace(document, embedding=vector.tolist())
            for document, vector in zip(documents, vectors, strict=True)
        ]
        return {"documents": embedded}
