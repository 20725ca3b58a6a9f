"""medkg's own: gpu_actors.bert.BertEncoder, in fp32 or bf16. What the others are compared with."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from benchmarks.engines.contract import BATCH_TOKENS, Encode, Layout, Setting, Vectors
from gpu_actors.bert import BertEncoder, plain_bert
from gpu_actors.budget import TokenIds

__all__ = ["layouts", "load"]


def layouts(cores: int) -> Sequence[Layout]:
    """As the actor runs it: a lane a core, its own budget."""
    return [Layout(cores, 1, BATCH_TOKENS)]


def load(setting: Setting) -> Encode:
    """The encoder in the variant's dtype; raises ValueError for a model that is no plain BERT."""
    torch.set_num_threads(setting.layout.threads)
    folder = plain_bert(setting.folder)
    if folder is None:
        raise ValueError(f"{setting.folder} is no plain BERT")
    model = BertEncoder(folder, getattr(torch, setting.variant))

    @torch.inference_mode()
    def encode(token_ids: TokenIds, lengths: Sequence[int]) -> Vectors:
        return model(token_ids, lengths).numpy()

    return encode
