"""What the control plane asks of the actor plane: chunks, vectors, and what they cost."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from orchestration.contracts.stages import Outcome
from orchestration.errors import MedkgError
from orchestration.records import (
    Chunk,
    Document,
    Float32Matrix,
)


@dataclass(frozen=True, slots=True)
class DenseVectors:
    """Rows in input order: float32 [n, d]; a failed row is zeros and named in `errors`."""

    dense: Float32Matrix
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
    def model_ids(self) -> Mapping[str, str]: ...

    def chunk(
        self, documents: Sequence[Document], profiles: Sequence[str], timeout_seconds: float
    ) -> Sequence[Outcome[list[Chunk]]]:
        """Chunks of each document under its chunk profile; time-out for each micro-batch."""
        ...

    def embed(self, texts: Sequence[str], timeout_seconds: float) -> DenseVectors:
        """Unit vectors of the texts; nothing is truncated: a too-long text is an error of its row."""
        ...

    def use(self) -> PlaneUse:
        """Totals of this client since it attached."""
        ...
