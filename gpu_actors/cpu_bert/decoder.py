"""The product of states with every word piece's vector, a block of word pieces at a time.

Input: states of tokens under a masked language model's head. Output: logits of all tokens over each block:
those over the whole vocabulary are never in memory together.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, Protocol

import torch
from torch import Tensor
from torch.nn import functional

from gpu_actors.cpu_bert.int8 import Int8Linear, Smoothed

__all__ = ["Decoder", "FloatDecoder", "Int8Decoder"]

BLOCK: Final = 1024
"""Word pieces per block: on a CPU the product of a block stays in a core's cache."""


ROOM: Final = 1.5
"""Of states in int8: finer levels gain nothing here, and a state clamped to the range loses whole terms."""


class Decoder(Protocol):
    """A vocabulary's vectors."""

    vocabulary: int

    def blocks(self, states: Tensor) -> Iterator[tuple[slice, Tensor]]:
        """Word pieces and their logits [tokens, pieces], of states [tokens, width]."""


class FloatDecoder:
    """In the weights' own dtype."""

    def __init__(self, weight: Tensor, bias: Tensor) -> None:
        """`weight`: [vocabulary, width]; `bias`: [vocabulary]."""
        self.vocabulary = len(weight)
        self._weight, self._bias = weight, bias

    def blocks(self, states: Tensor) -> Iterator[tuple[slice, Tensor]]:
        """Logits in the states' dtype."""
        for terms in _blocks(self.vocabulary):
            yield terms, functional.linear(states, self._weight[terms], self._bias[terms])


class Int8Decoder:
    """In int8 (see int8.py), out of fp32 states."""

    def __init__(self, weight: Tensor, bias: Tensor, sample: Tensor) -> None:
        """`sample`: states that set the range [tokens, width]."""
        self.vocabulary = len(weight)
        self._inputs = Smoothed(weight, sample, room=ROOM)
        smoothed = self._inputs.weight(weight)
        self._linears = [
            (terms, Int8Linear(smoothed[terms], bias[terms], self._inputs.range))
            for terms in _blocks(self.vocabulary)
        ]

    def blocks(self, states: Tensor) -> Iterator[tuple[slice, Tensor]]:
        """Logits in bf16: their maximum is taken faster than that of fp32."""
        rounded = self._inputs.rounded(states)
        for terms, linear in self._linears:
            yield terms, linear.plain(rounded, torch.bfloat16)


def _blocks(vocabulary: int) -> list[slice]:
    return [slice(start, min(start + BLOCK, vocabulary)) for start in range(0, vocabulary, BLOCK)]
