"""Micro-batches: token rows sorted by length, cut so that rows x longest stays within a token budget.

Input: each text's token ids. Output: micro-batches, cut one at a time as replicas become free, so that a
budget that was halved when memory ran out applies to everything not yet sent. No I/O, no torch.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Final, TypeVar

import numpy as np

from gpu_actors.batches.token_budget import TokenBudget, TokenIds
from orchestration.records import Float32Matrix

__all__ = ["MicroBatch", "MicroBatches", "encoded_in_process", "vectors_in_process"]

T = TypeVar("T")

SHARES: Final = 3
"""Least number of micro-batches per lane that a small input is cut into, so that no lane is idle."""

LEAST_SHARE: Final = 1024
"""Least tokens of such a micro-batch, since single rows take a fifth more time per token on a CPU."""


@dataclass(frozen=True, slots=True)
class MicroBatch:
    """The input of one actor call: positions in the caller's input, and their rows end to end."""

    positions: tuple[int, ...]
    token_ids: TokenIds
    lengths: tuple[int, ...]

    @property
    def cost(self) -> int:
        """Tokens with padding, which determine time and memory."""
        return len(self.lengths) * max(self.lengths)


class MicroBatches(Iterator[MicroBatch]):
    """Every row once, longest first, so that memory runs out at once or never and the last batches are short.

    rows x longest <= budget at the time a batch is taken, except for a single row that is longer.
    """

    def __init__(self, rows: Sequence[TokenIds], budget: TokenBudget, lanes: int = 1) -> None:
        self._rows = rows
        self._budget = budget
        self._waiting = deque(sorted(range(len(rows)), key=lambda position: -len(rows[position])))
        self._again: deque[MicroBatch] = deque()
        self._share = max(LEAST_SHARE, sum(map(len, rows)) // (SHARES * lanes))

    def __next__(self) -> MicroBatch:
        if self._again:
            return self._again.popleft()
        if not self._waiting:
            raise StopIteration
        budget = min(self._budget.tokens, self._share)
        longest = len(self._rows[self._waiting[0]])
        count = min(len(self._waiting), max(1, budget // max(1, longest)))
        return self._batch([self._waiting.popleft() for _ in range(count)])

    def halve(self, batch: MicroBatch) -> None:
        """Yield the batch's rows again, next, as two batches."""
        middle = len(batch.positions) // 2
        self._again.appendleft(self._batch(batch.positions[middle:]))
        self._again.appendleft(self._batch(batch.positions[:middle]))

    def _batch(self, positions: Sequence[int]) -> MicroBatch:
        rows = [self._rows[position] for position in positions]
        return MicroBatch(tuple(positions), np.concatenate(rows), tuple(map(len, rows)))


def encoded_in_process(
    rows: Sequence[TokenIds],
    budget_tokens: int,
    lanes: int,
    encode: Callable[[TokenIds, Sequence[int]], T],
) -> Iterator[tuple[MicroBatch, T]]:
    """Yield every micro-batch with the result of `encode`; `lanes` are computed at the same time here."""
    batches = list(MicroBatches(rows, TokenBudget(budget_tokens), lanes))
    with ThreadPoolExecutor(lanes) as threads:
        yield from zip(
            batches, threads.map(lambda batch: encode(batch.token_ids, batch.lengths), batches), strict=True
        )


def vectors_in_process(
    rows: Sequence[TokenIds],
    width: int,
    budget_tokens: int,
    lanes: int,
    encode: Callable[[TokenIds, Sequence[int]], Float32Matrix],
) -> Float32Matrix:
    """Return the vectors of all rows, float32 [n, width], in order; see encoded_in_process."""
    vectors = np.zeros((len(rows), width), dtype=np.float32)
    for batch, encoded in encoded_in_process(rows, budget_tokens, lanes, encode):
        vectors[list(batch.positions)] = encoded
    return vectors
