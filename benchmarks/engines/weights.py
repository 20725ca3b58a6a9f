"""A plain BERT's weights by what they are for, for the engines here that write the model out themselves.

Comes in: a model's folder. Leaves: fp32 tensors; query, key and value are one matrix.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors.torch import load_file
from torch import Tensor
from torch.nn import functional

__all__ = ["BertWeights", "LayerWeights", "Linear", "Norm", "bert_weights"]


@dataclass(frozen=True, slots=True)
class Linear:
    """weight [out, in], bias [out]."""

    weight: Tensor
    bias: Tensor


@dataclass(frozen=True, slots=True)
class Norm:
    """A layer norm."""

    weight: Tensor
    bias: Tensor
    epsilon: float

    def __call__(self, inputs: Tensor) -> Tensor:
        return functional.layer_norm(inputs, self.weight.shape, self.weight, self.bias, self.epsilon)


@dataclass(frozen=True, slots=True)
class LayerWeights:
    """One transformer layer."""

    attention_in: Linear
    attention_out: Linear
    attention_norm: Norm
    widen: Linear
    narrow: Linear
    norm: Norm


@dataclass(frozen=True, slots=True)
class BertWeights:
    """All of it."""

    words: Tensor
    positions: Tensor
    """Position embeddings with the first token type's added."""
    norm: Norm
    layers: tuple[LayerWeights, ...]
    heads: int


def bert_weights(folder: Path, dtype: torch.dtype) -> BertWeights:
    """Of a BertModel with one model.safetensors."""
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    weights = {
        name.removeprefix("bert."): tensor.to(dtype) if tensor.is_floating_point() else tensor
        for name, tensor in load_file(str(folder / "model.safetensors")).items()
    }
    epsilon = float(config["layer_norm_eps"])
    return BertWeights(
        words=weights["embeddings.word_embeddings.weight"],
        positions=weights["embeddings.position_embeddings.weight"]
        + weights["embeddings.token_type_embeddings.weight"][0],
        norm=_norm(weights, "embeddings.LayerNorm", epsilon),
        layers=tuple(
            _layer(weights, f"encoder.layer.{number}", epsilon)
            for number in range(config["num_hidden_layers"])
        ),
        heads=config["num_attention_heads"],
    )


def _layer(weights: Mapping[str, Tensor], prefix: str, epsilon: float) -> LayerWeights:
    parts = [_linear(weights, f"{prefix}.attention.self.{part}") for part in ("query", "key", "value")]
    return LayerWeights(
        attention_in=Linear(
            torch.cat([part.weight for part in parts]), torch.cat([part.bias for part in parts])
        ),
        attention_out=_linear(weights, f"{prefix}.attention.output.dense"),
        attention_norm=_norm(weights, f"{prefix}.attention.output.LayerNorm", epsilon),
        widen=_linear(weights, f"{prefix}.intermediate.dense"),
        narrow=_linear(weights, f"{prefix}.output.dense"),
        norm=_norm(weights, f"{prefix}.output.LayerNorm", epsilon),
    )


def _linear(weights: Mapping[str, Tensor], name: str) -> Linear:
    return Linear(weights[f"{name}.weight"].contiguous(), weights[f"{name}.bias"])


def _norm(weights: Mapping[str, Tensor], name: str, epsilon: float) -> Norm:
    return Norm(weights[f"{name}.weight"], weights[f"{name}.bias"], epsilon)
