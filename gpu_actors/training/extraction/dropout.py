"""Dropout whose random masks are drawn once and read from a random place.

torch draws a number per element, one after the other: on a CPU that takes as long as the matrix products.
"""

from __future__ import annotations

from typing import Final

import torch
from torch import Tensor, nn

__all__ = ["FastDropout"]

POOL: Final = 1 << 22
"""Elements of the pool; a larger input repeats it."""


class FastDropout(nn.Module):
    """Zeroes a share of the elements while training, and scales the others up."""

    def __init__(self, share: float) -> None:
        super().__init__()
        self.p = share
        self._pool = (torch.rand(POOL) >= share).to(torch.bfloat16) / (1 - share)

    def forward(self, inputs: Tensor) -> Tensor:
        if not self.training or not self.p:
            return inputs
        size = inputs.numel()
        start = int(torch.randint(POOL, ()))
        mask = self._pool[start : start + size]
        while len(mask) < size:
            mask = torch.cat([mask, self._pool[: size - len(mask)]])
        return inputs * mask.view(inputs.shape).to(inputs.dtype)
