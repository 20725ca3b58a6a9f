"""A BERT written out over oneDNN's fused operators: the cpu profile's models on their hot path.

Comes in: the folder of a model whose transformer is a plain BERT, and packed rows of token ids. Leaves: mean-
or CLS-pooled vectors, or the states under a masked language model's decoder, equal to those of transformers
up to rounding. Compared with its forward: padding is hardly computed (packing.py), query, key and value are
one matrix product, GELU is computed inside the product before it and the residual is added inside the one
after it; and nothing but torch is imported, which saves seconds at start.
Operators: torch.ops.mkldnn._linear_pointwise, which TorchInductor emits for the same purpose.
Architecture: Devlin et al., BERT, arXiv:1810.04805.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal, TypeAlias

import torch
from safetensors.torch import load_file
from torch import Tensor
from torch.nn import functional

from gpu_actors.budget import TokenIds
from gpu_actors.packing import Block, PackedRows, pack

__all__ = [
    "Bert",
    "BertEncoder",
    "BertVocabularyStates",
    "Layer",
    "Product",
    "plain_bert",
    "plain_masked_bert",
]

ROW_MULTIPLES: Final = {torch.bfloat16: 16}
"""Rows are rounded up to this: flash attention in bf16, not in fp32, is 1.4 to 2.5 times slower otherwise."""

Pooling = Literal["mean", "cls"]


@dataclass(frozen=True, slots=True)
class BertFolder:
    """A folder whose transformer is what is written here."""

    path: Path
    heads: int
    layers: int
    epsilon: float
    pooling: Pooling | None
    """How sentence-transformers pools its last hidden states; None for a masked language model."""


def plain_bert(folder: Path) -> BertFolder | None:
    """How to run a sentence encoder, None if anything about it is other than what is written here."""
    modules = [str(module["type"]).rsplit(".", 1)[-1] for module in _json(folder / "modules.json", [])]
    pooling = _pooling(_json(folder / "1_Pooling" / "config.json"))
    if pooling is None or modules not in (
        ["Transformer", "Pooling"],
        ["Transformer", "Pooling", "Normalize"],
    ):
        return None
    return _plain(folder, "BertModel", pooling)


def plain_masked_bert(folder: Path) -> BertFolder | None:
    """How to run a BERT with its masked-language-model head, None if anything about it is other."""
    return _plain(folder, "BertForMaskedLM", None)


def _plain(folder: Path, architecture: str, pooling: Pooling | None) -> BertFolder | None:
    config = _json(folder / "config.json")
    plain = (
        (folder / "model.safetensors").is_file()
        and torch.backends.mkldnn.is_available()  # type: ignore[no-untyped-call]
        and config.get("model_type") == "bert"
        and config.get("architectures") == [architecture]
        and config.get("hidden_act") == "gelu"
        and config.get("position_embedding_type", "absolute") == "absolute"
        and not config.get("is_decoder")
    )
    if not plain:
        return None
    return BertFolder(
        folder,
        int(config["num_attention_heads"]),
        int(config["num_hidden_layers"]),
        float(config.get("layer_norm_eps", 1e-12)),
        pooling,
    )


def _json(path: Path, absent: Any = None) -> Any:
    if not path.is_file():
        return {} if absent is None else absent
    return json.loads(path.read_text(encoding="utf-8"))


def _pooling(config: Mapping[str, Any]) -> Pooling | None:
    """The pooling where it is exactly one of the two known here."""
    chosen = [name for name, value in config.items() if name.startswith("pooling_mode_") and value is True]
    known: dict[str, Pooling] = {"pooling_mode_mean_tokens": "mean", "pooling_mode_cls_token": "cls"}
    return known.get(chosen[0]) if len(chosen) == 1 else None


_Attended: TypeAlias = tuple[Block, Tensor | None]
"""A block of rows, and what is added to its attention."""


@dataclass(frozen=True, slots=True)
class Product:
    """One linear layer: weight [out, in], bias [out]."""

    weight: Tensor
    bias: Tensor

    def plain(self, inputs: Tensor) -> Tensor:
        return torch.ops.mkldnn._linear_pointwise(inputs, self.weight, self.bias, "none", [], "")  # type: ignore[no-any-return]

    def with_gelu(self, inputs: Tensor) -> Tensor:
        return torch.ops.mkldnn._linear_pointwise(inputs, self.weight, self.bias, "gelu", [], "none")  # type: ignore[no-any-return]

    def plus(self, inputs: Tensor, residual: Tensor) -> Tensor:
        return torch.ops.mkldnn._linear_pointwise.binary(inputs, residual, self.weight, self.bias, "add")  # type: ignore[no-any-return]


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

    attention_in: Product
    attention_out: Product
    attention_norm: Norm
    widen: Product
    narrow: Product
    norm: Norm
    heads: int

    def __call__(self, hidden: Tensor, blocks: Sequence[_Attended]) -> Tensor:
        """hidden [tokens, width] -> hidden."""
        tokens, width = hidden.shape
        parts = self.attention_in.plain(hidden).view(tokens, 3, self.heads, width // self.heads)
        mixed = torch.empty_like(hidden)
        for block, mask in blocks:
            query, key, value = block.of(parts).permute(2, 0, 3, 1, 4)
            attended = functional.scaled_dot_product_attention(query, key, value, attn_mask=mask)
            mixed[block.tokens] = attended.transpose(1, 2).reshape(-1, width)
        hidden = self.attention_norm(self.attention_out.plus(mixed, hidden))
        return self.norm(self.narrow.plus(self.widen.with_gelu(hidden), hidden))


class Bert:
    """A loaded transformer; stateless between calls, so several threads may call it."""

    def __init__(self, weights: Mapping[str, Tensor], folder: BertFolder) -> None:
        self.words = weights["embeddings.word_embeddings.weight"]
        self.positions = (
            weights["embeddings.position_embeddings.weight"]
            + weights["embeddings.token_type_embeddings.weight"][0]
        )
        self.norm = _norm(weights, "embeddings.LayerNorm", folder.epsilon)
        self.layers = [_layer(weights, number, folder) for number in range(folder.layers)]

    def __call__(self, rows: PackedRows) -> Tensor:
        """Last hidden states [tokens, width]."""
        words = functional.embedding(rows.ids, self.words)
        hidden = self.norm(words + functional.embedding(rows.positions, self.positions))
        blocks = [
            (block, None if rows.is_whole else _mask(block, rows, hidden.dtype)) for block in rows.blocks
        ]
        for layer in self.layers:
            hidden = layer(hidden, blocks)
        return hidden


def _mask(block: Block, rows: PackedRows, dtype: torch.dtype) -> Tensor | None:
    """What is added to the block's attention, [rows, 1, 1, length]; None where there is no padding."""
    real = block.of(rows.real)
    if bool(real.all()):
        return None
    forbidden = torch.zeros(real.shape, dtype=dtype).masked_fill_(~real, torch.finfo(dtype).min)
    return forbidden[:, None, None, :]


class BertEncoder:
    """A sentence encoder: the transformer and its pooling."""

    def __init__(self, folder: BertFolder, dtype: torch.dtype) -> None:
        self.bert = Bert(_weights(folder, dtype), folder)
        """The transformer, for those who want its parts."""
        self._multiple = ROW_MULTIPLES.get(dtype, 1)
        self._pooling = folder.pooling

    def __call__(self, token_ids: TokenIds, lengths: Sequence[int]) -> Tensor:
        """Pooled vectors, float32 [rows, width], of rows given end to end, int32 [sum(lengths)]."""
        rows = pack(token_ids, lengths, self._multiple)
        hidden = self.bert(rows)
        return torch.cat([self._pooled(block.of(hidden), block.of(rows.real)) for block in rows.blocks])

    def _pooled(self, hidden: Tensor, real: Tensor) -> Tensor:
        """float32 [rows, width] of hidden [rows, length, width] and real [rows, length]."""
        if self._pooling == "cls":
            return hidden[:, 0].float()
        summed = torch.bmm(real[:, None, :].to(hidden.dtype), hidden)[:, 0].float()
        return summed / real.sum(1, keepdim=True)


class BertVocabularyStates:
    """A masked language model up to its decoder: what is multiplied with every word piece's vector."""

    def __init__(self, folder: BertFolder, dtype: torch.dtype) -> None:
        weights = _weights(folder, dtype)
        self._bert = Bert(weights, folder)
        self._multiple = ROW_MULTIPLES.get(dtype, 1)
        self._transform = _product(weights, "cls.predictions.transform.dense")
        self._norm = _norm(weights, "cls.predictions.transform.LayerNorm", folder.epsilon)
        words = weights["embeddings.word_embeddings.weight"]
        self.decoder = weights.get("cls.predictions.decoder.weight", words)
        """Word pieces' vectors [vocabulary, width]; the word embeddings where the model ties them."""
        self.bias = weights["cls.predictions.bias"]

    def __call__(self, token_ids: TokenIds, lengths: Sequence[int]) -> tuple[PackedRows, Tensor]:
        """Rows given end to end, int32 [sum(lengths)], as they are packed; their states [tokens, width]."""
        rows = pack(token_ids, lengths, self._multiple)
        return rows, self._norm(self._transform.with_gelu(self._bert(rows)))


def _weights(folder: BertFolder, dtype: torch.dtype) -> dict[str, Tensor]:
    return {
        name.removeprefix("bert."): tensor.to(dtype) if tensor.is_floating_point() else tensor
        for name, tensor in load_file(str(folder.path / "model.safetensors")).items()
    }


def _layer(weights: Mapping[str, Tensor], number: int, folder: BertFolder) -> Layer:
    prefix = f"encoder.layer.{number}"
    parts = [_product(weights, f"{prefix}.attention.self.{part}") for part in ("query", "key", "value")]
    return Layer(
        attention_in=Product(
            torch.cat([part.weight for part in parts]), torch.cat([part.bias for part in parts])
        ),
        attention_out=_product(weights, f"{prefix}.attention.output.dense"),
        attention_norm=_norm(weights, f"{prefix}.attention.output.LayerNorm", folder.epsilon),
        widen=_product(weights, f"{prefix}.intermediate.dense"),
        narrow=_product(weights, f"{prefix}.output.dense"),
        norm=_norm(weights, f"{prefix}.output.LayerNorm", folder.epsilon),
        heads=folder.heads,
    )


def _product(weights: Mapping[str, Tensor], name: str) -> Product:
    return Product(weights[f"{name}.weight"].contiguous(), weights[f"{name}.bias"])


def _norm(weights: Mapping[str, Tensor], name: str, epsilon: float) -> Norm:
    return Norm(weights[f"{name}.weight"], weights[f"{name}.bias"], epsilon)
