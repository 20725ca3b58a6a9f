"""Token ids to unit vectors: the hot path under every embedder.

Comes in: token ids with special tokens, a micro-batch at a time. Leaves: float32 [n, d], unit length. A plain
BERT on the CPU runs in bert.BertEncoder, everything else in sentence-transformers' modules. Nothing is
truncated: that is checked before.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from gpu_actors.batching import TokenIds, encoded_here
from gpu_actors.bert import BertEncoder, plain_bert
from gpu_actors.precision import Forward, load_model
from gpu_actors.profiles import Profile, find_model
from gpu_actors.tokens import TextTokenizer
from orchestration.records import Float32Matrix

__all__ = ["Encoder"]


class Encoder:
    """A loaded model. `encode` may be called by `lanes` threads at once.

    On a CPU each call computes on one core and there is a lane for every core: that keeps all of them busy
    without the barriers of a shared thread pool, which wait for whichever core another process holds.
    """

    def __init__(self, profile: Profile) -> None:
        model = find_model(profile.embedding_model)
        self.model_id = model.model_id
        self.lanes = profile.lanes
        self._batch_tokens = profile.batch_tokens
        self._tokenizer = TextTokenizer(model.files, model.token_limit(profile.max_tokens))
        plain = plain_bert(model.files) if profile.device == "cpu" else None
        load = (
            partial(BertEncoder, plain)
            if plain
            else partial(_sentence_transformers, model.files, profile.device)
        )
        self.model = load_model(load, profile.device, self._tokenizer)
        self.width = int(self.encode(*self.model.probe).shape[1])
        """Dimensions of a vector."""

    def encode(self, token_ids: TokenIds, lengths: Sequence[int]) -> Float32Matrix:
        """Unit vectors, float32 [n, d], of rows given end to end, int32 [sum(lengths)]."""
        vectors = torch.nn.functional.normalize(self.model(token_ids, lengths).float(), dim=1)
        return vectors.cpu().numpy()

    def embed(self, texts: Sequence[str]) -> Float32Matrix:
        """Unit vectors of texts, float32 [n, d], in order; raises EmbeddingInputTooLongError."""
        rows = self._tokenizer.token_ids(texts)
        for error in filter(None, map(self._tokenizer.too_long, rows)):
            raise error
        vectors = np.zeros((len(texts), self.width), dtype=np.float32)
        for batch, encoded in encoded_here(rows, self._batch_tokens, self.lanes, self.encode):
            vectors[list(batch.positions)] = encoded
        return vectors


def _sentence_transformers(folder: Path, device: str, dtype: torch.dtype) -> Forward:
    """Any other architecture, by the library's own modules."""
    from sentence_transformers import SentenceTransformer

    model = SentenceTransformer(
        str(folder), device=device, model_kwargs={"dtype": dtype}, local_files_only=True
    ).eval()

    def forward(ids: Tensor, mask: Tensor) -> Tensor:
        features: dict[str, Any] = model({"input_ids": ids, "attention_mask": mask})
        return features["sentence_embedding"]  # type: ignore[no-any-return]

    return forward
