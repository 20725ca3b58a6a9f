"""Stages: one Protocol per step, the batch form that the runner calls, and where a stage runs.

A stage author writes `execute`; `lift` adds `execute_batch`. Each item of a batch has its own outcome.

Guarantees. The runner calls a stage at least once per document and may repeat a call after a crash or a
transient error, so `execute` must be idempotent. Documents of a batch are independent and keep their order.
A stage that writes makes nothing visible before the commit. Errors: TransientError is retried under the
policy, PermanentError makes a dead letter, UnavailableError costs no attempt.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Generic, Protocol, TypeAlias, TypeVar, runtime_checkable

from orchestration.disk_space import unwritable_disk
from orchestration.errors import MedkgError, StageContractError, StageFailedError
from orchestration.records import (
    AdapterRequest,
    Chunk,
    Claim,
    Document,
    EmbeddingBatch,
    Entity,
    GraphWriteReceipt,
    IndexReceipt,
    RawPayload,
    StageContext,
)

T = TypeVar("T")
In = TypeVar("In")
Out = TypeVar("Out")
In_contra = TypeVar("In_contra", contravariant=True)
Out_co = TypeVar("Out_co", covariant=True)


Outcome: TypeAlias = T | MedkgError
"""The result for one item of a batch: a value, or the error of this item alone."""


def values_of(outcomes: Sequence[Outcome[T]]) -> list[T]:
    """Return the values of all items, in order; raises the error of the first item that has one."""
    values: list[T] = []
    for outcome in outcomes:
        if isinstance(outcome, MedkgError):
            raise outcome
        values.append(outcome)
    return values


@runtime_checkable
class IngestStage(Protocol):
    """Fetches the bytes of one document from its source."""

    def execute(self, ctx: StageContext, request: AdapterRequest) -> list[RawPayload]: ...


@runtime_checkable
class DownloadStage(Protocol):
    """Replaces or completes payloads, e.g. a record by the PDF that it links to."""

    def execute(self, ctx: StageContext, payloads: list[RawPayload]) -> list[RawPayload]: ...


@runtime_checkable
class ParseStage(Protocol):
    """Turns bytes into a document with structure and exact offsets."""

    def execute(self, ctx: StageContext, payloads: list[RawPayload]) -> Document: ...


@runtime_checkable
class ValidateStage(Protocol):
    """Checks or completes a document: returns it, or raises an error."""

    def execute(self, ctx: StageContext, document: Document) -> Document: ...


@runtime_checkable
class ChunkStage(Protocol):
    """Cuts a document into chunks whose bodies are exact slices of its text."""

    def execute(self, ctx: StageContext, document: Document) -> list[Chunk]: ...


@runtime_checkable
class EmbedStage(Protocol):
    """Computes the vectors of a document's chunks."""

    def execute(self, ctx: StageContext, chunks: list[Chunk]) -> EmbeddingBatch: ...


@runtime_checkable
class IndexStage(Protocol):
    """Stages a document's chunks and vectors in the stores; idempotent; visible only after commit."""

    def execute(self, ctx: StageContext, batch: EmbeddingBatch) -> IndexReceipt: ...


@runtime_checkable
class ExtractStage(Protocol):
    """Finds entities and claims, each anchored to spans of the document."""

    def execute(self, ctx: StageContext, document: Document) -> tuple[list[Entity], list[Claim]]: ...


@runtime_checkable
class KGStage(Protocol):
    """Stages entities and claims for the graph; idempotent; visible only after commit."""

    def execute(
        self, ctx: StageContext, entities: list[Entity], claims: list[Claim]
    ) -> GraphWriteReceipt: ...


class BatchStage(Protocol[In_contra, Out_co]):
    """The form in which the runner calls every stage."""

    def execute_batch(self, items: Sequence[tuple[StageContext, In_contra]]) -> Sequence[Outcome[Out_co]]:
        """Return one outcome per item, in the same order; raises only when no item was processed."""
        ...


class Isolation(StrEnum):
    """Where a stage runs, and so how its time-out is enforced.

    A stage class sets `isolation`; without it, PROCESS, since unknown code may hang.
    """

    PROCESS = "process"
    """In a worker process that is killed when the time-out passes: parsers, plugin code."""
    PLANE = "plane"
    """In the actor plane, which enforces the time-out per micro-batch."""
    INLINE = "inline"
    """In a thread of the window worker: short I/O on local files and databases that medkg owns."""


@dataclass(frozen=True, slots=True)
class LiftedStage(Generic[In, Out]):
    """A one-document stage in batch form: each item's error stays with that item."""

    execute: Callable[..., Out]

    def execute_batch(self, items: Sequence[tuple[StageContext, In]]) -> Sequence[Outcome[Out]]:
        return [self._one(ctx, value) for ctx, value in items]

    def _one(self, ctx: StageContext, value: In) -> Outcome[Out]:
        try:
            # KGStage takes entities and claims, which flow as one pair.
            return self.execute(ctx, *value) if isinstance(value, tuple) else self.execute(ctx, value)
        except MedkgError as error:
            return error
        except Exception as error:  # noqa: BLE001 - a plugin may raise anything; the document keeps it
            return unwritable_disk(error) or StageFailedError(
                f"{ctx.doc_id}: the stage raised {type(error).__name__}: {error}. "
                "Fix the stage or the record, then `medkg dlq replay`."
            )


def lift(stage: Any) -> BatchStage[Any, Any]:
    """Give a stage its batch form: its own `execute_batch` if it has one, else item by item."""
    if callable(getattr(stage, "execute_batch", None)):
        return stage  # type: ignore[no-any-return]
    if callable(getattr(stage, "execute", None)):
        return LiftedStage(stage.execute)
    raise StageContractError(
        f"{type(stage).__name__} has neither execute nor execute_batch; "
        "implement one of the stage protocols of orchestration.contracts."
    )
