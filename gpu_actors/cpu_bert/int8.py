"""A BERT's products in int8: weights rounded by output, activations in ranges that are fixed at load.

Input: a transformer of bert.py in fp32. Output: the same with products in int8. Attention, norms and
residuals stay in fp32. The ranges are fixed so that a row's vector does not depend on its neighbours in the
micro-batch. They are those of synthetic rows of random word pieces, of all lengths.

Three things keep the rounding small (docs/decisions/0006-plane.md has what each is worth). Inputs are
smoothed by channel, their size moved into the weights (SmoothQuant, arXiv:2211.10438). GELU's output is
written as uint8 by the product itself. Its few channels with ten times the range of all others are
computed apart in fp32 (LLM.int8(), arXiv:2208.07339).
Operators: torch.ops.onednn.qlinear_pointwise, which TorchInductor emits for quantised models. Activations are
uint8 since oneDNN has no fast kernel for signed ones without AMX.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from gpu_actors.batches.packing import PackedRows, pack
from gpu_actors.batches.token_budget import TokenIds
from gpu_actors.cpu_bert.bert import Bert, FloatProducts, Layer, Linear, attended

__all__ = ["NO_RANGE", "Int8Linear", "Smoothed", "calibration_rows", "quantised"]

LEVELS: Final = 255
SMOOTHING: Final = 0.7
"""How much of a channel's range moves into the weights; SmoothQuant's alpha."""
APART: Final = 4
"""Channels behind GELU that are computed in fp32."""
FIRST_WORD: Final = 1000
"""Ids below are special tokens and places for new ones in BERT's vocabularies: never trained, far out."""
LENGTHS: Final = (2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64, 96, 384)
"""Tokens of the synthetic rows; a model's activations are largest in its shortest rows."""
ROWS: Final = 2
"""Synthetic rows of each length."""


def calibration_rows(bert: Bert, first: int, last: int) -> tuple[TokenIds, tuple[int, ...]]:
    """Rows of random word pieces between a model's first and last special ones, end to end, and lengths."""
    vocabulary = len(bert.words)
    pieces = np.random.default_rng(8)
    lengths = ROWS * tuple(length for length in LENGTHS if length <= len(bert.positions))
    rows = []
    for length in lengths:
        row = pieces.integers(min(FIRST_WORD, vocabulary // 2), vocabulary, size=length, dtype=np.int32)
        row[0], row[-1] = first, last
        rows.append(row)
    return np.concatenate(rows), lengths


@torch.inference_mode()
def quantised(bert: Bert, token_ids: TokenIds, lengths: Sequence[int]) -> Bert:
    """The transformer with products in int8, their ranges those of the rows given end to end."""
    rows = pack(token_ids, lengths, 1)
    return bert.with_layers(list(_quantised_layers(bert, rows)))


def _quantised_layers(bert: Bert, rows: PackedRows) -> Iterator[Layer]:
    """Each layer's inputs are those of the exact layers before it."""
    hidden, blocks = bert.embedded(rows), attended(rows)
    for layer in bert.layers:
        exact = layer.products
        assert isinstance(exact, FloatProducts)
        values = exact.attention_in(hidden)[:, -hidden.shape[1] :]
        mixed = layer.mixed(hidden, blocks)
        between = layer.attention_norm(exact.attention_out(mixed, hidden))
        wide = exact.widen.with_gelu(between)
        yield Layer(
            Int8Products.of(exact, hidden[rows.real], values[rows.real], between[rows.real], wide[rows.real]),
            layer.attention_norm,
            layer.norm,
            layer.heads,
        )
        hidden = layer.norm(exact.narrow.plus(wide, between))


@dataclass(frozen=True, slots=True)
class Range:
    """The values of uint8's levels."""

    step: float
    zero: int
    """The level of 0."""

    @classmethod
    def of(cls, values: Tensor) -> Range:
        """From the least to the largest of the values, and 0."""
        low, high = min(float(values.min()), 0.0), max(float(values.max()), 0.0)
        step = (high - low) / LEVELS or 1.0
        return cls(step, round(-low / step))


NO_RANGE: Final = Range(1.0, 0)
"""Levels that are the numbers themselves."""


class Int8Linear:
    """A linear layer over uint8, its weight in int8 with a scale for each output."""

    def __init__(self, weight: Tensor, bias: Tensor, inputs: Range) -> None:
        """`weight`: [out, in], of inputs in that range; `bias`: [out]."""
        self._scales = weight.abs().amax(1).clamp_(min=torch.finfo(weight.dtype).tiny) / 127
        rounded = (weight / self._scales[:, None]).round_().to(torch.int8)
        self._weight = torch.ops.onednn.qlinear_prepack(rounded, None)
        self._zeros = torch.zeros(len(rounded), dtype=torch.int32)
        self._bias = bias
        self._inputs = inputs

    def plain(self, inputs: Tensor, dtype: torch.dtype = torch.float32) -> Tensor:
        """In float."""
        return self._pointwise(inputs, "none", NO_RANGE, dtype)

    def with_gelu(self, inputs: Tensor, out: Range) -> Tensor:
        """In uint8, clamped to that range."""
        return self._pointwise(inputs, "gelu", out, torch.uint8)

    def _pointwise(self, inputs: Tensor, activation: str, out: Range, dtype: torch.dtype) -> Tensor:
        return torch.ops.onednn.qlinear_pointwise(  # type: ignore[no-any-return]
            inputs,
            self._inputs.step,
            self._inputs.zero,
            self._weight,
            self._scales,
            self._zeros,
            self._bias,
            out.step,
            out.zero,
            dtype,
            activation,
            [],
            "none",
        )

    def plus(self, inputs: Tensor, residual: Tensor) -> Tensor:
        """Added to the residual, in place."""
        return torch.ops.onednn.qlinear_pointwise.binary(  # type: ignore[no-any-return]
            inputs,
            self._inputs.step,
            self._inputs.zero,
            self._weight,
            self._scales,
            self._zeros,
            residual,
            self._bias,
            NO_RANGE.step,
            NO_RANGE.zero,
            torch.float32,
            1.0,
            0,
            "sum",
            1.0,
            "none",
            [],
            "",
        )


class Smoothed:
    """How fp32 inputs become uint8: smoothed by channel, then rounded in one range."""

    def __init__(
        self, weight: Tensor, sample: Tensor, smoothing: float = SMOOTHING, room: float = 1.0
    ) -> None:
        """`weight`: [out, in], of the linear layer that they go into; `sample`: of inputs, [tokens, in].

        `room`: range of the levels, as a multiple of the sample's.
        """
        largest = sample.abs().amax(0).clamp_(min=1e-3)
        self._smooth = torch.ones_like(largest)
        if smoothing > 0:
            self._smooth = largest**smoothing / weight.abs().amax(0).clamp_(min=1e-6) ** (1 - smoothing)
        self.range = Range.of(room * sample / self._smooth)
        self._factors = 1 / (self._smooth * self.range.step)
        self._shift = torch.full_like(largest, self.range.zero + 0.5)  # a float becomes uint8 towards zero

    def weight(self, weight: Tensor) -> Tensor:
        """Return the weight for such inputs."""
        return weight * self._smooth

    def rounded(self, inputs: Tensor) -> Tensor:
        """Return the inputs in uint8, clamped to the range."""
        return torch.addcmul(self._shift, inputs, self._factors).clamp_(0, LEVELS).to(torch.uint8)


class SmoothedLinear:
    """A linear layer over fp32 inputs."""

    def __init__(self, linear: Linear, sample: Tensor, smoothing: float = SMOOTHING) -> None:
        """`sample`: of inputs, [tokens, in]."""
        self._inputs = Smoothed(linear.weight, sample, smoothing)
        self._linear = Int8Linear(self._inputs.weight(linear.weight), linear.bias, self._inputs.range)

    def plain(self, inputs: Tensor) -> Tensor:
        return self._linear.plain(self._inputs.rounded(inputs))

    def with_gelu(self, inputs: Tensor, out: Range) -> Tensor:
        return self._linear.with_gelu(self._inputs.rounded(inputs), out)

    def plus(self, inputs: Tensor, residual: Tensor) -> Tensor:
        return self._linear.plus(self._inputs.rounded(inputs), residual)


class Apart:
    """GELU's few channels that reach far, from the feed-forward's inputs to its outputs in fp32."""

    def __init__(self, widen: Linear, narrow: Linear, wide: Tensor) -> None:
        """`wide`: a sample of GELU's output, [tokens, wide]."""
        self.channels = wide.abs().amax(0).topk(min(APART, wide.shape[1])).indices
        self._in = widen.weight[self.channels].contiguous()
        self._bias = widen.bias[self.channels].contiguous()
        self._out = narrow.weight[:, self.channels].t().contiguous()

    def plus(self, inputs: Tensor) -> Tensor:
        """Their part of the feed-forward, added to its inputs; a new tensor."""
        wide = functional.gelu(functional.linear(inputs, self._in, self._bias))
        return torch.addmm(inputs, wide, self._out)


@dataclass(frozen=True, slots=True)
class Int8Products:
    """A layer's products; see bert.Products."""

    into_attention: SmoothedLinear
    out_of_attention: SmoothedLinear
    widen: SmoothedLinear
    wide: Range
    narrow: Int8Linear
    apart: Apart

    @classmethod
    def of(
        cls, exact: FloatProducts, hidden: Tensor, values: Tensor, between: Tensor, wide: Tensor
    ) -> Int8Products:
        """Of a layer in fp32 and samples of what its products take.

        `values`: attention's. What it mixes of them lies between them, whatever a text makes it attend to.
        """
        apart = Apart(exact.widen, exact.narrow, wide)
        common = wide.index_fill(1, apart.channels, 0)
        levels = Range.of(common)
        return cls(
            SmoothedLinear(exact.into_attention, hidden),
            SmoothedLinear(exact.out_of_attention, values, smoothing=0),
            SmoothedLinear(exact.widen, between),
            levels,
            Int8Linear(exact.narrow.weight.index_fill(1, apart.channels, 0), exact.narrow.bias, levels),
            apart,
        )

    def attention_in(self, hidden: Tensor) -> Tensor:
        return self.into_attention.plain(hidden)

    def attention_out(self, mixed: Tensor, residual: Tensor) -> Tensor:
        return self.out_of_attention.plus(mixed, residual)

    def feed_forward(self, hidden: Tensor) -> Tensor:
        return self.narrow.plus(self.widen.with_gelu(hidden, self.wide), self.apart.plus(hidden))
