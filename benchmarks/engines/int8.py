"""int8 products by oneDNN in torch over packed rows; residuals, norms and attention stay in fp32.

Weights are rounded by channel, activations by tensor. Variants: "dynamic" finds each activation's range as it
comes; "static" fixes that of GELU's output from the sample, so that the wide product writes the int8 that the
narrow one reads; "-unshifted" adds attention.unshifted. Activations are uint8: without AMX oneDNN has no fast
kernel for signed ones (minutes instead of milliseconds).
Operator: torch.ops.onednn.qlinear_pointwise, which TorchInductor emits for quantised models.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Final, TypeAlias

import torch
from torch import Tensor

from benchmarks.engines.attention import flash, unshifted
from benchmarks.engines.contract import Encode, Layout, Setting, encoded
from benchmarks.engines.fused import our_encoder
from benchmarks.engines.packed import Body, packed_encode
from benchmarks.engines.packed import layouts as packed_layouts
from gpu_actors.bert import Layer, Product

__all__ = ["layouts", "load"]

LEVELS: Final = 255
Scale: TypeAlias = tuple[float, int]
"""(size of a step, the level that means zero) of uint8."""


def layouts(cores: int) -> Sequence[Layout]:
    """As the packed rows'."""
    return packed_layouts(cores)


def load(setting: Setting) -> Encode:
    """The model quantised; "static" runs the sample once."""
    torch.set_num_threads(setting.layout.threads)
    kind, _, attention = setting.variant.partition("-")
    bert = our_encoder(setting.folder, torch.float32).bert
    layers = [_Layer(layer) for layer in bert.layers]
    attend = unshifted if attention == "unshifted" else flash
    encode = packed_encode(bert, [layer.body() for layer in layers], attend)
    if kind == "static":
        encoded(setting.sample, encode, Layout(1, 1, setting.layout.batch_tokens))
        for layer in layers:
            layer.fix()
    return encode


class _Product:
    """A linear layer with weights in int8, a scale for each output."""

    def __init__(self, linear: Product) -> None:
        self._scales = linear.weight.abs().amax(1) / 127
        rounded = (linear.weight / self._scales[:, None]).round().to(torch.int8)
        self._weight = torch.ops.onednn.qlinear_prepack(rounded, None)
        self._zeros = torch.zeros(len(rounded), dtype=torch.int32)
        self._bias = linear.bias

    def __call__(
        self, inputs: Tensor, scale: Scale, activation: str = "none", out: Scale | None = None
    ) -> Tensor:
        """Of uint8 inputs: fp32, or uint8 if its scale is given."""
        return torch.ops.onednn.qlinear_pointwise(  # type: ignore[no-any-return]
            inputs,
            *scale,
            self._weight,
            self._scales,
            self._zeros,
            self._bias,
            *(out or (1.0, 0)),
            torch.uint8 if out else torch.float32,
            activation,
            [],
            "none",
        )

    def plus(self, inputs: Tensor, scale: Scale, residual: Tensor) -> Tensor:
        """The product of uint8 inputs, added to the residual in place."""
        return torch.ops.onednn.qlinear_pointwise.binary(  # type: ignore[no-any-return]
            inputs,
            *scale,
            self._weight,
            self._scales,
            self._zeros,
            residual,
            self._bias,
            1.0,
            0,
            torch.float32,
            1.0,
            0,
            "sum",
            1.0,
            "none",
            [],
            "",
        )


class _Layer:
    """One layer's products, and the range of GELU's output once it is fixed."""

    def __init__(self, layer: Layer) -> None:
        self._attention_in = _Product(layer.attention_in)
        self._attention_out = _Product(layer.attention_out)
        self._widen = _Product(layer.widen)
        self._narrow = _Product(layer.narrow)
        self._seen: tuple[float, float] = (0.0, 0.0)
        self._fixed: Scale | None = None

    def body(self) -> Body:
        return Body(
            attention_in=lambda hidden: self._attention_in(*_quantised(hidden)),
            attention_out=lambda mixed, residual: self._attention_out.plus(*_quantised(mixed), residual),
            feed_forward=self._feed_forward,
        )

    def fix(self) -> None:
        """Use the range seen so far from now on."""
        self._fixed = _scale(*self._seen)

    def _feed_forward(self, hidden: Tensor) -> Tensor:
        inputs = _quantised(hidden)
        if self._fixed is not None:
            wide = self._widen(*inputs, "gelu", self._fixed)
            return self._narrow.plus(wide, self._fixed, hidden)
        exact = self._widen(*inputs, "gelu")
        low, high = _range(exact)
        self._seen = min(self._seen[0], low), max(self._seen[1], high)
        return self._narrow.plus(*_rounded(exact, _scale(low, high)), hidden)


def _quantised(values: Tensor) -> tuple[Tensor, Scale]:
    return _rounded(values, _scale(*_range(values)))


def _range(values: Tensor) -> tuple[float, float]:
    low, high = torch.aminmax(values)
    return float(low), float(high)


def _scale(low: float, high: float) -> Scale:
    low, high = min(low, 0.0), max(high, 0.0)
    step = (high - low) / LEVELS or 1.0
    return step, round(-low / step)


def _rounded(values: Tensor, scale: Scale) -> tuple[Tensor, Scale]:
    """By the deprecated quantised tensors: what replaces them takes ten times as long on a CPU."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        return torch.quantize_per_tensor(values, *scale, torch.quint8).int_repr(), scale
