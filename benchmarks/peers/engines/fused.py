"""medkg's own, which the others are compared with: BertEncoder of gpu_actors in fp32, bf16 or int8."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch

from gpu_actors.batches.token_budget import TokenIds
from gpu_actors.batches.tokens import TextTokenizer
from gpu_actors.cpu_bert.bert_models import BertEncoder, plain_bert

from .contract import BATCH_TOKENS, Encode, Layout, Setting, Vectors

__all__ = ["layouts", "load", "our_encoder"]


def layouts(cores: int) -> Sequence[Layout]:
    """As the actor runs it: a lane a core, its own budget."""
    return [Layout(cores, 1, BATCH_TOKENS)]


def load(setting: Setting) -> Encode:
    """The encoder in the variant's dtype; raises ValueError for a model that is no plain BERT."""
    torch.set_num_threads(setting.layout.threads)
    model = our_encoder(setting.folder, getattr(torch, setting.variant))

    @torch.inference_mode()
    def encode(token_ids: TokenIds, lengths: Sequence[int]) -> Vectors:
        return model(token_ids, lengths).numpy()

    return encode


def our_encoder(folder: Path, dtype: torch.dtype) -> BertEncoder:
    """gpu_actors.cpu_bert.bert_models'; raises ValueError for a model that is no plain BERT."""
    plain = plain_bert(folder)
    if plain is None:
        raise ValueError(f"{folder} is no plain BERT")
    ends = TextTokenizer(folder, BATCH_TOKENS).ends
    return BertEncoder(plain, ends, dtype)
