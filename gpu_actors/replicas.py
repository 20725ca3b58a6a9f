"""What runs inside the actors: one embedder or chunker each, and what every call cost.

Comes in: a micro-batch. Leaves: its results with the CPU seconds and the seconds of the call. Heavy imports
happen here, in the actor's process.
"""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from typing import Any

from gpu_actors.gpu import preflight
from gpu_actors.profiles import Profile, find_model
from orchestration.errors import MedkgError, StageFailedError
from orchestration.records import Chunk, Document, Float32Matrix

__all__ = ["ChunkerReplica", "Cost", "EmbedderReplica"]

Cost = tuple[float, float]
"""(CPU seconds of the actor's process, wall seconds) of a call."""


class EmbedderReplica:
    """A loaded HaystackEmbedder in an actor."""

    def __init__(self, profile: Profile) -> None:
        preflight(profile)
        from gpu_actors.embedder import HaystackEmbedder

        self._embedder = HaystackEmbedder(profile.name, profile.embedding_model)
        self._embedder.warm_up()

    def encode(self, token_ids: Sequence[Sequence[int]]) -> tuple[Float32Matrix, Cost]:
        """Unit vectors, float32 [n, d], in order. MemoryError when the device's memory does not suffice."""
        clock = _Clock()
        try:
            vectors = self._embedder.encoder.encode(token_ids)
        except RuntimeError as error:
            if "out of memory" in str(error) or "allocate memory" in str(error):
                raise MemoryError(str(error)) from error
            raise
        return vectors, clock.cost()

    def health(self) -> dict[str, Any]:
        """What it is, for status and doctor."""
        encoder = self._embedder.encoder
        return {"pid": os.getpid(), "model_id": encoder.model_id, "dtype": encoder.dtype}


class ChunkerReplica:
    """A HaystackChunker's cutter in an actor."""

    def __init__(self, profile: Profile) -> None:
        from gpu_actors.chunker import DocumentChunker

        location = find_model(profile.embedding_model).location
        self._chunker = DocumentChunker(location, profile.max_tokens)

    def chunk(self, documents: Sequence[tuple[Document, str]]) -> tuple[list[list[Chunk] | MedkgError], Cost]:
        """One outcome a (document, chunk profile), in order."""
        clock = _Clock()
        return [self._one(document, profile) for document, profile in documents], clock.cost()

    def _one(self, document: Document, chunk_profile: str) -> list[Chunk] | MedkgError:
        try:
            return self._chunker.chunk(document, chunk_profile)
        except MedkgError as error:
            return error
        except Exception as error:  # noqa: BLE001 - one document's trouble must not be the batch's
            return StageFailedError(
                f"{document.doc_id}: the chunker raised {type(error).__name__}: {error}. Please report it."
            )

    def health(self) -> dict[str, Any]:
        """What it is, for status and doctor."""
        return {"pid": os.getpid()}


class _Clock:
    """CPU and wall seconds since it was made."""

    def __init__(self) -> None:
        self._cpu = time.process_time()
        self._wall = time.perf_counter()

    def cost(self) -> Cost:
        return time.process_time() - self._cpu, time.perf_counter() - self._wall
