"""The classes that run inside the actors: one model or chunker each, and the cost of every call.

Input: a micro-batch. Output: its results with the CPU seconds and wall seconds of the call. Each class loads
its model itself; torch is imported in the actor's process only. `health` has its own concurrency group, so it
never waits for a micro-batch.
"""

from __future__ import annotations

import gc
import os
import sys
import time
from abc import abstractmethod
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar

from gpu_actors.batches.token_budget import TokenIds, probed_budget
from gpu_actors.encoders.tagged_rows import TaggedRows
from gpu_actors.health.gpu import Watch, preflight, visible_gpus
from gpu_actors.health.metrics import micro_batch, readings
from gpu_actors.profiles import Profile, find_model
from orchestration.errors import GpuUnavailableError, MedkgError, StageFailedError
from orchestration.records import Chunk, Document, Float32Matrix, SparseMatrix
from orchestration.tracing import Attributes, Span, configure_tracing, continued, flush, is_tracing, span

if TYPE_CHECKING:
    from gpu_actors.encoders.cross_encoder import CrossEncoder
    from gpu_actors.encoders.dense_model import DenseModel
    from gpu_actors.encoders.splade import SpladeEncoder
    from gpu_actors.encoders.tagger import Tagger

__all__ = [
    "ChunkerReplica",
    "Cost",
    "DocumentToChunk",
    "EmbedderReplica",
    "ExtractorReplica",
    "RerankerReplica",
    "SparseEncoderReplica",
]

Encoded: TypeAlias = Float32Matrix | SparseMatrix | TaggedRows

DocumentToChunk: TypeAlias = tuple[Document, str, Float32Matrix | None]
"""A document, its chunk profile, and the vectors of its sentence groups where the profile is semantic."""

T = TypeVar("T")

Cost = tuple[float, float]
"""(CPU seconds of the calling thread, wall seconds) of a call; on a CPU a call computes in one thread."""


class _ModelReplica:
    """A loaded model in an actor; `lanes` calls compute at the same time."""

    kind: str
    """First word of its name on the dashboard and in metrics."""

    def __init__(self, profile: Profile) -> None:
        started = time.perf_counter()
        configure_tracing("plane")
        preflight(profile)
        with _collection_paused():
            self._encoder = self._load(profile)
        self._name = f"{self.kind} {self._encoder.model_id}"
        self._watch: Watch | None = None
        if profile.device == "cuda":
            self._watch = Watch(on_readings=partial(readings, self._name))
        self._width = self._encoder.width
        sample, most = self._encoder.sample, profile.batch_tokens
        self._batch_tokens = (
            probed_budget(self._encode, most, sample, profile.device) if sample is not None else most
        )
        self._load_seconds = time.perf_counter() - started

    def __repr__(self) -> str:
        """Name on the Ray dashboard and in Ray's logs."""
        return self._name

    @abstractmethod
    def _load(self, profile: Profile) -> DenseModel | SpladeEncoder | CrossEncoder | Tagger:
        """Load the profile's model; raises ConfigurationError or PlaneUnavailableError."""

    def encode(
        self, token_ids: TokenIds, lengths: Sequence[int], sent_at: float, traceparent: str = ""
    ) -> tuple[Encoded, Cost]:
        """Return the rows' vectors, in order; `sent_at`: seconds since the epoch, by the client's clock.

        `traceparent`: the client's trace context, which this call's span goes on in.

        Raises MemoryError when the device's memory does not suffice, and GpuUnavailableError when the device
        has a fault.
        """
        wait_seconds = time.time() - sent_at
        if self._watch is not None and self._watch.fault is not None:
            raise GpuUnavailableError(f"{self._watch.fault}.")
        clock = _Clock()
        with continued(traceparent), span("micro-batch", self._described(lengths), kind="server") as batch:
            vectors = self._encode(token_ids, lengths)
            batch.set({"medkg.wait_seconds": max(0.0, wait_seconds)})
        cpu_seconds, seconds = clock.cost()
        micro_batch(self._name, len(token_ids), wait_seconds, seconds)
        return vectors, (cpu_seconds + self._cpu_seconds_elsewhere(), seconds)

    def _described(self, lengths: Sequence[int]) -> Attributes:
        """Attributes of a micro-batch's span."""
        if not is_tracing():
            return {}
        tokens = sum(lengths)
        return {
            "medkg.pool": self.kind,
            "gen_ai.operation.name": "embeddings" if self.kind != "extractor" else "extraction",
            "gen_ai.request.model": self._encoder.model_id,
            "gen_ai.usage.input_tokens": tokens,
            "medkg.rows": len(lengths),
            "medkg.padding_tokens": len(lengths) * max(lengths, default=0) - tokens,
        }

    def flush_traces(self) -> None:
        """Send the spans that have ended."""
        flush()

    def _encode(self, token_ids: TokenIds, lengths: Sequence[int]) -> Encoded:
        try:
            return self._encoder.encode(token_ids, lengths)
        except RuntimeError as error:
            if "out of memory" in str(error) or "allocate memory" in str(error):
                raise MemoryError(str(error)) from error
            raise

    def _cpu_seconds_elsewhere(self) -> float:
        """CPU seconds that other processes spent on the model since the previous call."""
        return 0.0

    def health(self) -> dict[str, Any]:
        """Describe the replica and the state of its device, for dispatch, status and doctor."""
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


class EmbedderReplica(_ModelReplica):
    """The dense model: unit vectors, float32 [n, d]."""

    kind = "embedder"

    def _load(self, profile: Profile) -> DenseModel:
        from gpu_actors.encoders.dense import load_dense

        self._dense = load_dense(profile)
        self._dense.watch(_end_process)
        return self._dense

    def _cpu_seconds_elsewhere(self) -> float:
        return self._dense.cpu_seconds_elsewhere()


class SparseEncoderReplica(_ModelReplica):
    """The sparse model: term weights, CSR [n, vocabulary]."""

    kind = "sparse-encoder"

    def _load(self, profile: Profile) -> SpladeEncoder:
        from gpu_actors.encoders.splade import SpladeEncoder

        return SpladeEncoder(profile)


class RerankerReplica(_ModelReplica):
    """The cross-encoder: scores, float32 [n, 1]."""

    kind = "reranker"

    def _load(self, profile: Profile) -> CrossEncoder:
        from gpu_actors.encoders.cross_encoder import CrossEncoder

        return CrossEncoder(profile)


class ExtractorReplica(_ModelReplica):
    """The extraction model: mentions and states, TaggedRows."""

    kind = "extractor"

    def _load(self, profile: Profile) -> Tagger:
        from gpu_actors.encoders.tagger import Tagger

        return Tagger(profile)


class ChunkerReplica:
    """A chunker for the profile's dense model; imports no torch, and Haystack for semantic profiles only."""

    def __init__(self, profile: Profile) -> None:
        started = time.perf_counter()
        configure_tracing("plane")
        from gpu_actors.chunking.document_chunker import DocumentChunker

        model = find_model(profile.embedding_model)
        self._chunker = DocumentChunker(model.files, model.token_limit(profile.max_tokens))
        self._load_seconds = time.perf_counter() - started

    def __repr__(self) -> str:
        return "chunker"

    def sentence_groups(
        self, documents: Sequence[DocumentToChunk], traceparent: str = ""
    ) -> tuple[list[list[str] | MedkgError], Cost]:
        """Return the texts whose vectors semantic profiles need, one outcome per document, in order."""
        clock = _Clock()
        with continued(traceparent), _chunker_span(documents):
            groups = [
                self._outcome(document, partial(self._chunker.sentence_groups, document, chunk_profile))
                for document, chunk_profile, _ in documents
            ]
        return groups, clock.cost()

    def chunk(
        self, documents: Sequence[DocumentToChunk], traceparent: str = ""
    ) -> tuple[list[list[Chunk] | MedkgError], Cost]:
        """Return the documents' chunks, one outcome per document, in order."""
        clock = _Clock()
        with continued(traceparent), _chunker_span(documents) as batch:
            chunks = [
                self._outcome(document, partial(self._chunker.chunk, document, chunk_profile, vectors))
                for document, chunk_profile, vectors in documents
            ]
            batch.set({"medkg.chunks": sum(len(each) for each in chunks if isinstance(each, list))})
        return chunks, clock.cost()

    def _outcome(self, document: Document, work: Callable[[], list[T]]) -> list[T] | MedkgError:
        try:
            return work()
        except MedkgError as error:
            return error
        except Exception as error:  # noqa: BLE001 - one document's error must not fail the batch
            return StageFailedError(
                f"{document.doc_id}: the chunker raised {type(error).__name__}: {error}. Please report it."
            )

    def health(self) -> dict[str, Any]:
        """Describe the replica, for dispatch, status and doctor."""
        return {"pid": os.getpid(), "lanes": 1, "load_seconds": round(self._load_seconds, 2)}

    def flush_traces(self) -> None:
        """Send the spans that have ended."""
        flush()


def _chunker_span(documents: Sequence[DocumentToChunk]) -> AbstractContextManager[Span]:
    return span("micro-batch", {"medkg.pool": "chunker", "medkg.documents": len(documents)}, kind="server")


def _end_process(reason: str) -> None:
    """End this actor's process, which Ray restarts; the reason goes to its log."""
    print(reason, file=sys.stderr, flush=True)  # noqa: T201 - Ray keeps an actor's stderr as its log
    os._exit(1)


@contextmanager
def _collection_paused() -> Iterator[None]:
    """Pause the garbage collector: importing torch with it costs a tenth more CPU time."""
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()  # modules live as long as the process
        gc.enable()


class _Clock:
    """CPU and wall seconds since its creation."""

    def __init__(self) -> None:
        self._cpu = time.thread_time()
        self._wall = time.perf_counter()

    def cost(self) -> Cost:
        return time.thread_time() - self._cpu, time.perf_counter() - self._wall
