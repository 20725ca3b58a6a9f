"""Token ids to unit vectors by torch in this process: the cpu profile's hot path.

Input: token ids with special tokens, one micro-batch at a time. Output: float32 [n, d], unit length. A plain
BERT on the CPU runs in bert_models.BertEncoder, everything else in sentence-transformers' modules.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from gpu_actors.batches.packing import pad
from gpu_actors.batches.token_budget import TokenIds
from gpu_actors.cpu_bert.bert_models import BertEncoder, plain_bert
from gpu_actors.encoders.dense_model import DenseModel
from gpu_actors.encoders.precision import Forward, load_model
from gpu_actors.profiles import Profile, find_model
from orchestration.records import Float32Matrix

__all__ = ["TorchEncoder"]


class TorchEncoder(DenseModel):
    """A model in this process; see dense_model.DenseModel.

    On a CPU each call computes on one core and there is one lane per core: all cores are busy, without the
    barriers of a shared thread pool, which wait for the core that another process uses.
    """

    def __init__(self, profile: Profile) -> None:
        super().__init__(profile)
        folder = find_model(profile.embedding_model).files
        self.lanes = profile.lanes
        plain = plain_bert(folder) if profile.device == "cpu" else None
        load: Callable[[torch.dtype], Forward]
        if plain is not None:
            load, dtypes = partial(BertEncoder, plain, self._tokenizer.ends), {torch.bfloat16, torch.int8}
        else:
            load, dtypes = partial(_sentence_transformers, folder, self.device), {torch.bfloat16}
        self._model = load_model(load, dtypes, profile.device, self._tokenizer)
        self.dtype, self.sample = self._model.dtype, self._model.sample
        self.width = self._probed(*self._model.probe)

    def _pooled(self, token_ids: TokenIds, lengths: Sequence[int]) -> Float32Matrix:
        return self._model(token_ids, lengths).float().cpu().numpy()


def _sentence_transformers(folder: Path, device: str, dtype: torch.dtype) -> Forward:
    """Any other architecture, by the library's own modules."""
    from sentence_transformers import SentenceTransformer

    model = SentenceTransformer(
        str(folder), device=device, model_kwargs={"dtype": dtype}, local_files_only=True
    ).eval()

    def forward(token_ids: TokenIds, lengths: Sequence[int]) -> Tensor:
        ids, mask = pad(token_ids, lengths).rectangle(device)
        features: dict[str, Any] = model({"input_ids": ids, "attention_mask": mask})
        return features["sentence_embedding"]  # type: ignore[no-any-return]

    return forward
