"""The dtype of a model: selected by the CPU's instructions and a probe at load, equal on equal machines.

Input: a function that loads a model in a dtype. Output: the forward that is used. On a CUDA device that is
bf16. On a CPU it is the fastest dtype of its kind (bf16 with AMX, int8 with VNNI alone, else fp32) whose
vectors stay close to those in fp32 on a probe: least cosine .999 in bf16 and .998 in int8, at which nDCG does
not change (docs/decisions/0006-plane.md). Nothing is timed, since replicas under different load would select
different dtypes.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias

import numpy as np
import torch
from torch import Tensor

from gpu_actors.batches.token_budget import TokenIds
from gpu_actors.batches.tokens import TextTokenizer
from gpu_actors.health.cpu import has_fast_bf16, has_int8

__all__ = ["LEAST_COSINE", "Forward", "LoadedModel", "fast_dtypes", "load_model"]

Forward: TypeAlias = Callable[[TokenIds, Sequence[int]], Tensor]
"""Token ids of rows end to end, int32 [sum(lengths)], and their lengths -> vectors, [rows, d]."""

LEAST_COSINE: Final = {torch.bfloat16: 0.999, torch.int8: 0.998}
"""To fp32, of each text of the probe; in the order of trial: with AMX both are equally fast."""
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
    """A small micro-batch that warms up a process: token ids and lengths."""

    @property
    def sample(self) -> TokenIds:
        """The longest row of the probe, about as long as a chunk."""
        token_ids, lengths = self.probe
        rows = np.split(token_ids, np.cumsum(lengths)[:-1])
        return max(rows, key=len)

    def __call__(self, token_ids: TokenIds, lengths: Sequence[int]) -> Tensor:
        """Vectors, [rows, d] on the device, of rows given end to end, int32 [sum(lengths)]."""
        return _run(self.forward, token_ids, lengths)


def load_model(
    load: Callable[[torch.dtype], Forward],
    dtypes: Collection[torch.dtype],
    device: str,
    tokenizer: TextTokenizer,
    least_cosine: float | None = None,
) -> LoadedModel:
    """Load the model in the best dtype of this machine and warm it up; `dtypes`: supported beside fp32.

    `least_cosine`: to fp32, of each row of what the forward returns; None: LEAST_COSINE.
    """
    rows = tokenizer.token_ids(PROBE)
    probe = np.concatenate(rows), tuple(map(len, rows))
    if device == "cuda":
        # cuDNN plans its attention for each new shape, which took 50 ms of a micro-batch on an H200; flash
        # and memory-efficient attention need no plan.
        torch.backends.cuda.enable_cudnn_sdp(False)
        forward = load(torch.bfloat16)
        _run(forward, *probe)
        return LoadedModel(forward, "bfloat16", probe)
    torch.set_num_threads(1)
    forward, chosen = load(torch.float32), torch.float32
    exact = _run(forward, *probe)
    for dtype in fast_dtypes():
        if dtype not in dtypes:
            continue
        candidate = load(dtype)
        vectors = _run(candidate, *probe).float()
        if float(torch.nn.functional.cosine_similarity(exact, vectors).min()) >= (
            least_cosine or LEAST_COSINE[dtype]
        ):
            forward, chosen = candidate, dtype
            break
    return LoadedModel(forward, str(chosen).removeprefix("torch."), probe)


def fast_dtypes() -> list[torch.dtype]:
    """Return the dtypes in which this CPU multiplies faster than in fp32, best first."""
    instructions = {torch.bfloat16: has_fast_bf16(), torch.int8: has_int8()}
    return [dtype for dtype in LEAST_COSINE if instructions[dtype]]


@torch.inference_mode()
def _run(forward: Forward, token_ids: TokenIds, lengths: Sequence[int]) -> Tensor:
    return forward(token_ids, lengths)
