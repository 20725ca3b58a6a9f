"""A linear-chain conditional random field over words' labels, also where a label is only partly known.

Input: scores of labels per word. Output: the loss of the allowed labellings, and the best labelling.
Sources: Lafferty et al. 2001; with partial annotation (the sum over all allowed labellings instead of one):
Tsuboi et al. 2008, https://aclanthology.org/C08-1113.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import torch
from torch import Tensor, nn

__all__ = ["LabelSequence"]

IMPOSSIBLE: Final = -10_000.0
"""Score of a move that no labelling makes."""


class LabelSequence(nn.Module):
    """Scores of moves between labels; I- follows only B- and I- of its kind."""

    def __init__(self, labels: Sequence[str]) -> None:
        super().__init__()
        self.transitions = nn.Parameter(torch.zeros(len(labels), len(labels)))
        """From, to."""
        self.start = nn.Parameter(torch.zeros(len(labels)))
        moves = torch.tensor([[_possible(before, after) for after in labels] for before in labels])
        starts = torch.tensor([not label.startswith("I-") for label in labels])
        self.register_buffer("_barred", torch.zeros(moves.shape).masked_fill(~moves, IMPOSSIBLE))
        self.register_buffer("_barred_start", torch.zeros(len(labels)).masked_fill(~starts, IMPOSSIBLE))

    def moves(self) -> tuple[Tensor, Tensor]:
        """(transitions [labels, labels], start [labels]), impossible ones at IMPOSSIBLE."""
        barred, start = self.get_buffer("_barred"), self.get_buffer("_barred_start")
        return self.transitions + barred, self.start + start

    def loss(self, scores: Tensor, allowed: Tensor, lengths: Tensor) -> Tensor:
        """Negative log probability of the allowed labellings, summed over rows.

        scores: float32 [rows, words, labels]; allowed: bool, likewise; lengths: int64 [rows], words of each.
        """
        both = torch.cat([scores.masked_fill(~allowed, IMPOSSIBLE), scores])
        totals = self._totals(both, torch.cat([lengths, lengths]))
        right, every = totals.chunk(2)
        return (every - right).sum()

    def _totals(self, scores: Tensor, lengths: Tensor) -> Tensor:
        """Log of the summed exponentials of all labellings' scores, [rows]."""
        transitions, start = self.moves()
        total = start + scores[:, 0]
        totals = [total]
        for word in range(1, scores.shape[1]):
            total = torch.logsumexp(total[:, :, None] + transitions, dim=1) + scores[:, word]
            totals.append(total)
        last = torch.stack(totals, dim=1)[torch.arange(len(lengths)), lengths - 1]
        return torch.logsumexp(last, dim=1)

    @torch.inference_mode()
    def best(self, scores: Tensor) -> list[int]:
        """The labelling with the highest score (Viterbi) of one row, scores [words, labels]."""
        if not len(scores):
            return []
        transitions, start = self.moves()
        total, back = start + scores[0], []
        for word in scores[1:]:
            through = total[:, None] + transitions
            top = through.max(dim=0)
            back.append(top.indices)
            total = top.values + word
        labels = [int(total.argmax())]
        for pointers in reversed(back):
            labels.append(int(pointers[labels[-1]]))
        return labels[::-1]


def _possible(before: str, after: str) -> bool:
    return not after.startswith("I-") or before[2:] == after[2:]
