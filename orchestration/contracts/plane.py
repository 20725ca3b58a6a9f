"""The contract between control plane and data plane: chunks, vectors, and their cost."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
import numpy.typing as npt

from orchestration.contracts.stages import Outcome
from orchestration.contracts.stores import SparseVectors
from orchestration.errors import MedkgError
from orchestration.records import (
    Chunk,
    Document,
    Float32Matrix,
    SparseMatrix,
)


@dataclass(frozen=True, slots=True)
class Vectors:
    """Rows in input order; a failed row is zeros in `dense`, empty in `sparse`, and a key of `errors`."""

    dense: Float32Matrix
    """Unit vectors, float32 [n, d]."""
    sparse: SparseMatrix | None = None
    """Term weights, CSR [n, vocabulary]; None if the plane has no sparse model."""
    errors: Mapping[int, MedkgError] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class PlaneUse:
    """Cost of calls: CPU seconds by component, tokens, wall seconds in the models."""

    cpu_seconds: Mapping[str, float]
    tokens: int
    model_seconds: float


class Plane(Protocol):
    """The actor pools that hold the models.

    Guarantees: one outcome per document or text, in input order, whatever fails. A failure concerns one
    document, or the texts of one micro-batch; the others have their results. Calls have no side effects: a
    repeated call returns the same chunks, and vectors by the models of `model_ids`. A micro-batch is sent
    again once if its replica dies, and as halves if memory runs out; no other failure is repeated here.
    Thread-safe. Methods raise UnavailableError while the plane is unavailable, and then return nothing of the
    call.
    """

    @property
    def profile(self) -> str: ...

    @property
    def model_ids(self) -> Mapping[str, str]:
        """Return the model id with revision by leg: `dense`, and `sparse` if the plane has such a model."""
        ...

    def chunk(
        self, documents: Sequence[Document], profiles: Sequence[str], timeout_seconds: float
    ) -> Sequence[Outcome[list[Chunk]]]:
        """Return each document's chunks under its chunk profile; `timeout_seconds` of each micro-batch."""
        ...

    def embed(self, texts: Sequence[str], timeout_seconds: float) -> Vectors:
        """Return dense and sparse vectors of the texts, by the models of `model_ids`.

        Nothing is truncated: a text too long for the dense model is an error of its row.
        """
        ...

    def use(self) -> PlaneUse:
        """Return the totals of this client since it attached."""
        ...


class TextModels(Protocol):
    """A profile's models for a few texts at a time: of a running plane, or loaded in this process.

    Guarantees: one row per text, in input order; calls have no side effects. Vectors come with the id of the
    model that made them, since a plane's models may be swapped between two calls. A call fails as a whole, by
    the first error. Thread-safe.
    """

    def model_ids(self) -> Mapping[str, str]:
        """Return the model id by leg, of the models that answer now: a plane's may be swapped."""
        ...

    def embed_texts(self, texts: Sequence[str]) -> tuple[Float32Matrix, str]:
        """Return unit vectors of chunks, float32 [n, d], and the id of their model."""
        ...

    def embed_queries(self, texts: Sequence[str]) -> tuple[Float32Matrix, str]:
        """Return unit vectors of queries, float32 [n, d], and the id of their model."""
        ...

    def encode_sparse_texts(self, texts: Sequence[str]) -> SparseVectors:
        """Return term weights of chunks, one row per text."""
        ...

    def encode_sparse_queries(self, texts: Sequence[str]) -> SparseVectors:
        """Return term weights of queries, one row per text."""
        ...

    def rerank_model(self) -> str | None:
        """Return the id of the cross-encoder; None if there is none."""
        ...

    def rerank(self, question: str, passages: Sequence[str]) -> npt.NDArray[np.float32]:
        """Return one score per passage, float32 [n]; raises ConfigurationError without a cross-encoder."""
        ...

    def close(self) -> None:
        """Free the models that this process loaded; those of a plane stay loaded. Idempotent."""
        ...
