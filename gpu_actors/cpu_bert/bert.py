"""A BERT written out over oneDNN's fused operators: the transformer of the cpu profile's models.

Input: a checkpoint's weights, and packed rows of token ids. Output: last hidden states, equal to those of
transformers up to rounding. Compared with its forward: almost no padding is computed (packing.py), query, key
and value are one matrix product, GELU is computed inside the product before it and the residual is added
inside the one after it; and only torch is imported, which saves seconds at start. int8.py has the products in
int8, bert_models.py the models that use the transformer.
Operators: torch.ops.mkldnn._linear_pointwise, which TorchInductor emits for the same purpose.
Architecture: Devlin et al., BERT, arXiv:1810.04805.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeAlias

import torch
from torch import Tensor
from torch.nn import functional

from gpu_actors.batches.packing import EqualRows, PackedRows

__all__ = [
    "Bert",
    "FloatProducts",
    "Layer",
    "Linear",
    "Products",
    "attended",
    "linear_of",
    "norm_of",
]

AttendedBlock: TypeAlias = tuple[EqualRows, Tensor | None]
"""A block of rows, and what is added to its attention."""


@dataclass(frozen=True, slots=True)
class Linear:
    """One linear layer: weight [out, in], bias [out]."""

    weight: Tensor
    bias: Tensor

    def plain(self, inputs: Tensor) -> Tensor:
        return torch.ops.mkldnn._linear_pointwise(inputs, self.weight, self.bias, "none", [], "")  # type: ignore[no-any-return]

    def with_gelu(self, inputs: Tensor) -> Tensor:
        return torch.ops.mkldnn._linear_pointwise(inputs, self.weight, self.bias, "gelu", [], "none")  # type: ignore[no-any-return]

    def plus(self, inputs: Tensor, residual: Tensor) -> Tensor:
        return torch.ops.mkldnn._linear_pointwise.binary(inputs, residual, self.weight, self.bias, "add")  # type: ignore[no-any-return]


class Products(Protocol):
    """The matrix products of one layer, [tokens, width] in and out; a residual may be overwritten."""

    def attention_in(self, hidden: Tensor) -> Tensor:
        """Query, key and value, [tokens, 3 x width]."""

    def attention_out(self, mixed: Tensor, residual: Tensor) -> Tensor:
        """Of attention's mixed values, plus the residual."""

    def feed_forward(self, hidden: Tensor) -> Tensor:
        """Widened, GELU, narrowed, plus `hidden`."""


@dataclass(frozen=True, slots=True)
class FloatProducts:
    """Products in the weights' own dtype."""

    into_attention: Linear
    out_of_attention: Linear
    widen: Linear
    narrow: Linear

    def attention_in(self, hidden: Tensor) -> Tensor:
        return self.into_attention.plain(hidden)

    def attention_out(self, mixed: Tensor, residual: Tensor) -> Tensor:
        return self.out_of_attention.plus(mixed, residual)

    def feed_forward(self, hidden: Tensor) -> Tensor:
        return self.narrow.plus(self.widen.with_gelu(hidden), hidden)


@dataclass(frozen=True, slots=True)
class Norm:
    """One layer norm."""

    weight: Tensor
    bias: Tensor
    epsilon: float

    def __call__(self, inputs: Tensor) -> Tensor:
        return functional.layer_norm(inputs, self.weight.shape, self.weight, self.bias, self.epsilon)


@dataclass(frozen=True, slots=True)
class Layer:
    """One transformer layer."""

    products: Products
    attention_norm: Norm
    norm: Norm
    heads: int

    def __call__(self, hidden: Tensor, blocks: Sequence[AttendedBlock]) -> Tensor:
        """hidden [tokens, width] -> hidden."""
        mixed = self.mixed(hidden, blocks)
        hidden = self.attention_norm(self.products.attention_out(mixed, hidden))
        return self.norm(self.products.feed_forward(hidden))

    def mixed(self, hidden: Tensor, blocks: Sequence[AttendedBlock]) -> Tensor:
        """What attention mixes of the values of each block's rows, [tokens, width]."""
        tokens, width = hidden.shape
        parts = self.products.attention_in(hidden).view(tokens, 3, self.heads, width // self.heads)
        mixed = torch.empty_like(hidden)
        for block, mask in blocks:
            query, key, value = block.of(parts).permute(2, 0, 3, 1, 4)
            attended = functional.scaled_dot_product_attention(query, key, value, attn_mask=mask)
            mixed[block.tokens] = attended.transpose(1, 2).reshape(-1, width)
        return mixed


class Bert:
    """A loaded transformer; stateless between calls, so several threads may call it."""

    def __init__(self, words: Tensor, positions: Tensor, norm: Norm, layers: Sequence[Layer]) -> None:
        self.words = words
        """Vectors of word pieces [vocabulary, width]."""
        self.positions = positions
        """Vectors of positions, the segment's included [positions, width]."""
        self.norm = norm
        self.layers = layers

    @classmethod
    def of(cls, weights: Mapping[str, Tensor], layers: int, heads: int, epsilon: float) -> Bert:
        """From a checkpoint's weights, in their dtype; `epsilon`: of the layer norms."""
        places = weights["embeddings.position_embeddings.weight"]
        return cls(
            weights["embeddings.word_embeddings.weight"],
            places + weights["embeddings.token_type_embeddings.weight"][0],
            norm_of(weights, "embeddings.LayerNorm", epsilon),
            [_layer(weights, number, heads, epsilon) for number in range(layers)],
        )

    def with_layers(self, layers: Sequence[Layer]) -> Bert:
        """The same embeddings under other layers."""
        return Bert(self.words, self.positions, self.norm, layers)

    def embedded(self, rows: PackedRows) -> Tensor:
        """What goes into the first layer [tokens, width]."""
        words = functional.embedding(rows.ids, self.words)
        return self.norm(words + functional.embedding(rows.positions, self.positions))

    def __call__(self, rows: PackedRows) -> Tensor:
        """Last hidden states [tokens, width]."""
        hidden = self.embedded(rows)
        blocks = attended(rows, hidden.dtype)
        for layer in self.layers:
            hidden = layer(hidden, blocks)
        return hidden


def attended(rows: PackedRows, dtype: torch.dtype = torch.float32) -> list[AttendedBlock]:
    """The rows' blocks, each with what masks its padding in that dtype."""
    return [(block, None if rows.is_whole else _mask(block, rows, dtype)) for block in rows.blocks]


def _mask(block: EqualRows, rows: PackedRows, dtype: torch.dtype) -> Tensor | None:
    """What is added to the block's attention, [rows, 1, 1, length]; None where there is no padding."""
    real = block.of(rows.real)
    if bool(real.all()):
        return None
    forbidden = torch.zeros(real.shape, dtype=dtype).masked_fill_(~real, torch.finfo(dtype).min)
    return forbidden[:, None, None, :]


def _layer(weights: Mapping[str, Tensor], number: int, heads: int, epsilon: float) -> Layer:
    prefix = f"encoder.layer.{number}"
    parts = [linear_of(weights, f"{prefix}.attention.self.{part}") for part in ("query", "key", "value")]
    products = FloatProducts(
        into_attention=Linear(
            torch.cat([part.weight for part in parts]), torch.cat([part.bias for part in parts])
        ),
        out_of_attention=linear_of(weights, f"{prefix}.attention.output.dense"),
        widen=linear_of(weights, f"{prefix}.intermediate.dense"),
        narrow=linear_of(weights, f"{prefix}.output.dense"),
    )
    return Layer(
        products,
        attention_norm=norm_of(weights, f"{prefix}.attention.output.LayerNorm", epsilon),
        norm=norm_of(weights, f"{prefix}.output.LayerNorm", epsilon),
        heads=heads,
    )


def linear_of(weights: Mapping[str, Tensor], name: str) -> Linear:
    """The checkpoint's linear layer of that name."""
    return Linear(weights[f"{name}.weight"].contiguous(), weights[f"{name}.bias"])


def norm_of(weights: Mapping[str, Tensor], name: str, epsilon: float) -> Norm:
    """The checkpoint's layer norm of that name."""
    return Norm(weights[f"{name}.weight"], weights[f"{name}.bias"], epsilon)
