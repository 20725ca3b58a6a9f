"""HaystackEmbedder: the encoder as a Haystack document embedder, usable in any Haystack pipeline.

Comes in: Haystack documents. Leaves: the same documents with `embedding` set. Over-long contents are an
error that says so, never a truncated vector.
"""

from __future__ import annotations

from dataclasses import replace

from haystack import Document, component

from gpu_actors.batching import cut_micro_batches
from gpu_actors.encoder import Encoder
from gpu_actors.profiles import Profile, find_model, get_profile
from gpu_actors.tokens import TextTokenizer

__all__ = ["HaystackEmbedder"]


@component
class HaystackEmbedder:
    """Embeds documents with a profile's model, in length-sorted batches of a token budget."""

    def __init__(self, profile: str = "cpu", model: str | None = None) -> None:
        """`model`: another sentence-transformers folder or hub id than the profile's."""
        chosen: Profile = get_profile(profile)
        self._profile = chosen.model_copy(update={"embedding_model": model}) if model else chosen
        self._encoder: Encoder | None = None

    def warm_up(self) -> None:
        """Load the model; `run` does it if this was not called."""
        if self._encoder is None:
            self._encoder = Encoder(self._profile)

    @property
    def encoder(self) -> Encoder:
        """The loaded model."""
        self.warm_up()
        assert self._encoder is not None
        return self._encoder

    @component.output_types(documents=list[Document])
    def run(self, documents: list[Document]) -> dict[str, list[Document]]:
        """The documents in order, each with a unit vector; raises EmbeddingInputTooLongError."""
        location = find_model(self._profile.embedding_model).location
        tokenizer = TextTokenizer(location, self._profile.max_tokens)
        token_ids = tokenizer.token_ids([document.content or "" for document in documents])
        for ids in token_ids:
            if error := tokenizer.too_long(ids):
                raise error
        embedded = list(documents)
        for batch in cut_micro_batches(token_ids, self._profile.batch_tokens):
            vectors = self.encoder.encode(batch.token_ids)
            for position, vector in zip(batch.positions, vectors, strict=True):
                embedded[position] = replace(documents[position], embedding=vector.tolist())
        return {"documents": embedded}
