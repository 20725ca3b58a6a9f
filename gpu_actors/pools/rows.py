"""Token rows to vectors over a pool: micro-batches, memory back-off, one outcome per row.

Input: token ids. Output: dense or sparse vectors or mentions, the errors of single rows, and the cost. When a
replica runs out of memory the budget is halved and the micro-batch is sent as two; a single row that does not
fit fails alone.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np

from gpu_actors.batches.micro_batches import MicroBatch, MicroBatches
from gpu_actors.batches.pieces import NO_TERMS, SparseRow, merged
from gpu_actors.batches.token_budget import TokenBudget, TokenIds
from gpu_actors.encoders.tagged_rows import TaggedRow, TaggedRows
from gpu_actors.pools.dispatch import Answer
from gpu_actors.pools.health_probe import Actor
from gpu_actors.pools.pool import Pool
from orchestration.errors import EmbeddingInputTooLongError, MedkgError
from orchestration.records import Float32Matrix, SparseMatrix
from orchestration.tracing import traceparent

__all__ = ["RowsOutcome", "dense_rows", "sparse_rows", "tagged_rows"]


@dataclass(slots=True)
class RowsOutcome:
    """The errors of rows, and the cost of all rows."""

    errors: dict[int, MedkgError] = field(default_factory=dict)
    tokens: int = 0
    cpu_seconds: float = 0.0
    model_seconds: float = 0.0


def dense_rows(
    pool: Pool[MicroBatch],
    rows: Sequence[TokenIds],
    budget: TokenBudget,
    timeout_seconds: float,
    lane: str | None = None,
) -> tuple[Float32Matrix, RowsOutcome]:
    """Return unit vectors of all rows, or scores, float32 [n, d], zeros where `errors` has the row.

    `lane`: QUERY_LANE for queries, which must not wait behind other work. Raises PlaneUnavailableError when
    the pool is not ready, and nothing else.
    """
    vectors = np.zeros((len(rows), int(pool.described(timeout_seconds)["width"])), dtype=np.float32)

    def take(batch: MicroBatch, encoded: Float32Matrix) -> None:
        vectors[list(batch.positions)] = encoded

    return vectors, _encoded(pool, rows, budget, timeout_seconds, take, lane)


def sparse_rows(
    pool: Pool[MicroBatch],
    pieces: Sequence[Sequence[TokenIds]],
    budget: TokenBudget,
    timeout_seconds: float,
    lane: str | None = None,
) -> tuple[SparseMatrix, RowsOutcome]:
    """Return term weights of texts, CSR, empty where `errors` has the text; `pieces`: the rows of each text.

    A term's weight is its largest over the text's pieces. Raises
    PlaneUnavailableError when the pool is not ready, and nothing else.
    """
    counts = [len(of_text) for of_text in pieces]
    weights: list[SparseRow] = [NO_TERMS] * sum(counts)

    def take(batch: MicroBatch, encoded: SparseMatrix) -> None:
        for number, position in enumerate(batch.positions):
            weights[position] = encoded.row(number)

    outcome = _encoded(
        pool, [piece for of_text in pieces for piece in of_text], budget, timeout_seconds, take, lane
    )
    owners = np.repeat(np.arange(len(pieces)), counts)
    outcome.errors = {int(owners[position]): error for position, error in outcome.errors.items()}
    rows = list(merged(weights, counts))
    for failed in outcome.errors:
        rows[failed] = NO_TERMS
    return SparseMatrix.of_rows(rows, int(pool.described(timeout_seconds)["width"])), outcome


def tagged_rows(
    pool: Pool[MicroBatch],
    rows: Sequence[TokenIds],
    budget: TokenBudget,
    timeout_seconds: float,
) -> tuple[list[TaggedRow | None], RowsOutcome]:
    """Return mentions and states of each row, None where `errors` has the row.

    Raises PlaneUnavailableError when the pool is not ready, and nothing else.
    """
    tagged: list[TaggedRow | None] = [None] * len(rows)

    def take(batch: MicroBatch, encoded: TaggedRows) -> None:
        for position, row in zip(batch.positions, encoded.split(batch.lengths), strict=True):
            tagged[position] = row

    return tagged, _encoded(pool, rows, budget, timeout_seconds, take, None)


def _encoded(
    pool: Pool[MicroBatch],
    rows: Sequence[TokenIds],
    budget: TokenBudget,
    timeout_seconds: float,
    take: Callable[[MicroBatch, Any], None],
    lane: str | None,
) -> RowsOutcome:
    """Encode all rows in the pool; `take` is called with each micro-batch's result once."""
    outcome = RowsOutcome()
    batches = MicroBatches(rows, budget, pool.lanes(timeout_seconds))
    answers = pool.dispatch(
        batches, partial(_send, f"{pool.name}: a {lane or 'micro-batch'}", lane), timeout_seconds
    )
    for answer in answers:
        if isinstance(answer.error, MemoryError) and len(answer.batch.positions) > 1:
            budget.ran_out(answer.batch.cost)
            batches.halve(answer.batch)
        elif answer.error is not None:
            error = _row_error(answer)
            outcome.errors.update(dict.fromkeys(answer.batch.positions, error))
        else:
            assert answer.result is not None
            budget.went_well()
            result, (cpu_seconds, seconds) = answer.result
            take(answer.batch, result)
            outcome.tokens += len(answer.batch.token_ids)
            outcome.cpu_seconds += cpu_seconds
            outcome.model_seconds += seconds
    return outcome


def _send(name: str, lane: str | None, actor: Actor, batch: MicroBatch) -> Any:
    """One call, under a name that identifies the task on the Ray dashboard."""
    return actor.encode.options(name=name, concurrency_group=lane).remote(
        batch.token_ids, batch.lengths, time.time(), traceparent()
    )


def _row_error(answer: Answer[MicroBatch]) -> MedkgError:
    if isinstance(answer.error, MedkgError):
        return answer.error
    return EmbeddingInputTooLongError(
        f"a text of {len(answer.batch.token_ids)} tokens alone does not fit the device's memory "
        f"({answer.error}). Choose a chunk profile with smaller chunks."
    )
