"""transformers' BertModel with mean pooling: what torch.compile compiles and what the exporters export."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from torch import Tensor

__all__ = ["PooledBert"]


class PooledBert(torch.nn.Module):
    """ids and mask, int64 [rows, longest] -> mean of the last hidden states, [rows, width]."""

    def __init__(self, folder: Path, dtype: torch.dtype, attention: str = "sdpa") -> None:
        super().__init__()
        from transformers import BertModel

        self.bert: Any = BertModel.from_pretrained(
            str(folder), dtype=dtype, attn_implementation=attention, local_files_only=True
        )
        self.eval()

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        hidden: Tensor = self.bert(input_ids=input_ids, attention_mask=attention_mask).last_hidden_state
        weights = attention_mask[:, :, None].to(hidden.dtype)
        return (hidden * weights).sum(1) / weights.sum(1)
