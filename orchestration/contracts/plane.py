"""What the control plane asks of the actor plane: chunks, vectors, and what they cost."""

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
    """Rows in input order; a failed row is zeros and empty, and named in `errors`."""

    dense: Float32Matrix
    """Unit vectors, float32 [n, d]."""
    sparse: SparseMatrix | None = None
    """Term weights, CSR [n, vocabulary]; None where the plane has no sparse model."""
    errors: Mapping[int, MedkgError] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class PlaneUse:
    """What a call cost the plane: CPU seconds by component, tokens, seconds in the model."""

    cpu_seconds: Mapping[str, float]
    tokens: int
    model_seconds: float


class Plane(Protocol):
    """The actor pools that hold the models. Thread-safe; raises UnavailableError when it is away."""

    @property
    def profile(self) -> str: ...

    @property
    def model_ids(self) -> Mapping[str, str]:
        """Model id with revision by leg: `dense`, and `sparse` where the plane has such a model."""
        ...

    def chunk(
        self, documents: Sequence[Document], profiles: Sequence[str], timeout_seconds: float
    ) -> Sequence[Outcome[list[Chunk]]]:
        """Chunks of each document under its chunk profile; time-out for each micro-batch."""
        ...

    def embed(self, texts: Sequence[str], timeout_seconds: float) -> Vectors:
        """Dense and sparse vectors of the texts, by the models of `model_ids`.

        Nothing is truncated: a text too long for the dense model is an error of its row.
        """
        ...

    def use(self) -> PlaneUse:
        """Totals of this client since it attached."""
        ...


class TextModels(Protocol):
    """A profile's models for a few texts at a time, wherever they are loaded. Thread-safe."""

    def model_ids(self) -> Mapping[str, str]:
        """Model id by leg, of those that answer now: a plane's may be swapped."""
        ...

    def embed_texts(self, texts: Sequence[str]) -> tuple[Float32Matrix, str]:
        """Unit vectors of chunks, float32 [n, d], and the id of the model that made them."""
        ...

    def embed_queries(self, texts: Sequence[str]) -> tuple[Float32Matrix, str]:
        """Unit vectors of queries, float32 [n, d], and the id of the model that made them."""
        ...

    def encode_sparse_texts(self, texts: Sequence[str]) -> SparseVectors:
        """Term weights of chunks, a row each."""
        ...

    def encode_sparse_queries(self, texts: Sequence[str]) -> SparseVectors:
        """Term weights of queries, a row each."""
        ...

    def rerank_model(self) -> str | None:
        """Id of the cross-encoder; None if there is none."""
        ...

    def rerank(self, question: str, passages: Sequence[str]) -> npt.NDArray[np.float32]:
        """A score a passage, float32 [n], by the cross-encoder; raises ConfigurationError without one."""
        ...

    def close(self) -> None:
        """Free the models that this process loaded; those of a plane stay loaded. Idempotent."""
        ...
