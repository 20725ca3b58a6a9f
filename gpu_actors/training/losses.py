"""What the sparse training minimises: pure functions of scores and term weights.

Input: tensors. Output: scalars with gradients.
"""

from __future__ import annotations

from typing import Final

import torch
from torch import Tensor
from torch.nn import functional

__all__ = ["contrast", "distillation", "loudness", "sparsity"]

TEACHER_TEMPERATURE: Final = 0.05
"""The teacher's cosines lie close together; divided by this they tell windows apart."""

L1_SHARE: Final = 0.1
MARGIN: Final = 0.3
"""How far below zero the logits at special tokens are kept."""


def contrast(scores: Tensor, answers_too: Tensor) -> Tensor:
    """InfoNCE over the batch (van den Oord et al., arXiv:1807.03748), scores [n, n], pairs on the diagonal.

    Windows that answer a query as well are left out of its negatives.
    """
    wanted = torch.arange(len(scores), device=scores.device)
    return functional.cross_entropy(scores.masked_fill(answers_too, -1e4), wanted)


def distillation(scores: Tensor, teacher: Tensor) -> Tensor:
    """KL divergence from the teacher's distribution over windows to the student's, [n, n], mean over queries.

    Source: arXiv:2010.11386, as in SPLADE v2's successors, arXiv:2205.04733.
    """
    wanted = (teacher / TEACHER_TEMPERATURE).softmax(1)
    return functional.kl_div(scores.log_softmax(1), wanted, reduction="batchmean")


def sparsity(weights: Tensor) -> Tensor:
    """FLOPS regulariser (Paria et al., arXiv:2004.05665) plus a share of L1, of weights [n, vocabulary].

    FLOPS puts out terms that many texts have; L1 keeps each text short.
    """
    return (weights.mean(0) ** 2).sum() + L1_SHARE * weights.sum(1).mean()


def loudness(states: Tensor, decoder: Tensor, bias: Tensor) -> Tensor:
    """How much the states at special tokens would fire, mean over states [n, width].

    Kept near nothing, pooling with and without special tokens gives the same vectors.
    """
    return (torch.relu(states @ decoder.T + bias + MARGIN) ** 2).sum(1).mean()
