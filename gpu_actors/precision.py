"""Which dtype a model computes in, chosen when it is loaded by trying it.

Comes in: how to load a model in a dtype. Leaves: the forward that is used. On a CUDA device that is bf16.
On a CPU it is bf16 where the CPU has the instructions, the vectors stay as good (cosine >= 0.999 to fp32 on
a probe) and it is faster; else fp32.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias

import numpy as np
import torch
from torch import Tensor

from gpu_actors.budget import TokenIds
from gpu_actors.cpu import has_bf16
from gpu_actors.tokens import TextTokenizer

__all__ = ["Forward", "LoadedModel", "load_model"]

Forward: TypeAlias = Callable[[TokenIds, Sequence[int]], Tensor]
"""Token ids of rows end to end, int32 [sum(lengths)], and their lengths -> a vector a row, [rows, d]."""

LEAST_COSINE: Final = 0.999
PROBE: Final = (
    "Adults with type 2 diabetes and a glycated haemoglobin of 7.5 % or more were eligible.",
    "The primary outcome was death from any cause at 90 days; 41 of 412 treated patients died. " * 6,
    "Expression of the receptor was lower in tumour tissue than in adjacent normal tissue. " * 12,
    "No serious adverse events were reported.",
)


@dataclass(frozen=True, slots=True)
class LoadedModel:
    """A warm model; several threads may call it."""

    forward: Forward
    dtype: str
    probe: tuple[TokenIds, tuple[int, ...]]
    """A small micro-batch that warms a process up: token ids and lengths."""

    @property
    def sample(self) -> TokenIds:
        """The longest row of the probe, about as long as a chunk."""
        token_ids, lengths = self.probe
        rows = np.split(token_ids, np.cumsum(lengths)[:-1])
        return max(rows, key=len)

    def __call__(self, token_ids: TokenIds, lengths: Sequence[int]) -> Tensor:
        """A vector a row, [rows, d] on the device, of rows given end to end, int32 [sum(lengths)]."""
        return _run(self.forward, token_ids, lengths)


def load_model(load: Callable[[torch.dtype], Forward], device: str, tokenizer: TextTokenizer) -> LoadedModel:
    """The model in the dtype that serves best, warmed up."""
    rows = tokenizer.token_ids(PROBE)
    probe = np.concatenate(rows), tuple(map(len, rows))
    if device == "cuda":
        forward = load(torch.bfloat16)
        _run(forward, *probe)
        return LoadedModel(forward, "bfloat16", probe)
    torch.set_num_threads(1)
    exact = load(torch.float32)
    if not has_bf16():
        _run(exact, *probe)
        return LoadedModel(exact, "float32", probe)
    rounded = load(torch.bfloat16)
    exact_vectors, exact_seconds = _timed(exact, probe)
    rounded_vectors, rounded_seconds = _timed(rounded, probe)
    cosine = float(torch.nn.functional.cosine_similarity(exact_vectors, rounded_vectors).min())
    if cosine >= LEAST_COSINE and rounded_seconds < exact_seconds:
        return LoadedModel(rounded, "bfloat16", probe)
    return LoadedModel(exact, "float32", probe)


@torch.inference_mode()
def _run(forward: Forward, token_ids: TokenIds, lengths: Sequence[int]) -> Tensor:
    return forward(token_ids, lengths)


def _timed(forward: Forward, probe: tuple[TokenIds, tuple[int, ...]]) -> tuple[Tensor, float]:
    """The probe's vectors in fp32 and the CPU seconds of a second call; the first one warms up."""
    _run(forward, *probe)
    started = time.thread_time()
    return _run(forward, *probe).float(), time.thread_time() - started
