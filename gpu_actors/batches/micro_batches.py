"""Micro-batches: token rows sorted by length, cut so that rows x longest stays within a token budget.

Comes in: each text's token ids. Leaves: micro-batches, cut one at a time as replicas get free, so that a
budget that shrank because memory ran out holds for everything not yet sent. No I/O, no torch.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Final, TypeVar

import numpy as np

from gpu_actors.batches.token_budget import TokenBudget, TokenIds

__all__ = ["MicroBatch", "MicroBatches", "encoded_here"]

T = TypeVar("T")

SHARES: Final = 3
"""A small input is cut into at least this many micro-batches a lane, so that no core waits for the last."""

LEAST_SHARE: Final = 1024
"""But into none smaller than this, since single rows take a fifth more time a token on a CPU."""


@dataclass(frozen=True, slots=True)
class MicroBatch:
    """What one actor call takes: positions in the caller's input, and their rows end to end."""

    positions: tuple[int, ...]
    token_ids: TokenIds
    lengths: tuple[int, ...]

    @property
    def cost(self) -> int:
        """Tokens with padding, which is what time and memory go by."""
        return len(self.lengths) * max(self.lengths)


class MicroBatches(Iterator[MicroBatch]):
    """Every row once, longest first, so that memory trouble shows at once and the last batches are short.

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
        """Give the batch's rows out again, next, as two batches."""
        middle = len(batch.positions) // 2
        self._again.appendleft(self._batch(batch.positions[middle:]))
        self._again.appendleft(self._batch(batch.positions[:middle]))

    def _batch(self, positions: Sequence[int]) -> MicroBatch:
        rows = [self._rows[position] for position in positions]
        return MicroBatch(tuple(positions), np.concatenate(rows), tuple(map(len, rows)))


def encoded_here(
    rows: Sequence[TokenIds],
    budget_tokens: int,
    lanes: int,
    encode: Callable[[TokenIds, Sequence[int]], T],
) -> Iterator[tuple[MicroBatch, T]]:
    """Every micro-batch of the rows with what `encode` makes of it, `lanes` at once in this process."""
    batches = list(MicroBatches(rows, TokenBudget(budget_tokens), lanes))
    with ThreadPoolExecutor(lanes) as threads:
        yield from zip(
            batches, threads.map(lambda batch: encode(batch.token_ids, batch.lengths), batches), strict=True
        )
