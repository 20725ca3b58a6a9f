"""torch.compile (TorchInductor, dynamic shapes, weights frozen and prepacked) of transformers' BertModel."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch

from .contract import (
    BATCH_TOKENS,
    Encode,
    Layout,
    Setting,
    Vectors,
    encoded,
    on_padded,
    spread,
)
from .pooled import PooledBert

__all__ = ["layouts", "load"]


def layouts(cores: int) -> Sequence[Layout]:
    """Both ways."""
    return spread(cores)


def load(setting: Setting) -> Encode:
    """The model compiled on the sample; needs a C++ compiler."""
    import torch._inductor.config as inductor

    torch._dynamo.reset()
    inductor.freezing = True
    torch.set_num_threads(setting.layout.threads)
    model = torch.compile(PooledBert(setting.folder, getattr(torch, setting.variant)), dynamic=True)

    @torch.inference_mode()
    def forward(ids: Any, mask: Any) -> Vectors:
        pooled: torch.Tensor = model(torch.from_numpy(ids), torch.from_numpy(mask))
        return pooled.float().numpy()

    encode = on_padded(forward)
    # One thread compiles; calls at once would each compile what the others do.
    encoded(setting.sample, encode, Layout(1, setting.layout.threads, BATCH_TOKENS))
    return encode
