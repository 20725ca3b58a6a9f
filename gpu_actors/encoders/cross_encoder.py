"""Rows of question and passage to scores by a cross-encoder: the model of every reranker.

Input: token ids of pairs (pairs.py), one micro-batch at a time. Output: the model's logit per row, float32
[n, 1]; higher is better, and logits of two questions are not comparable. A plain BERT on the CPU runs in
bert_models.BertPairs, everything else in transformers' own forward, both in fp32 or bf16; int8 is not used,
since the probe's cosine of vectors says too little about scores. The last layer is always computed in fp32,
since bf16 would turn close scores into ties.
Source: Nogueira, Cho, Passage re-ranking with BERT, arXiv:1901.04085.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.nn import functional

from gpu_actors.batches.micro_batches import vectors_in_process
from gpu_actors.batches.packing import pad, second_segment
from gpu_actors.batches.pairs import PairTokenizer, best_pieces
from gpu_actors.batches.token_budget import TokenIds
from gpu_actors.batches.tokens import TextTokenizer
from gpu_actors.cpu_bert.bert_models import BertFolder, BertPairs, plain_pair_bert
from gpu_actors.encoders.precision import load_model
from gpu_actors.profiles import Profile, find_model
from orchestration.errors import ConfigurationError
from orchestration.records import Float32Matrix

__all__ = ["CrossEncoder"]


class CrossEncoder:
    """A loaded model. `lanes` threads may call `encode` at the same time (see torch_encoder.py)."""

    width = 1
    """Scores per row."""

    def __init__(self, profile: Profile) -> None:
        assert profile.rerank_model is not None
        model = find_model(profile.rerank_model)
        most = model.token_limit(profile.rerank_max_tokens)
        self.model_id = model.model_id
        self.lanes = profile.lanes
        self._batch_tokens = profile.batch_tokens
        self._pairs = PairTokenizer(model.files, most)
        tokenizer = TextTokenizer(model.files, most)
        plain = plain_pair_bert(model.files) if profile.device == "cpu" else None
        load: Callable[[torch.dtype], _Pooled]
        if plain is not None:
            load = partial(_Fused, plain, self._pairs.separator)
        else:
            load = partial(_Transformers, model.files, profile.device, self._pairs.separator)
        self._model = load_model(load, {torch.bfloat16}, profile.device, tokenizer)
        self.device, self.dtype = profile.device, self._model.dtype
        self.sample: TokenIds | None = self._model.sample

    def encode(self, token_ids: TokenIds, lengths: Sequence[int]) -> Float32Matrix:
        """Return scores, float32 [n, 1], of rows given end to end, int32 [sum(lengths)]."""
        forward = self._model.forward
        assert isinstance(forward, _Pooled)
        return forward.scores(self._model(token_ids, lengths)).cpu().numpy()

    def score(self, question: str, passages: Sequence[str]) -> npt.NDArray[np.float32]:
        """Return one score per passage, in order; pairs.py cuts passages longer than the model's limit."""
        pieces = self._pairs.rows(question, passages)
        rows = [row for of_passage in pieces for row in of_passage]
        scores = vectors_in_process(rows, self.width, self._batch_tokens, self.lanes, self.encode)
        return best_pieces(scores[:, 0], list(map(len, pieces)))


class _Pooled(ABC):
    """A model without its last layer, and that layer."""

    weight: Tensor
    """float32 [1, width]."""
    bias: Tensor | None
    """float32 [1]."""

    @abstractmethod
    def __call__(self, token_ids: TokenIds, lengths: Sequence[int]) -> Tensor:
        """Inputs of the last layer, [rows, width], of rows given end to end."""

    @torch.inference_mode()
    def scores(self, pooled: Tensor) -> Tensor:
        """float32 [rows, 1]."""
        return functional.linear(pooled.float(), self.weight, self.bias)


class _Fused(_Pooled):
    """By bert_models.py; a plain BERT has segments, so there is a separator."""

    def __init__(self, plain: BertFolder, separator: int | None, dtype: torch.dtype) -> None:
        self._bert = BertPairs(plain, separator, dtype)
        self.weight, self.bias = self._bert.head.weight, self._bert.head.bias

    def __call__(self, token_ids: TokenIds, lengths: Sequence[int]) -> Tensor:
        return self._bert(token_ids, lengths)


class _Transformers(_Pooled):
    """By transformers' own forward, without its last layer."""

    def __init__(self, folder: Path, device: str, separator: int | None, dtype: torch.dtype) -> None:
        from transformers import AutoModelForSequenceClassification

        model = AutoModelForSequenceClassification.from_pretrained(
            str(folder), dtype=dtype, local_files_only=True
        )
        self._model = model.eval().to(device)
        last = [
            (name, layer)
            for name, layer in model.named_modules()
            if isinstance(layer, torch.nn.Linear) and layer.out_features == 1
        ]
        if len(last) != 1:
            raise ConfigurationError(
                f"rerank model {folder}: {len(last)} of its layers have one output, so the layer of its "
                "score is ambiguous. Choose another cross-encoder in MEDKG_RERANK_MODEL."
            )
        ((name, layer),) = last
        self.weight = layer.weight.detach().float()
        self.bias = layer.bias.detach().float() if layer.bias is not None else None
        model.set_submodule(name, torch.nn.Identity())  # its logits are now that layer's inputs
        self._device = device
        self._padding = int(model.config.pad_token_id or 0)
        self._separator = separator if getattr(model.config, "type_vocab_size", 0) > 1 else None

    def __call__(self, token_ids: TokenIds, lengths: Sequence[int]) -> Tensor:
        rows = pad(token_ids, lengths)
        ids, mask = rows.rectangle(self._device)
        inputs = {"input_ids": ids.masked_fill(mask == 0, self._padding), "attention_mask": mask}
        if self._separator is not None:
            (block,) = rows.blocks
            second = block.of(second_segment(rows, self._separator))
            inputs["token_type_ids"] = second.to(self._device, torch.int64)
        return self._model(**inputs).logits  # type: ignore[no-any-return]
