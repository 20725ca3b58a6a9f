"""Token ids to unit vectors: the hot path under every embedder.

Comes in: token ids with special tokens, a micro-batch at a time. Leaves: float32 [n, d], unit length. A plain
BERT on the CPU runs in bert.BertEncoder, everything else in sentence-transformers' modules. The dtype on a
CPU is chosen by a probe when the model is loaded: bf16 where the CPU has the instructions, the vectors stay
as good (cosine >= 0.999 to fp32) and it is faster. Nothing is truncated: that is checked before.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final, TypeAlias

import numpy as np
import torch
from torch import Tensor

from gpu_actors.batching import TokenIds, padded
from gpu_actors.bert import ROW_MULTIPLE, BertEncoder, plain_bert
from gpu_actors.profiles import Profile, find_model
from gpu_actors.tokens import TextTokenizer
from orchestration.records import Float32Matrix

__all__ = ["Encoder", "has_bf16"]

Forward: TypeAlias = Callable[[Tensor, Tensor], Tensor]
"""(ids, mask), int64 [rows, longest] -> pooled vectors [rows, d]."""

LEAST_COSINE: Final = 0.999
PROBE: Final = (
    "Adults with type 2 diabetes and a glycated haemoglobin of 7.5 % or more were eligible.",
    "The primary outcome was death from any cause at 90 days; 41 of 412 treated patients died. " * 6,
    "Expression of the receptor was lower in tumour tissue than in adjacent normal tissue. " * 12,
    "No serious adverse events were reported.",
)


class Encoder:
    """A loaded model. `encode` may be called by `lanes` threads at once.

    On a CPU each call computes on one core and there is a lane for every core: that keeps all of them busy
    without the barriers of a shared thread pool, which wait for whichever core another process holds.
    """

    def __init__(self, profile: Profile) -> None:
        model = find_model(profile.embedding_model)
        self.model_id = model.model_id
        self.device = profile.device
        self.lanes = profile.lanes
        tokenizer = TextTokenizer(model.files, model.token_limit(profile.max_tokens))
        probe = tokenizer.token_ids(PROBE)
        self.probe = np.concatenate(probe), tuple(map(len, probe))
        """A small micro-batch that warms a model up: token ids and lengths."""
        if profile.device == "cuda":
            self._forward, self.dtype = (
                _sentence_transformers(model.files, "cuda", torch.bfloat16),
                "bfloat16",
            )
            self.encode(*self.probe)
        else:
            torch.set_num_threads(1)
            self._forward, self.dtype = self._chosen(model.files)

    def encode(self, token_ids: TokenIds, lengths: Sequence[int]) -> Float32Matrix:
        """Unit vectors, float32 [n, d], of rows given end to end, int32 [sum(lengths)]."""
        return self._vectors(self._forward, token_ids, lengths)

    @torch.inference_mode()
    def _vectors(self, forward: Forward, token_ids: TokenIds, lengths: Sequence[int]) -> Float32Matrix:
        ids, mask = padded(token_ids, lengths, pad=0, multiple=ROW_MULTIPLE)
        pooled = forward(torch.from_numpy(ids).to(self.device), torch.from_numpy(mask).to(self.device))
        vectors = torch.nn.functional.normalize(pooled.float(), dim=1)
        return vectors.cpu().numpy()

    def _chosen(self, folder: Path) -> tuple[Forward, str]:
        """The fp32 forward, or the bf16 one if it is as good on the probe, and faster."""
        plain = plain_bert(folder)

        def load(dtype: torch.dtype) -> Forward:
            return BertEncoder(plain, dtype) if plain else _sentence_transformers(folder, "cpu", dtype)

        exact = load(torch.float32)
        if not has_bf16():
            self._vectors(exact, *self.probe)
            return exact, "float32"
        rounded = load(torch.bfloat16)
        exact_vectors, exact_seconds = self._timed(exact)
        rounded_vectors, rounded_seconds = self._timed(rounded)
        cosine = float(np.sum(exact_vectors * rounded_vectors, axis=1).min())
        if cosine >= LEAST_COSINE and rounded_seconds < exact_seconds:
            return rounded, "bfloat16"
        return exact, "float32"

    def _timed(self, forward: Forward) -> tuple[Float32Matrix, float]:
        """The probe's vectors and the CPU seconds of a second call; the first one warms up."""
        self._vectors(forward, *self.probe)
        started = time.thread_time()
        return self._vectors(forward, *self.probe), time.thread_time() - started


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


def has_bf16() -> bool:
    """Whether this CPU multiplies bf16 matrices in hardware (Linux's flags in /proc/cpuinfo)."""
    try:
        flags = Path("/proc/cpuinfo").read_text(encoding="utf-8")
    except OSError:
        return False
    return "amx_bf16" in flags or "avx512_bf16" in flags
