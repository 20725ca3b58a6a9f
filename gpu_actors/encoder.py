"""Token ids to unit vectors with a sentence-transformers model: the hot path under every embedder.

Comes in: token ids without special tokens, a micro-batch at a time. Leaves: float32 [n, d], unit length.
Nothing is truncated: a text with too many tokens is the caller's error before it gets here. On a CPU with
bf16 instructions the model runs in bf16 if a probe finds it faster and as good (cosine >= 0.999 to fp32).
"""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
from sentence_transformers import SentenceTransformer

from gpu_actors.profiles import Profile, find_model
from orchestration.records import Float32Matrix

__all__ = ["Encoder"]

LEAST_COSINE: Final = 0.999
PROBE: Final = (
    "Adults with type 2 diabetes and a glycated haemoglobin of 7.5 % or more were eligible.",
    "The primary outcome was death from any cause at 90 days; 41 of 412 treated patients died.",
    "Expression of the receptor was lower in tumour tissue than in adjacent normal tissue. " * 12,
    "No serious adverse events were reported.",
)


class Encoder:
    """A loaded model; not thread-safe."""

    def __init__(self, profile: Profile) -> None:
        self._device = profile.device
        if self._device == "cpu":
            torch.set_num_threads(os.cpu_count() or 1)
        model = find_model(profile.embedding_model)
        self.model_id = model.model_id
        self._model = self._loaded(model.location, torch.float32)
        self.dtype = "float32"
        if self._device == "cuda":
            self._model, self.dtype = self._loaded(model.location, torch.bfloat16), "bfloat16"
        elif has_bf16():
            self._choose_dtype(model.location)
        self._pad = int(self._model.tokenizer.pad_token_id or 0)

    @property
    def dimensions(self) -> int:
        return int(self._model.get_embedding_dimension() or 0)

    def encode(self, token_ids: Sequence[Sequence[int]]) -> Float32Matrix:
        """Unit vectors, float32 [n, d], of one micro-batch; special tokens are in the ids."""
        return _forward(self._model, *_padded(token_ids, self._pad, self._device))

    def _loaded(self, location: str, dtype: torch.dtype) -> SentenceTransformer:
        model = SentenceTransformer(
            location,
            device=self._device,
            model_kwargs={"dtype": dtype},
            local_files_only=Path(location).is_dir(),
        )
        return model.eval()

    def _choose_dtype(self, location: str) -> None:
        """Take bf16 if it is as good as fp32 on the probe, and faster."""
        candidate = self._loaded(location, torch.bfloat16)
        encoded = candidate.tokenizer(list(PROBE), padding=True, return_tensors="pt")
        inputs = encoded["input_ids"], encoded["attention_mask"]
        exact, exact_seconds = _timed(self._model, *inputs)
        rounded, rounded_seconds = _timed(candidate, *inputs)
        cosine = float(np.sum(exact * rounded, axis=1).min())
        if cosine >= LEAST_COSINE and rounded_seconds < exact_seconds:
            self._model, self.dtype = candidate, "bfloat16"


def has_bf16() -> bool:
    """Whether this CPU multiplies bf16 matrices in hardware (Linux's flags in /proc/cpuinfo)."""
    try:
        flags = Path("/proc/cpuinfo").read_text(encoding="utf-8")
    except OSError:
        return False
    return "amx_bf16" in flags or "avx512_bf16" in flags


def _padded(token_ids: Sequence[Sequence[int]], pad: int, device: str) -> tuple[torch.Tensor, torch.Tensor]:
    """(ids, mask), int64 [n, longest]."""
    lengths = np.fromiter(map(len, token_ids), dtype=np.int64, count=len(token_ids))
    ids = np.full((len(token_ids), int(lengths.max())), pad, dtype=np.int64)
    for row, values in zip(ids, token_ids, strict=True):
        row[: len(values)] = values
    mask = (np.arange(ids.shape[1]) < lengths[:, None]).astype(np.int64)
    return torch.from_numpy(ids).to(device), torch.from_numpy(mask).to(device)


@torch.inference_mode()
def _forward(model: SentenceTransformer, ids: torch.Tensor, mask: torch.Tensor) -> Float32Matrix:
    features: dict[str, Any] = model({"input_ids": ids, "attention_mask": mask})
    vectors = torch.nn.functional.normalize(features["sentence_embedding"].float(), dim=1)
    return vectors.cpu().numpy()


def _timed(model: SentenceTransformer, ids: torch.Tensor, mask: torch.Tensor) -> tuple[Float32Matrix, float]:
    """Vectors and the seconds of a second call; the first one warms up."""
    _forward(model, ids, mask)
    started = time.perf_counter()
    return _forward(model, ids, mask), time.perf_counter() - started
