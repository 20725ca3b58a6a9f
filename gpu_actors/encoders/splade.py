"""Token ids to term weights by SPLADE: the sparse encoder of every profile.

Input: token ids with special tokens, one micro-batch at a time. Output: CSR rows over the vocabulary:
max over tokens of log(1 + relu(logits)), of which the strongest terms are kept. The logits of all tokens
over the whole vocabulary are never in memory together: the maximum is taken block by block. Nothing is
truncated: callers cut texts before.
Source: Formal et al., SPLADE v2, arXiv:2109.10086; max pooling commutes with log1p, relu and a term's bias.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import torch
from torch import Tensor
from torch.nn import functional

from gpu_actors.batches.micro_batches import encoded_in_process
from gpu_actors.batches.packing import PackedRows, pad
from gpu_actors.batches.pieces import NO_TERMS, SparseRow, cut, merged
from gpu_actors.batches.token_budget import TokenIds
from gpu_actors.batches.tokens import TextTokenizer
from gpu_actors.cpu_bert.bert_models import BertFolder, BertVocabularyStates, plain_masked_bert
from gpu_actors.cpu_bert.decoder import Decoder, FloatDecoder
from gpu_actors.encoders.precision import Forward, load_model
from gpu_actors.profiles import Profile, find_model
from orchestration.errors import ConfigurationError
from orchestration.records import SparseMatrix

__all__ = ["SpladeEncoder"]


class SpladeEncoder:
    """A loaded model. `lanes` threads may call `encode` at the same time (see torch_encoder.py)."""

    def __init__(self, profile: Profile) -> None:
        assert profile.sparse_model is not None
        model = find_model(profile.sparse_model)
        _check_pooling(model.files)
        self.model_id = model.model_id
        self.lanes = profile.lanes
        self._top_terms = profile.top_terms
        self._batch_tokens = profile.batch_tokens
        self._tokenizer = TextTokenizer(model.files, model.token_limit(profile.sparse_max_tokens))
        plain = plain_masked_bert(model.files) if profile.device == "cpu" else None
        load: Callable[[torch.dtype], Forward]
        if plain is not None:
            load, dtypes = partial(_fused, plain, self._tokenizer.ends), {torch.bfloat16, torch.int8}
        else:
            load, dtypes = partial(_transformers, model.files, profile.device), {torch.bfloat16}
        self._model = load_model(load, dtypes, profile.device, self._tokenizer)
        self.device, self.dtype = profile.device, self._model.dtype
        self.sample: TokenIds | None = self._model.sample
        self.width = self.encode(*self._model.probe).vocabulary
        """Size of the vocabulary."""

    def encode(self, token_ids: TokenIds, lengths: Sequence[int]) -> SparseMatrix:
        """Return CSR rows, terms ascending, of rows given end to end, int32 [sum(lengths)]."""
        return _strongest(self._model(token_ids, lengths), self._top_terms)

    def encode_sparse(self, texts: Sequence[str]) -> SparseMatrix:
        """Return CSR rows of texts, in order; a text longer than the model's limit is encoded in pieces."""
        pieces = [cut(ids, self._tokenizer.room) for ids in self._tokenizer.token_ids(texts)]
        rows = [piece for of_text in pieces for piece in of_text]
        weights: list[SparseRow] = [NO_TERMS] * len(rows)
        for batch, encoded in encoded_in_process(rows, self._batch_tokens, self.lanes, self.encode):
            for number, position in enumerate(batch.positions):
                weights[position] = encoded.row(number)
        return SparseMatrix.of_rows(list(merged(weights, list(map(len, pieces)))), self.width)


def _fused(plain: BertFolder, ends: tuple[int, int], dtype: torch.dtype) -> Forward:
    """Term weights, float32 [rows, vocabulary], of rows of token ids, by bert_models.py."""
    bert = BertVocabularyStates(plain, ends, dtype)
    return lambda token_ids, lengths: _weights(*bert(token_ids, lengths), bert.decoder)


def _transformers(folder: Path, device: str, dtype: torch.dtype) -> Forward:
    """The same for any other architecture, by transformers' own forward."""
    from transformers import AutoModelForMaskedLM

    model = AutoModelForMaskedLM.from_pretrained(str(folder), dtype=dtype, local_files_only=True)
    model = model.eval().to(device)
    head = model.get_output_embeddings()
    bias = head.bias if head.bias is not None else head.weight.new_zeros(len(head.weight))
    decoder = FloatDecoder(head.weight, bias)
    head.forward = lambda states: states  # the model's `logits` are now the decoder's inputs

    def forward(token_ids: TokenIds, lengths: Sequence[int]) -> Tensor:
        rows = pad(token_ids, lengths)
        ids, mask = rows.rectangle(device)
        states = model(input_ids=ids, attention_mask=mask).logits
        return _weights(rows, states.flatten(0, 1), decoder)

    return forward


def _weights(rows: PackedRows, states: Tensor, decoder: Decoder) -> Tensor:
    """max over a row's tokens of log(1 + relu(logits)), float32 [rows, vocabulary].

    `states`: [tokens, width] of the packed rows. Padding gets its row's first state, which changes no
    maximum.
    """
    tokens = states
    if not rows.is_whole:
        own = torch.arange(len(rows.ids))
        tokens = states[torch.where(rows.real, own, own - rows.positions).to(states.device)]
    strongest = torch.empty(rows.rows, decoder.vocabulary, dtype=torch.float32, device=states.device)
    for terms, logits in decoder.blocks(tokens):
        for block in rows.blocks:
            strongest[block.rows, terms] = _largest_positive(block.of(logits))
    return torch.log1p(strongest.relu_())


def _largest_positive(logits: Tensor) -> Tensor:
    """Maximum over dim 1 where it is positive; any value that is not positive elsewhere.

    Positive bf16 numbers have the order of their bits read as int16, and negative ones have negative bits; on
    a CPU that maximum is four times faster.
    """
    if logits.dtype is torch.bfloat16 and logits.device.type == "cpu":
        return logits.view(torch.int16).amax(1).view(torch.bfloat16)
    return logits.amax(1)


def _strongest(weights: Tensor, most: int) -> SparseMatrix:
    """The positive weights, at most `most` per row, selected on the device."""
    if int((weights > 0).sum(1).max()) > most:
        top = weights.topk(most, dim=1)
        weights = torch.zeros_like(weights).scatter_(1, top.indices, top.values)
    rows, terms = weights.nonzero(as_tuple=True)
    counts = torch.bincount(rows, minlength=len(weights))
    indptr = functional.pad(counts.cumsum(0), (1, 0))
    return SparseMatrix(
        indptr.cpu().numpy(),
        terms.to(torch.int32).cpu().numpy(),
        weights[rows, terms].cpu().numpy(),
        weights.shape[1],
    )


def _check_pooling(folder: Path) -> None:
    """Raise ConfigurationError for a model that pools in another way than this module."""
    path = folder / "1_SpladePooling" / "config.json"
    pooling = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    strategy = pooling.get("pooling_strategy", "max")
    activation = pooling.get("activation_function", "relu")
    if (strategy, activation) != ("max", "relu"):
        raise ConfigurationError(
            f"sparse model {folder}: it pools by {strategy} of {activation}; medkg supports max of relu. "
            "Choose another model in MEDKG_SPARSE_MODEL."
        )
