"""Vectors of chunks that a program hands over: those that came with them are checked, the others are made.

Comes in: chunks, some with vectors. Leaves: a dense row for each, float32 [n, d], and a sparse one where the
profile has a sparse model, all of one model each, so that no leg misses a chunk that another one finds.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Final

import numpy as np
import numpy.typing as npt

from orchestration.batching import batched
from orchestration.contracts import TextModels
from orchestration.errors import EmbeddingInputTooLongError, MalformedDocumentError
from orchestration.records import Chunk, DocumentKey, EmbeddingBatch, Float32Matrix, SparseMatrix

__all__ = ["ChunkVectors", "PassedChunk", "SparseRow"]

AT_ONCE: Final = 32
"""Texts of one request to the models."""

SparseRow = tuple[npt.NDArray[np.int32], npt.NDArray[np.float32]]
"""(terms, weights)."""


@dataclass(frozen=True, slots=True)
class PassedChunk:
    """A chunk to keep, with the vectors that came with it."""

    key: DocumentKey
    chunk: Chunk
    dense: npt.NDArray[np.float32] | None = None
    sparse: SparseRow | None = None


class ChunkVectors:
    """Completes vectors with a profile's models, which are loaded when first asked for; thread-safe."""

    def __init__(self, models: Callable[[], TextModels], sparse_off: str | None) -> None:
        """`sparse_off` says why there is no sparse model; None if there is one."""
        self._models = models
        self._sparse_off = sparse_off

    @cached_property
    def _dense_model(self) -> tuple[str, int]:
        """Id and dimensions of the dense model, from the model itself: the plane may have been swapped."""
        vectors, model_id = self._models().embed_queries(["dimensions"])
        return model_id, vectors.shape[1]

    @cached_property
    def _sparse_model(self) -> tuple[str, int] | None:
        """Id and vocabulary of the sparse model."""
        if self._sparse_off is not None:
            return None
        encoded = self._models().encode_sparse_texts(["vocabulary"])
        return encoded.model_id, encoded.rows.vocabulary

    @property
    def model_ids(self) -> Mapping[str, str]:
        """Models by leg; loads them."""
        ids = {"dense": self._dense_model[0]}
        return ids if self._sparse_model is None else {**ids, "sparse": self._sparse_model[0]}

    def check(self, passed: Sequence[PassedChunk]) -> None:
        """Raise MalformedDocumentError naming the first chunk whose own vectors cannot be kept."""
        for chunk in passed:
            if chunk.dense is not None:
                self._unit(chunk.chunk.chunk_id, chunk.dense)
            if chunk.sparse is not None:
                self._terms(chunk.chunk.chunk_id, chunk.sparse)

    def batches(self, documents: Sequence[Sequence[PassedChunk]]) -> list[EmbeddingBatch]:
        """The embedding batch of each document; raises EmbeddingInputTooLongError naming the chunk."""
        passed = [chunk for document in documents for chunk in document]
        dense, sparse, ids = self._dense(passed), self._sparse(passed), self.model_ids
        batches, start = [], 0
        for document in documents:
            end = start + len(document)
            terms = None if sparse is None else sparse.rows(start, end)
            chunks = tuple(chunk.chunk for chunk in document)
            batches.append(EmbeddingBatch(chunks, dense[start:end], terms, ids))
            start = end
        return batches

    def _dense(self, passed: Sequence[PassedChunk]) -> Float32Matrix:
        dense = np.zeros((len(passed), self._dense_model[1]), np.float32)
        missing = []
        for number, chunk in enumerate(passed):
            if chunk.dense is None:
                missing.append(number)
            else:
                dense[number] = self._unit(chunk.chunk.chunk_id, chunk.dense)
        for part in batched(missing, AT_ONCE):
            dense[part] = self._embedded([passed[number].chunk for number in part])
        return dense

    def _embedded(self, chunks: Sequence[Chunk]) -> Float32Matrix:
        models = self._models()
        try:
            return models.embed_texts([chunk.body for chunk in chunks])[0]
        except EmbeddingInputTooLongError as error:
            if len(chunks) > 1:  # one by one, to name the one that is too long
                return np.concatenate([self._embedded([chunk]) for chunk in chunks])
            raise EmbeddingInputTooLongError(f"{chunks[0].chunk_id}: {error.message}") from error

    def _sparse(self, passed: Sequence[PassedChunk]) -> SparseMatrix | None:
        if self._sparse_model is None:
            return None
        rows: dict[int, SparseRow] = {}
        missing = []
        for number, chunk in enumerate(passed):
            if chunk.sparse is None:
                missing.append(number)
            else:
                rows[number] = self._terms(chunk.chunk.chunk_id, chunk.sparse)
        for part in batched(missing, AT_ONCE):
            encoded = self._models().encode_sparse_texts([passed[number].chunk.body for number in part]).rows
            rows |= {number: encoded.row(row) for row, number in enumerate(part)}
        return SparseMatrix.of_rows([rows[number] for number in range(len(passed))], self._sparse_model[1])

    def _unit(self, chunk_id: str, vector: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        """The vector at unit length, as scores are inner products."""
        model_id, dimensions = self._dense_model
        length = float(np.linalg.norm(vector.astype(np.float64)))
        if vector.shape != (dimensions,) or not np.isfinite(length) or length == 0.0:
            raise MalformedDocumentError(
                f"the embedding of {chunk_id} has {vector.size} dimensions and length {length:g}; vectors of "
                f"{model_id} have {dimensions} and a direction. Embed with that model, or leave the "
                "embedding out and it is made."
            )
        unit: npt.NDArray[np.float32] = (vector / length).astype(np.float32)
        return unit

    def _terms(self, chunk_id: str, row: SparseRow) -> SparseRow:
        """The terms in order."""
        if self._sparse_model is None:
            raise MalformedDocumentError(
                f"{chunk_id} has a sparse embedding, and there is no sparse leg ({self._sparse_off}). Leave "
                "it out, or choose a sparse model (MEDKG_SPARSE_MODEL)."
            )
        model_id, vocabulary = self._sparse_model
        terms, weights = row
        order = np.argsort(terms, kind="stable")
        terms, weights = terms[order], weights[order]
        known = not len(terms) or (
            terms[0] >= 0 and terms[-1] < vocabulary and bool((np.diff(terms) > 0).all())
        )
        if len(terms) != len(weights) or not known or not np.isfinite(weights).all():
            raise MalformedDocumentError(
                f"the sparse embedding of {chunk_id} is none of {model_id}: a weight for each of its terms, "
                f"0 to {vocabulary - 1}, once each. Expand with that model, or leave it out and it is made."
            )
        return terms, weights
