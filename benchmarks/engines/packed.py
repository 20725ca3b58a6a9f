"""BERT over packed rows as gpu_actors.bert has it, with attention and products that can be exchanged.

Variants: "float32" with flash attention; "float32-unshifted" with attention.unshifted. int8.py exchanges the
products.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from benchmarks.engines.attention import Attend, flash, unshifted
from benchmarks.engines.contract import BATCH_TOKENS, Encode, Layout, Setting, Vectors
from benchmarks.engines.fused import our_encoder
from gpu_actors.bert import Bert, Layer
from gpu_actors.budget import TokenIds

__all__ = ["Body", "layouts", "load", "packed_encode"]


@dataclass(frozen=True, slots=True)
class Body:
    """The products of a layer."""

    attention_in: Callable[[Tensor], Tensor]
    attention_out: Callable[[Tensor, Tensor], Tensor]
    """(mixed values, residual) -> sum."""
    feed_forward: Callable[[Tensor], Tensor]
    """Its residual included."""


def layouts(cores: int) -> Sequence[Layout]:
    """A lane a core: one call over all cores would wait in each of its small operators."""
    return [Layout(cores, 1, BATCH_TOKENS)]


def load(setting: Setting) -> Encode:
    """The model in the variant's dtype."""
    torch.set_num_threads(setting.layout.threads)
    dtype, _, attention = setting.variant.partition("-")
    bert = our_encoder(setting.folder, getattr(torch, dtype)).bert
    bodies = [_fused(layer) for layer in bert.layers]
    return packed_encode(bert, bodies, unshifted if attention == "unshifted" else flash)


def packed_encode(bert: Bert, bodies: Sequence[Body], attend: Attend) -> Encode:
    """An encode of layers with these bodies."""

    @torch.inference_mode()
    def encode(token_ids: TokenIds, lengths: Sequence[int]) -> Vectors:
        ids = torch.from_numpy(token_ids).to(torch.int64)
        positions = torch.cat([bert.positions[:length] for length in lengths])
        hidden = bert.norm(functional.embedding(ids, bert.words) + positions)
        for layer, body in zip(bert.layers, bodies, strict=True):
            mixed = attend(body.attention_in(hidden), lengths, layer.heads)
            hidden = layer.attention_norm(body.attention_out(mixed, hidden))
            hidden = layer.norm(body.feed_forward(hidden))
        return torch.stack([row.float().mean(0) for row in torch.split(hidden, list(lengths))]).numpy()

    return encode


def _fused(layer: Layer) -> Body:
    """As gpu_actors.bert has it."""
    return Body(
        attention_in=layer.attention_in.plain,
        attention_out=layer.attention_out.plus,
        feed_forward=lambda hidden: layer.narrow.plus(layer.widen.with_gelu(hidden), hidden),
    )
