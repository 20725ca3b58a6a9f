"""sentence-transformers: batches of 32 rows sorted by length, all threads in one call, as encode() does it.

Tokenising is left out. Its fp32 vectors are the reference of every cosine.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import torch

from .contract import BATCH_TOKENS, Encode, Layout, Setting, Vectors, on_padded

__all__ = ["layouts", "load"]

BATCH_SIZE: Final = 32
"""encode()'s default."""


def layouts(cores: int) -> Sequence[Layout]:
    """The one that encode() has."""
    return [Layout(1, cores, BATCH_TOKENS, BATCH_SIZE)]


def load(setting: Setting) -> Encode:
    """SentenceTransformer in the variant's dtype."""
    from sentence_transformers import SentenceTransformer

    torch.set_num_threads(setting.layout.threads)
    model = SentenceTransformer(
        str(setting.folder),
        device="cpu",
        local_files_only=True,
        model_kwargs={"dtype": getattr(torch, setting.variant)},
    ).eval()

    @torch.inference_mode()
    def forward(ids: Any, mask: Any) -> Vectors:
        features = {"input_ids": torch.from_numpy(ids), "attention_mask": torch.from_numpy(mask)}
        pooled: torch.Tensor = model(features)["sentence_embedding"]
        return pooled.float().numpy()

    return on_padded(forward)
