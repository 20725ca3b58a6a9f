"""What runs inside the actors: one embedder, expander, reranker or chunker each, and what every call cost.

Comes in: a micro-batch. Leaves: its results with the CPU seconds and wall seconds of the call. Heavy imports
happen here, in the actor's process. `health` is answered beside the work, never behind it.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar

from gpu_actors.batches.token_budget import TokenIds, probed_budget
from gpu_actors.health.gpu import Watch, visible_gpus
from gpu_actors.health.metrics import micro_batch, readings
from gpu_actors.profiles import Profile
from orchestration.errors import GpuUnavailableError, MedkgError, StageFailedError
from orchestration.records import Chunk, Document, Float32Matrix, SparseMatrix

if TYPE_CHECKING:
    from gpu_actors.encoders.cross_encoder import CrossEncoder
    from gpu_actors.encoders.dense_model import DenseModel
    from gpu_actors.encoders.splade import SpladeEncoder

__all__ = ["ChunkerReplica", "Cost", "EmbedderReplica", "ExpanderReplica", "RerankerReplica", "ToCut"]

Encoded: TypeAlias = Float32Matrix | SparseMatrix

ToCut: TypeAlias = tuple[Document, str, Float32Matrix | None]
"""A document, its chunk profile, and the vectors of its sentence groups where that is semantic."""

T = TypeVar("T")

Cost = tuple[float, float]
"""(CPU seconds of the calling thread, wall seconds) of a call; on a CPU a call computes in one thread."""


class _ModelReplica:
    """A loaded model in an actor; `lanes` calls compute at once."""

    def __init__(
        self,
        kind: str,
        profile: Profile,
        make: Callable[[Profile], DenseModel | SpladeEncoder | CrossEncoder],
    ) -> None:
        started = time.perf_counter()
        self._encoder = make(profile)
        self._name = f"{kind} {self._encoder.model_id}"
        self._watch: Watch | None = None
        if profile.device == "cuda":
            self._watch = Watch(on_readings=partial(readings, self._name))
        self._width = self._encoder.width
        sample = self._encoder.sample
        most = profile.batch_tokens
        self._batch_tokens = probed_budget(self._encode, most, sample) if sample is not None else most
        self._load_seconds = time.perf_counter() - started

    def __repr__(self) -> str:
        """Its name on the Ray dashboard and in Ray's logs."""
        return self._name

    def encode(self, token_ids: TokenIds, lengths: Sequence[int], sent_at: float) -> tuple[Encoded, Cost]:
        """The rows' vectors, in order; `sent_at`: seconds since the epoch, at the client.

        MemoryError when the device's memory does not suffice, GpuUnavailableError when the device is sick.
        """
        wait_seconds = time.time() - sent_at
        if self._watch is not None and self._watch.fault is not None:
            raise GpuUnavailableError(f"{self._watch.fault}.")
        clock = _Clock()
        vectors = self._encode(token_ids, lengths)
        cpu_seconds, seconds = clock.cost()
        micro_batch(self._name, len(token_ids), wait_seconds, seconds)
        return vectors, (cpu_seconds + self._elsewhere(), seconds)

    def _encode(self, token_ids: TokenIds, lengths: Sequence[int]) -> Encoded:
        try:
            return self._encoder.encode(token_ids, lengths)
        except RuntimeError as error:
            if "out of memory" in str(error) or "allocate memory" in str(error):
                raise MemoryError(str(error)) from error
            raise

    def _elsewhere(self) -> float:
        """CPU seconds that other processes spent on the model since this was last asked."""
        return 0.0

    def health(self) -> dict[str, Any]:
        """What it is and how its device feels, for dispatch, status and doctor."""
        encoder = self._encoder
        return {
            "pid": os.getpid(),
            "lanes": encoder.lanes,
            "batch_tokens": self._batch_tokens,
            "width": self._width,
            "model_id": encoder.model_id,
            "dtype": encoder.dtype,
            "device": encoder.device,
            "load_seconds": round(self._load_seconds, 2),
            "fault": self._watch.fault if self._watch is not None else None,
            "devices": [gpu.model_dump() for gpu in visible_gpus()] if self._watch is not None else [],
        }


def _end(reason: str) -> None:
    """End this actor's process, which Ray starts again; the reason goes to its log."""
    print(reason, file=sys.stderr, flush=True)  # noqa: T201 - Ray keeps an actor's stderr as its log
    os._exit(1)


class EmbedderReplica(_ModelReplica):
    """A loaded HaystackEmbedder: unit vectors, float32 [n, d]."""

    def __init__(self, profile: Profile) -> None:
        from gpu_actors.components.embedder import HaystackEmbedder

        def make(profile: Profile) -> DenseModel:
            chosen = profile.embedding_model, profile.engine, profile.vllm_command, profile.dimensions
            self._dense = HaystackEmbedder(profile.name, *chosen).model
            self._dense.watch(_end)
            return self._dense

        super().__init__("embedder", profile, make)

    def _elsewhere(self) -> float:
        return self._dense.spent_elsewhere()


class ExpanderReplica(_ModelReplica):
    """A loaded HaystackSparseExpander: term weights, CSR [n, vocabulary]."""

    def __init__(self, profile: Profile) -> None:
        from gpu_actors.components.sparse_expander import HaystackSparseExpander

        def make(profile: Profile) -> SpladeEncoder:
            return HaystackSparseExpander(profile.name, profile.sparse_model).encoder

        super().__init__("expander", profile, make)


class RerankerReplica(_ModelReplica):
    """A loaded HaystackReranker: scores, float32 [n, 1]."""

    def __init__(self, profile: Profile) -> None:
        from gpu_actors.components.reranker import HaystackReranker

        def make(profile: Profile) -> CrossEncoder:
            return HaystackReranker(profile.name, profile.rerank_model).cross_encoder

        super().__init__("reranker", profile, make)


class ChunkerReplica:
    """A HaystackChunker in an actor."""

    def __init__(self, profile: Profile) -> None:
        started = time.perf_counter()
        from gpu_actors.components.chunker import HaystackChunker

        self._chunker = HaystackChunker(profile=profile.name, model=profile.embedding_model).chunker
        self._load_seconds = time.perf_counter() - started

    def __repr__(self) -> str:
        return "chunker"

    def sentence_groups(self, documents: Sequence[ToCut]) -> tuple[list[list[str] | MedkgError], Cost]:
        """The texts whose vectors semantic profiles want, one outcome a document, in order."""
        clock = _Clock()
        found = [
            self._one(document, partial(self._chunker.sentence_groups, document, chunk_profile))
            for document, chunk_profile, _ in documents
        ]
        return found, clock.cost()

    def chunk(self, documents: Sequence[ToCut]) -> tuple[list[list[Chunk] | MedkgError], Cost]:
        """One outcome a document, in order."""
        clock = _Clock()
        chunks = [
            self._one(document, partial(self._chunker.chunk, document, chunk_profile, vectors))
            for document, chunk_profile, vectors in documents
        ]
        return chunks, clock.cost()

    def _one(self, document: Document, cut: Callable[[], list[T]]) -> list[T] | MedkgError:
        try:
            return cut()
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
