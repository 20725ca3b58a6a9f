"""Models over the transformer of bert.py, read from their folders: sentence encoders, SPLADE, pairs, tokens.

Input: the folder of a model, rows of token ids. Output: mean- or CLS-pooled vectors, or the inputs of a
masked language model's decoder or of a cross-encoder's last layer, in fp32, bf16 or int8. A model that
differs in anything from this code is not supported here: its own library runs it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final, Literal

import torch
from safetensors.torch import load_file
from torch import Tensor

from gpu_actors.batches.packing import PackedRows, pack, second_segment
from gpu_actors.batches.token_budget import TokenIds
from gpu_actors.cpu_bert.bert import Bert, Linear, linear_of, norm_of
from gpu_actors.cpu_bert.decoder import Decoder, FloatDecoder, Int8Decoder
from gpu_actors.cpu_bert.int8 import calibration_rows, quantised

__all__ = [
    "BertEncoder",
    "BertFolder",
    "BertPairs",
    "BertTokens",
    "BertVocabularyStates",
    "plain_bert",
    "plain_masked_bert",
    "plain_pair_bert",
    "plain_token_bert",
]

ROW_MULTIPLES: Final = {torch.bfloat16: 16}
"""Rows are rounded up to this: flash attention in bf16, not in fp32, is 1.4 to 2.5 times slower otherwise."""

Pooling = Literal["mean", "cls"]


@dataclass(frozen=True, slots=True)
class BertFolder:
    """A model folder that this module supports."""

    path: Path
    heads: int
    layers: int
    epsilon: float
    pooling: Pooling | None
    """How sentence-transformers pools its last hidden states; None for other models."""


def plain_bert(folder: Path) -> BertFolder | None:
    """Return how to run a sentence encoder; None if it differs from the code here in anything."""
    modules = [str(module["type"]).rsplit(".", 1)[-1] for module in _json(folder / "modules.json", [])]
    pooling = _pooling(_json(folder / "1_Pooling" / "config.json"))
    if pooling is None or modules not in (
        ["Transformer", "Pooling"],
        ["Transformer", "Pooling", "Normalize"],
    ):
        return None
    return _plain(folder, "BertModel", pooling)


def plain_masked_bert(folder: Path) -> BertFolder | None:
    """Return how to run a BERT with its masked-language-model head; None if it differs in anything."""
    return _plain(folder, "BertForMaskedLM", None)


def plain_pair_bert(folder: Path) -> BertFolder | None:
    """Return how to run a BERT that scores two texts; None if it differs in anything."""
    segments = _json(folder / "config.json").get("type_vocab_size", 2)
    return _plain(folder, "BertForSequenceClassification", None) if segments == 2 else None


def plain_token_bert(folder: Path) -> BertFolder | None:
    """Return how to run a BERT whose last hidden states are wanted; None if it differs in anything."""
    return _plain(folder, "BertModel", None)


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
    """The pooling, if it is exactly one of the two known here."""
    chosen = [name for name, value in config.items() if name.startswith("pooling_mode_") and value is True]
    known: dict[str, Pooling] = {"pooling_mode_mean_tokens": "mean", "pooling_mode_cls_token": "cls"}
    return known.get(chosen[0]) if len(chosen) == 1 else None


class BertEncoder:
    """A sentence encoder: the transformer and its pooling."""

    def __init__(self, folder: BertFolder, ends: tuple[int, int], dtype: torch.dtype) -> None:
        """`ends`: ids of the special tokens around a text; `dtype`: of products, torch.int8 among them."""
        self.bert = _bert(folder, _weights(folder, dtype))
        """The transformer, for callers that use its parts."""
        if dtype is torch.int8:
            self.bert = quantised(self.bert, *calibration_rows(self.bert, *ends))
        self._multiple = ROW_MULTIPLES.get(dtype, 1)
        self._pooling = folder.pooling

    def __call__(self, token_ids: TokenIds, lengths: Sequence[int]) -> Tensor:
        """Return pooled vectors, float32 [rows, width], of rows given end to end, int32 [sum(lengths)]."""
        rows = pack(token_ids, lengths, self._multiple)
        hidden = self.bert(rows)
        return torch.cat([self._pooled(block.of(hidden), block.of(rows.real)) for block in rows.blocks])

    def _pooled(self, hidden: Tensor, real: Tensor) -> Tensor:
        """float32 [rows, width] of hidden [rows, length, width] and real [rows, length]."""
        if self._pooling == "cls":
            return hidden[:, 0].float()
        summed = torch.bmm(real[:, None, :].to(hidden.dtype), hidden)[:, 0].float()
        return summed / real.sum(1, keepdim=True)


class BertTokens:
    """The transformer alone."""

    def __init__(self, folder: BertFolder, ends: tuple[int, int], dtype: torch.dtype) -> None:
        """As BertEncoder's."""
        self._bert = _bert(folder, _weights(folder, dtype))
        if dtype is torch.int8:
            self._bert = quantised(self._bert, *calibration_rows(self._bert, *ends))
        self._multiple = ROW_MULTIPLES.get(dtype, 1)

    def __call__(self, token_ids: TokenIds, lengths: Sequence[int]) -> Tensor:
        """Return last hidden states, [sum(lengths), width], of rows given end to end, int32."""
        rows = pack(token_ids, lengths, self._multiple)
        return self._bert(rows)[rows.real]


class BertVocabularyStates:
    """A masked language model up to its decoder: what is multiplied with every word piece's vector."""

    def __init__(self, folder: BertFolder, ends: tuple[int, int], dtype: torch.dtype) -> None:
        """As BertEncoder's."""
        weights = _weights(folder, dtype)
        self._bert = _bert(folder, weights)
        self._multiple = ROW_MULTIPLES.get(dtype, 1)
        self._transform = linear_of(weights, "cls.predictions.transform.dense")
        self._norm = norm_of(weights, "cls.predictions.transform.LayerNorm", folder.epsilon)
        words = weights["embeddings.word_embeddings.weight"]
        decoder = weights.get("cls.predictions.decoder.weight", words)
        bias = weights["cls.predictions.bias"]
        self.decoder: Decoder
        """Over word pieces' own vectors; the word embeddings where the model ties them."""
        if dtype is torch.int8:
            sample = calibration_rows(self._bert, *ends)
            self._bert = quantised(self._bert, *sample)
            rows, states = self(*sample)
            self.decoder = Int8Decoder(decoder, bias, states[rows.real])
        else:
            self.decoder = FloatDecoder(decoder, bias)

    @torch.inference_mode()
    def __call__(self, token_ids: TokenIds, lengths: Sequence[int]) -> tuple[PackedRows, Tensor]:
        """Rows given end to end, int32 [sum(lengths)], as they are packed; their states [tokens, width]."""
        rows = pack(token_ids, lengths, self._multiple)
        return rows, self._norm(self._transform.with_gelu(self._bert(rows)))


class BertPairs:
    """A cross-encoder up to its last layer: the first token's state, pooled as BERT does it."""

    def __init__(self, folder: BertFolder, separator: int | None, dtype: torch.dtype) -> None:
        """`separator`: the token behind which the second text begins, None for one text; fp32 or bf16.

        A token's place and its segment add up, so there is a table of places for each segment.
        """
        weights = _weights(folder, dtype)
        bert = _bert(folder, weights)
        places = weights["embeddings.position_embeddings.weight"]
        segments = weights["embeddings.token_type_embeddings.weight"]
        self._places = len(places)
        both = torch.cat([places + segments[0], places + segments[1]])
        self._bert = Bert(bert.words, both, bert.norm, bert.layers)
        self._separator = separator
        self._multiple = ROW_MULTIPLES.get(dtype, 1)
        self._pooler = linear_of(weights, "pooler.dense")
        self.head = Linear(weights["classifier.weight"].float(), weights["classifier.bias"].float())
        """The last layer: one number a pair."""

    def __call__(self, token_ids: TokenIds, lengths: Sequence[int]) -> Tensor:
        """Return the inputs of the last layer, float32 [rows, width], of rows given end to end."""
        rows = pack(token_ids, lengths, self._multiple)
        if self._separator is not None:
            second = second_segment(rows, self._separator)
            rows = replace(rows, positions=rows.positions + self._places * second)
        hidden = self._bert(rows)
        firsts = torch.cat([block.of(hidden)[:, 0] for block in rows.blocks])
        return torch.tanh(self._pooler.plain(firsts).float())


def _bert(folder: BertFolder, weights: Mapping[str, Tensor]) -> Bert:
    return Bert.of(weights, folder.layers, folder.heads, folder.epsilon)


def _weights(folder: BertFolder, dtype: torch.dtype) -> dict[str, Tensor]:
    """In that dtype; for int8 in fp32, from which it is rounded."""
    floats = torch.float32 if dtype is torch.int8 else dtype
    return {
        name.removeprefix("bert."): tensor.to(floats) if tensor.is_floating_point() else tensor
        for name, tensor in load_file(str(folder.path / "model.safetensors")).items()
    }
