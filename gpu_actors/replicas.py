"""What runs inside the actors: one embedder or chunker each, and what every call cost.

Comes in: a micro-batch. Leaves: its results with the CPU seconds and wall seconds of the call. Heavy imports
happen here, in the actor's process. `health` is answered beside the work, never behind it.
"""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from typing import Any

from gpu_actors.batching import TokenIds
from gpu_actors.gpu import preflight
from gpu_actors.profiles import Profile
from orchestration.errors import MedkgError, StageFailedError
from orchestration.records import Chunk, Document, Float32Matrix

__all__ = ["ChunkerReplica", "Cost", "EmbedderReplica"]

Cost = tuple[float, float]
"""(CPU seconds of the calling thread, wall seconds) of a call; on a CPU a call computes in one thread."""


class EmbedderReplica:
    """A loaded HaystackEmbedder in an actor; `lanes` calls compute at once."""

    def __init__(self, profile: Profile) -> None:
        started = time.perf_counter()
        from gpu_actors.embedder import HaystackEmbedder

        embedder = HaystackEmbedder(profile.name, profile.embedding_model)
        embedder.warm_up()
        self._profile = profile
        self._encoder = embedder.encoder
        self._dimensions = self.encode(*self._encoder.probe)[0].shape[1]
        self._load_seconds = time.perf_counter() - started

    def encode(self, token_ids: TokenIds, lengths: Sequence[int]) -> tuple[Float32Matrix, Cost]:
        """Unit vectors, float32 [n, d], in order. MemoryError when the device's memory does not suffice."""
        clock = _Clock()
        try:
            vectors = self._encoder.encode(token_ids, lengths)
        except RuntimeError as error:
            if "out of memory" in str(error) or "allocate memory" in str(error):
                raise MemoryError(str(error)) from error
            raise
        return vectors, clock.cost()

    def health(self) -> dict[str, Any]:
        """What it is and how its device feels, for dispatch, status and doctor."""
        encoder = self._encoder
        return {
            "pid": os.getpid(),
            "lanes": encoder.lanes,
            "dimensions": self._dimensions,
            "model_id": encoder.model_id,
            "dtype": encoder.dtype,
            "device": encoder.device,
            "load_seconds": round(self._load_seconds, 2),
            "devices": preflight(self._profile),
        }


class ChunkerReplica:
    """A HaystackChunker in an actor."""

    def __init__(self, profile: Profile) -> None:
        started = time.perf_counter()
        from gpu_actors.chunker import HaystackChunker

        self._chunker = HaystackChunker(profile=profile.name, model=profile.embedding_model).chunker
        self._load_seconds = time.perf_counter() - started

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
        """What it is, for dispatch, status and doctor."""
        return {"pid": os.getpid(), "lanes": 1, "load_seconds": round(self._load_seconds, 2)}


class _Clock:
    """CPU and wall seconds since it was made."""

    def __init__(self) -> None:
        self._cpu = time.thread_time()
        self._wall = time.perf_counter()

    def cost(self) -> Cost:
        return time.thread_time() - self._cpu, time.perf_counter() - self._wall
