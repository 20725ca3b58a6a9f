"""A BERT encoder's forward with oneDNN's fused operators: what the cpu profile runs where it pays.

Comes in: a Hugging Face BertModel in bfloat16, and batches of token ids. Leaves: its last hidden state, equal
up to rounding. Three things make it faster than the stock forward: query, key and value are one matrix
product, GELU is computed inside the product before it, and the residual is added inside the one after it.
Operators: torch.ops.mkldnn._linear_pointwise, which TorchInductor emits for the same purpose.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

__all__ = ["FusedBert", "can_fuse"]


def can_fuse(model: Any) -> bool:
    """Whether this is a plain BERT encoder, whose forward is the one written here."""
    config = model.config
    return (
        config.model_type == "bert"
        and config.hidden_act == "gelu"
        and getattr(config, "position_embedding_type", "absolute") in (None, "absolute")
        and not config.is_decoder
        and torch.backends.mkldnn.is_available()
    )


@dataclass(frozen=True, slots=True)
class _Product:
    """Weights of one linear layer, [out, in] and [out]."""

    weight: Tensor
    bias: Tensor

    def __call__(self, inputs: Tensor) -> Tensor:
        return torch.ops.mkldnn._linear_pointwise(inputs, self.weight, self.bias, "none", [], "")

    def with_gelu(self, inputs: Tensor) -> Tensor:
        return torch.ops.mkldnn._linear_pointwise(inputs, self.weight, self.bias, "gelu", [], "none")

    def plus(self, inputs: Tensor, residual: Tensor) -> Tensor:
        return torch.ops.mkldnn._linear_pointwise.binary(inputs, residual, self.weight, self.bias, "add")


@dataclass(frozen=True, slots=True)
class _Layer:
    attention_in: _Product
    attention_out: _Product
    attention_norm: Any
    widen: _Product
    narrow: _Product
    norm: Any

    def __call__(self, hidden: Tensor, mask: Tensor, heads: int) -> Tensor:
        """One transformer layer; hidden [rows, longest, width], mask [rows, 1, 1, longest]."""
        rows, longest, width = hidden.shape
        parts = self.attention_in(hidden).view(rows, longest, 3, heads, width // heads)
        query, key, value = parts.permute(2, 0, 3, 1, 4)
        mixed = functional.scaled_dot_product_attention(query, key, value, attn_mask=mask)
        mixed = mixed.transpose(1, 2).reshape(rows, longest, width)
        hidden = self.attention_norm(self.attention_out.plus(mixed, hidden))
        return self.norm(self.narrow.plus(self.widen.with_gelu(hidden), hidden))  # type: ignore[no-any-return]


class FusedBert:
    """The encoder of a BertModel; shares its embeddings and norms."""

    def __init__(self, model: Any) -> None:
        self._embeddings = model.embeddings
        self._heads = int(model.config.num_attention_heads)
        self._layers = [_layer(layer) for layer in model.encoder.layer]

    def __call__(self, ids: Tensor, mask: Tensor) -> Tensor:
        """Last hidden state, bfloat16 [rows, longest, width], of int64 ids and mask [rows, longest]."""
        hidden = self._embeddings(input_ids=ids)
        forbidden = torch.zeros(mask.shape, dtype=hidden.dtype)
        forbidden.masked_fill_(mask == 0, torch.finfo(hidden.dtype).min)
        for layer in self._layers:
            hidden = layer(hidden, forbidden[:, None, None, :], self._heads)
        return hidden


def _layer(layer: Any) -> _Layer:
    attention = layer.attention.self
    parts = attention.query, attention.key, attention.value
    return _Layer(
        attention_in=_Product(
            torch.cat([part.weight for part in parts]).detach(), torch.cat([part.bias for part in parts]).detach()
        ),
        attention_out=_product(layer.attention.output.dense),
        attention_norm=layer.attention.output.LayerNorm,
        widen=_product(layer.intermediate.dense),
        narrow=_product(layer.output.dense),
        norm=layer.output.LayerNorm,
    )


def _product(linear: Any) -> _Product:
    return _Product(linear.weight.detach(), linear.bias.detach())
