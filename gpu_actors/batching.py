"""Micro-batches: texts as tokens, sorted by length, cut so that rows x longest stays within a token budget.

Pure functions and one small state: the budget, which shrinks when memory runs out and grows back.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

__all__ = ["MicroBatch", "TokenBudget", "cut_micro_batches", "halves"]

GROW_AFTER: Final = 32
"""Micro-batches without trouble until a shrunken budget is tried larger again."""


@dataclass(frozen=True, slots=True)
class MicroBatch:
    """What one actor call takes: positions in the caller's input, and their token ids."""

    positions: tuple[int, ...]
    token_ids: tuple[tuple[int, ...], ...]

    @property
    def tokens(self) -> int:
        """Tokens without padding."""
        return sum(map(len, self.token_ids))


def cut_micro_batches(token_ids: Sequence[Sequence[int]], budget: int) -> list[MicroBatch]:
    """Every input once, longest first, so that memory trouble shows at once and the tail is short.

    rows x longest row <= budget, except for a single row that is longer than the budget itself.
    """
    order = sorted(range(len(token_ids)), key=lambda position: -len(token_ids[position]))
    batches: list[MicroBatch] = []
    rows: list[int] = []
    for position in order:
        longest = len(token_ids[rows[0]]) if rows else 0
        if rows and (len(rows) + 1) * longest > budget:
            batches.append(_batch(rows, token_ids))
            rows = []
        rows.append(position)
    if rows:
        batches.append(_batch(rows, token_ids))
    return batches


def halves(batch: MicroBatch) -> list[MicroBatch]:
    """The batch as two, for a second try after memory ran out."""
    middle = len(batch.positions) // 2
    return [
        MicroBatch(batch.positions[part], batch.token_ids[part])
        for part in (slice(0, middle), slice(middle, None))
    ]


def _batch(rows: Sequence[int], token_ids: Sequence[Sequence[int]]) -> MicroBatch:
    return MicroBatch(tuple(rows), tuple(tuple(token_ids[row]) for row in rows))


class TokenBudget:
    """Tokens of a micro-batch: halved when memory runs out, doubled again after a quiet time."""

    def __init__(self, tokens: int, least: int = 512) -> None:
        self._most = tokens
        self._least = least
        self._quiet = 0
        self.tokens = tokens

    def ran_out(self) -> None:
        """Memory did not suffice for a batch of this budget."""
        self._quiet = 0
        self.tokens = max(self._least, self.tokens // 2)

    def went_well(self) -> None:
        """A batch went through."""
        self._quiet += 1
        if self._quiet >= GROW_AFTER and self.tokens < self._most:
            self._quiet = 0
            self.tokens = min(self._most, self.tokens * 2)
