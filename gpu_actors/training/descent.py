"""One step of a training: gradients, bounded in length, move the weights by a schedule of rates.

Input: an optimiser of torch, its schedule and a loss. Output: moved weights, and gradients at zero.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler

__all__ = ["Descent"]


class Descent:
    """Steps of an optimiser whose gradients have a norm of at most `most_gradient`."""

    def __init__(
        self,
        optimizer: Optimizer,
        schedule: LRScheduler,
        parameters: Sequence[Tensor],
        most_gradient: float,
    ) -> None:
        self._optimizer = optimizer
        self._schedule = schedule
        self._parameters = parameters
        self._most_gradient = most_gradient

    def step(self, loss: Tensor) -> None:
        """Move the weights against the loss."""
        loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(self._parameters, self._most_gradient)
        self._optimizer.step()
        self._schedule.step()
        self._optimizer.zero_grad()
