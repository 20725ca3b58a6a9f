"""How the network's weights move: AdamW, a rate for each layer, a warm-up, then linearly down to nothing.

Input: a network and rates. Output: an `Optimisation` whose `step` takes a loss. Lower layers keep what the
base learnt and move less: each by a factor less than the one above.
"""

from __future__ import annotations

import re
from typing import Any, Final

import torch
from torch import Tensor

from gpu_actors.training.descent import Descent
from gpu_actors.training.extraction.network import ExtractorNetwork

__all__ = ["Optimisation"]

WARM_UP_SHARE: Final = 0.06
DECAY: Final = 0.01
MOST_GRADIENT: Final = 1.0
SEQUENCE_RATE: Final = 5.0
"""Rate of the moves between labels, as a multiple of the heads': they are few and start at 0."""

_LAYER: Final = re.compile(r"encoder\.encoder\.layer\.(\d+)\.")


class Optimisation(Descent):
    """AdamW over all weights, for a known number of steps."""

    def __init__(
        self, network: ExtractorNetwork, body: float, heads: float, layer_decay: float, steps: int
    ) -> None:
        """`body`: rate of the uppermost layer; `heads`: of what is new."""
        from transformers import get_linear_schedule_with_warmup

        layers = int(network.encoder.config.num_hidden_layers)
        groups: dict[float, list[Tensor]] = {}
        for name, parameter in network.named_parameters():
            groups.setdefault(_rate(name, body, heads, layer_decay, layers), []).append(parameter)
        settings: list[dict[str, Any]] = [{"params": group, "lr": rate} for rate, group in groups.items()]
        parameters = [parameter for group in groups.values() for parameter in group]
        optimizer = torch.optim.AdamW(settings, weight_decay=DECAY, fused=True)
        warm_up = round(WARM_UP_SHARE * steps)
        schedule = get_linear_schedule_with_warmup(optimizer, warm_up, steps)  # type: ignore[no-untyped-call]
        super().__init__(optimizer, schedule, parameters, MOST_GRADIENT)


def _rate(name: str, body: float, heads: float, layer_decay: float, layers: int) -> float:
    if layer := _LAYER.match(name):
        return body * layer_decay ** (layers - 1 - int(layer[1]))
    if name.startswith("encoder."):
        return body * layer_decay**layers
    return heads * (SEQUENCE_RATE if name.startswith("sequence.") else 1.0)
