"""The embed stage: chunk bodies to the plane's models.

Comes in: a document's chunks. Leaves: the same chunks with unit vectors, float32 [n, d], and term weights,
CSR [n, vocabulary] where the plane has a sparse model, in order, and the ids of the models that made them.
All chunks of a window go to the plane in one call, so that its micro-batches are full and sorted by length,
independent of the sizes of the documents.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import accumulate
from typing import Any, Self

from orchestration.contracts import Isolation, Outcome, Plane, Vectors
from orchestration.errors import MedkgError
from orchestration.records import Chunk, EmbeddingBatch, StageContext
from orchestration.stages.services import StageServices


class EmbedOnPlane:
    """EmbedStage over the plane's pools."""

    version = "3"
    isolation = Isolation.PLANE

    def __init__(self, plane: Plane, timeout_seconds: float) -> None:
        self._plane = plane
        self._timeout_seconds = timeout_seconds

    @classmethod
    def from_services(cls, config: Mapping[str, Any], services: StageServices) -> Self:
        return cls(services.plane, services.timeout_seconds, **config)

    def execute(self, ctx: StageContext, chunks: list[Chunk]) -> EmbeddingBatch:
        """The vectors of one document's chunks; raises the first error among them."""
        (outcome,) = self.execute_batch([(ctx, chunks)])
        if isinstance(outcome, MedkgError):
            raise outcome
        return outcome

    def execute_batch(
        self, items: Sequence[tuple[StageContext, list[Chunk]]]
    ) -> Sequence[Outcome[EmbeddingBatch]]:
        """One call of the plane for all documents; the error of a chunk is the outcome of its document."""
        vectors = self._plane.embed(
            [chunk.body for _, chunks in items for chunk in chunks], self._timeout_seconds
        )
        ends = list(accumulate(len(chunks) for _, chunks in items))
        model_ids = dict(self._plane.model_ids)
        return [
            _one_document(chunks, vectors, end - len(chunks), model_ids)
            for (_, chunks), end in zip(items, ends, strict=True)
        ]


def _one_document(
    chunks: list[Chunk], vectors: Vectors, start: int, model_ids: Mapping[str, str]
) -> Outcome[EmbeddingBatch]:
    rows = range(start, start + len(chunks))
    for row in rows:
        if row in vectors.errors:
            return vectors.errors[row]
    sparse = vectors.sparse.rows(rows.start, rows.stop) if vectors.sparse is not None else None
    return EmbeddingBatch(tuple(chunks), vectors.dense[rows.start : rows.stop], sparse, model_ids)
