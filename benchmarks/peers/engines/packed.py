"""BERT over packed rows as cpu_bert.bert has it, but softmax without its shift (attention.unshifted).

Variants: the dtype of the products, as fused.py's.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch.nn import functional

from gpu_actors.batches.token_budget import TokenIds

from .attention import unshifted
from .contract import BATCH_TOKENS, Encode, Layout, Setting, Vectors
from .fused import our_encoder

__all__ = ["layouts", "load"]


def layouts(cores: int) -> Sequence[Layout]:
    """A lane a core: one call over all cores would wait in each of its small operators."""
    return [Layout(cores, 1, BATCH_TOKENS)]


def load(setting: Setting) -> Encode:
    """The model in the variant's dtype."""
    torch.set_num_threads(setting.layout.threads)
    bert = our_encoder(setting.folder, getattr(torch, setting.variant)).bert

    @torch.inference_mode()
    def encode(token_ids: TokenIds, lengths: Sequence[int]) -> Vectors:
        ids = torch.from_numpy(token_ids).to(torch.int64)
        positions = torch.cat([bert.positions[:length] for length in lengths])
        hidden = bert.norm(functional.embedding(ids, bert.words) + positions)
        for layer in bert.layers:
            mixed = unshifted(layer.products.attention_in(hidden), lengths, layer.heads)
            hidden = layer.attention_norm(layer.products.attention_out(mixed, hidden))
            hidden = layer.norm(layer.products.feed_forward(hidden))
        return torch.stack([row.float().mean(0) for row in torch.split(hidden, list(lengths))]).numpy()

    return encode
