"""Chunking by a client of the plane: documents go to the chunkers' actors, a few per call.

Input: documents with their chunk profiles, and the pool. Output: one outcome per document. Imports no torch.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, Final

from orchestration.contracts import Outcome
from orchestration.errors import MedkgError, StageFailedError
from orchestration.tracing import traceparent

if TYPE_CHECKING:
    from gpu_actors.pools.dispatch import Answer
    from gpu_actors.pools.pool import Pool
    from gpu_actors.pools.replicas import DocumentToChunk

__all__ = ["call_chunkers"]

DOCUMENTS_PER_CALL: Final = 16
"""Documents per call of a chunker: few, so that windows share the chunkers evenly."""


def call_chunkers(
    pool: Pool[list[int]], method: str, work: Sequence[DocumentToChunk], timeout_seconds: float
) -> tuple[list[Outcome[list[Any]]], float]:
    """Call a method of the chunkers for all documents.

    Returns one outcome per document, in order, and the CPU seconds of the actors.
    """
    outcomes: list[Outcome[list[Any]]] = [[] for _ in work]
    calls: Iterator[list[int]] = (
        list(range(start, min(start + DOCUMENTS_PER_CALL, len(work))))
        for start in range(0, len(work), DOCUMENTS_PER_CALL)
    )
    answers = pool.dispatch(
        calls,
        lambda actor, rows: (
            getattr(actor, method)
            .options(name=f"chunker: {method}")
            .remote([work[row] for row in rows], traceparent())
        ),
        timeout_seconds,
    )
    cpu_seconds = 0.0
    for answer in answers:
        of_call, cost = _outcomes_of(answer)
        cpu_seconds += cost
        for row, outcome in zip(answer.batch, of_call, strict=True):
            outcomes[row] = outcome
    return outcomes, cpu_seconds


def _outcomes_of(answer: Answer[list[int]]) -> tuple[Sequence[Outcome[list[Any]]], float]:
    """One outcome per document of the call, and its CPU seconds."""
    if answer.error is None:
        assert answer.result is not None
        outcomes, (cpu_seconds, _) = answer.result
        return list(outcomes), cpu_seconds
    error = answer.error
    if not isinstance(error, MedkgError):
        error = StageFailedError(f"the chunker ran out of memory ({error}). Chunk fewer, smaller documents.")
    return [error] * len(answer.batch), 0.0
