"""Token ids to unit vectors by a vLLM server that this process started.

Input: token ids with special tokens, one micro-batch at a time. Output: float32 [n, d], unit length. Requests
contain token ids and answers raw float32: neither is converted to text. Several requests are in flight at the
same time, which the server combines into its batches.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import Literal

import numpy as np

from gpu_actors.batches.token_budget import TokenIds
from gpu_actors.encoders.dense_model import DenseModel
from gpu_actors.health.cpu import has_fast_bf16
from gpu_actors.profiles import Profile, find_model
from gpu_actors.vllm.server import ServerOptions, VllmServer, find_vllm
from orchestration.records import Float32Matrix

__all__ = ["VllmEncoder"]


class VllmEncoder(DenseModel):
    """A served model; see dense_model.DenseModel."""

    def __init__(self, profile: Profile) -> None:
        super().__init__(profile)
        self.lanes = profile.dense_lanes
        model = find_model(profile.embedding_model)
        dtype: Literal["bfloat16", "float32"]
        dtype = "bfloat16" if profile.device == "cuda" or has_fast_bf16() else "float32"
        self.dtype = dtype
        options = ServerOptions(
            runner="pooling",
            device=profile.device,
            dtype=dtype,
            max_tokens=model.token_limit(profile.max_tokens),
            batch_tokens=profile.batch_tokens,
            memory_share=profile.gpu_memory_share,
        )
        self._server = VllmServer(find_vllm(profile.vllm_command), model.files, options)
        self._lock = threading.Lock()
        self._cpu_seconds = 0.0
        probe = self._tokenizer.token_ids(["warm up"])[0]
        self.width = self._probed(probe, (len(probe),))

    def _pooled(self, token_ids: TokenIds, lengths: Sequence[int]) -> Float32Matrix:
        ends = np.cumsum(lengths)[:-1]
        return self._server.embed([row.tolist() for row in np.split(token_ids, ends)])

    def watch(self, on_death: Callable[[str], None]) -> None:
        """Call `on_death` with the end of the server's log if it ends."""
        self._server.watch(on_death)

    def cpu_seconds_elsewhere(self) -> float:
        """Return the CPU seconds of the server since the previous call."""
        with self._lock:
            before, self._cpu_seconds = self._cpu_seconds, self._server.cpu_seconds()
            return max(0.0, self._cpu_seconds - before)

    def close(self) -> None:
        """End the server."""
        self._server.close()
