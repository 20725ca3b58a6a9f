"""Token rows to vectors over a pool of embedders: micro-batches, memory back-off, one outcome a row.

Comes in: token ids. Leaves: vectors, the errors of single rows, and what it cost. When a replica's memory
runs out the budget is halved and the micro-batch is sent as two; a single row that cannot fit fails alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from gpu_actors.batching import MicroBatch, MicroBatches, TokenBudget, TokenIds
from gpu_actors.pool import Answer, Pool
from orchestration.errors import EmbeddingInputTooLongError, MedkgError
from orchestration.records import Float32Matrix

__all__ = ["EncodedRows", "encode_rows"]


@dataclass(slots=True)
class EncodedRows:
    """Vectors, float32 [n, d], in the order of the rows, zeros where `errors` has the row; and their cost."""

    dense: Float32Matrix
    errors: dict[int, MedkgError] = field(default_factory=dict)
    tokens: int = 0
    cpu_seconds: float = 0.0
    model_seconds: float = 0.0


def encode_rows(
    pool: Pool[MicroBatch], rows: Sequence[TokenIds], budget: TokenBudget, timeout_seconds: float
) -> EncodedRows:
    """Vectors of all rows; raises PlaneUnavailableError when the pool is not ready, and nothing else."""
    dimensions = int(pool.described(timeout_seconds)[0]["dimensions"])
    encoded = EncodedRows(np.zeros((len(rows), dimensions), dtype=np.float32))
    batches = MicroBatches(rows, budget, pool.lanes(timeout_seconds))
    answers = pool.dispatch(
        batches, lambda actor, batch: actor.encode.remote(batch.token_ids, batch.lengths), timeout_seconds
    )
    for answer in answers:
        if isinstance(answer.error, MemoryError) and len(answer.batch.positions) > 1:
            budget.ran_out(answer.batch.cost)
            batches.halve(answer.batch)
        elif answer.error is not None:
            error = _row_error(answer)
            encoded.errors.update(dict.fromkeys(answer.batch.positions, error))
        else:
            budget.went_well()
            _take(encoded, answer)
    return encoded


def _take(encoded: EncodedRows, answer: Answer[MicroBatch]) -> None:
    assert answer.result is not None
    vectors, (cpu_seconds, seconds) = answer.result
    encoded.dense[list(answer.batch.positions)] = vectors
    encoded.tokens += len(answer.batch.token_ids)
    encoded.cpu_seconds += cpu_seconds
    encoded.model_seconds += seconds


def _row_error(answer: Answer[MicroBatch]) -> MedkgError:
    if isinstance(answer.error, MedkgError):
        return answer.error
    return EmbeddingInputTooLongError(
        f"a text of {len(answer.batch.token_ids)} tokens alone does not fit the device's memory "
        f"({answer.error}). Choose a chunk profile with smaller chunks."
    )
