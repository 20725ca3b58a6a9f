"""How the student's weights move: AdamW with a rate for each part, a warm-up, and a cosine down to nothing.

Input: a student and rates. Output: an `Optimisation` whose `step` takes a loss. The base's body moves
little, so that it keeps what it knows; what is new moves most. The number of steps is known beforehand, so a
training is repeatable.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import torch
from torch import Tensor

from gpu_actors.training.descent import Descent
from gpu_actors.training.student import Student

__all__ = ["Optimisation", "Rates"]

WARM_UP_SHARE: Final = 0.05
MOST_WARM_UP: Final = 30
DECAY: Final = 0.01
MOST_GRADIENT: Final = 5.0
"""Norm beyond which gradients are scaled down."""


@dataclass(frozen=True, slots=True)
class Rates:
    """Learning rates by part."""

    body: float
    words: float
    """Of the word embeddings, which are the decoder's weight."""
    head: float
    bias: float = 0.0
    """Of the decoder's bias; 0: it stays."""


class Optimisation(Descent):
    """AdamW over the student's parts, for a known number of steps."""

    def __init__(
        self, student: Student, rates: Rates, steps: int, others: tuple[tuple[Tensor, float], ...] = ()
    ) -> None:
        """`others`: further parameters with their rates."""
        from transformers import get_cosine_schedule_with_warmup

        groups = _groups(student, rates)
        groups += [{"params": [parameter], "lr": rate, "weight_decay": 0.0} for parameter, rate in others]
        parameters = [parameter for group in groups for parameter in group["params"]]
        optimizer = torch.optim.AdamW(groups, betas=(0.9, 0.98), fused=True)
        warm_up = min(MOST_WARM_UP, round(WARM_UP_SHARE * steps))
        schedule = get_cosine_schedule_with_warmup(optimizer, warm_up, steps)
        super().__init__(optimizer, schedule, parameters, MOST_GRADIENT)


def _groups(student: Student, rates: Rates) -> list[dict[str, Any]]:
    words = student.decoder
    body = [parameter for parameter in student.model.bert.parameters() if parameter is not words]
    groups = [
        {"params": body, "lr": rates.body, "weight_decay": DECAY},
        {"params": [words], "lr": rates.words, "weight_decay": DECAY},
        {"params": list(student.transform.parameters()), "lr": rates.head, "weight_decay": DECAY},
    ]
    if rates.bias:
        groups.append({"params": [student.bias], "lr": rates.bias, "weight_decay": 0.0})
    return groups
