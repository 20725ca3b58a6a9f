"""Vectors of chunks, and what the index stage hands on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Self

import numpy as np
import numpy.typing as npt
from pydantic import Field

from orchestration.records.documents import Chunk
from orchestration.records.identity import DocumentKey, Record

Float32Matrix = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class SparseMatrix:
    """CSR rows over a vocabulary: row i is indices[indptr[i]:indptr[i+1]] with the same slice of values."""

    indptr: npt.NDArray[np.int64]
    indices: npt.NDArray[np.int32]
    values: npt.NDArray[np.float32]
    vocabulary: int

    @classmethod
    def of_rows(
        cls, rows: Sequence[tuple[npt.NDArray[np.int32], npt.NDArray[np.float32]]], vocabulary: int
    ) -> Self:
        """The matrix of (indices, values) rows."""
        return cls(
            np.concatenate([[0], np.cumsum([len(indices) for indices, _ in rows])]).astype(np.int64),
            np.concatenate([np.empty(0, np.int32), *(indices for indices, _ in rows)]).astype(np.int32),
            np.concatenate([np.empty(0, np.float32), *(values for _, values in rows)]).astype(np.float32),
            vocabulary,
        )

    @classmethod
    def stacked(cls, parts: Sequence[SparseMatrix]) -> Self:
        """The rows of all parts, which share a vocabulary, in order; of at least one part."""
        return cls.of_rows(
            [part.row(number) for part in parts for number in range(len(part))], parts[0].vocabulary
        )

    def __len__(self) -> int:
        """Number of rows."""
        return len(self.indptr) - 1

    def row(self, number: int) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.float32]]:
        """(indices, values) of one row."""
        start, end = self.indptr[number : number + 2]
        return self.indices[start:end], self.values[start:end]

    def rows(self, start: int, stop: int) -> SparseMatrix:
        """Rows start to stop as a separate matrix."""
        first, last = self.indptr[start], self.indptr[stop]
        indptr = self.indptr[start : stop + 1] - first
        return SparseMatrix(indptr, self.indices[first:last], self.values[first:last], self.vocabulary)


@dataclass(frozen=True, slots=True)
class EmbeddingBatch:
    """Chunks with their vectors: dense float32 [n, d] (unit length), sparse CSR [n, vocabulary] or None."""

    chunks: tuple[Chunk, ...]
    dense: Float32Matrix
    sparse: SparseMatrix | None = None
    model_ids: Mapping[str, str] = field(default_factory=dict)
    """Model id and revision by leg, e.g. {"dense": "all-MiniLM-L6-v2@1a2b3c/bf16"}."""

    def __post_init__(self) -> None:
        if self.dense.ndim != 2 or self.dense.dtype != np.float32:
            raise ValueError(f"dense must be float32 [n, d], got {self.dense.dtype} {self.dense.shape}")
        if len(self.chunks) != self.dense.shape[0]:
            raise ValueError(f"{len(self.chunks)} chunks but {self.dense.shape[0]} vectors")
        if self.sparse is not None and len(self.sparse) != len(self.chunks):
            raise ValueError(f"{len(self.chunks)} chunks but {len(self.sparse)} sparse vectors")


class IndexReceipt(Record):
    """What the index stage staged for one document; nothing is visible before the commit."""

    key: DocumentKey = Field(description="Document the receipt is for.")
    version: str = Field(description="Content hash that was indexed.")
    fingerprint: str = Field(description="Everything that shaped the index entries.")
    intent_id: str = Field(description="Intent under which stores were written.")
    chunk_count: int = Field(ge=0, description="Chunks written to every store.")
    namespace: str = Field(description="Model that made the vectors.")
