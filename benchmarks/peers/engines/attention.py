"""Attention over packed rows: each row's own length, so that padding costs nothing.

Comes in: queries, keys and values of rows end to end, [tokens, 3 x width]. Leaves: [tokens, width].
torch's own ways for ragged rows do not serve: nested jagged tensors take 9 times as long on a CPU as one call
per row, and torch.nn.attention.varlen has no CPU kernel.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import torch
from torch import Tensor

__all__ = ["unshifted"]


def unshifted(packed: Tensor, lengths: Sequence[int], heads: int) -> Tensor:
    """Two products around an exponential in place; a column of ones beside the values sums it.

    Softmax without its passes for maximum, sum and division. Not to be used as it is: exp overflows for a
    score above 88, where softmax's shift would not. Its scores stay in L2 a few heads at a time.
    """
    width = packed.shape[1] // 3
    size = width // heads
    longest = max(lengths)
    mixed = packed.new_empty(packed.shape[0], width)
    scores = packed.new_empty(heads * longest * longest)
    ones = packed.new_ones(heads, longest, size + 1)
    sums = packed.new_empty(heads * longest * (size + 1))
    for row, out in _rows(packed, mixed, lengths):
        count = len(row)
        query, key, value = row.view(count, 3, heads, size).permute(1, 2, 0, 3)
        score = scores[: heads * count * count].view(heads, count, count)
        total = sums[: heads * count * (size + 1)].view(heads, count, size + 1)
        torch.baddbmm(score, query, key.transpose(1, 2), beta=0, alpha=size**-0.5, out=score).exp_()
        ones[:, :count, :size].copy_(value)
        torch.bmm(score, ones[:, :count], out=total)
        torch.div(total[..., :size], total[..., size:], out=out.view(count, heads, size).transpose(0, 1))
    return mixed


def _rows(packed: Tensor, mixed: Tensor, lengths: Sequence[int]) -> Iterator[tuple[Tensor, Tensor]]:
    """Views of each row's part of both."""
    return zip(torch.split(packed, list(lengths)), torch.split(mixed, list(lengths)), strict=True)
