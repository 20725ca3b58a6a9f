"""vLLM on the CPU as gpu_actors.vllm uses it: token ids over HTTP to a local server."""

from __future__ import annotations

import atexit
import os
from collections.abc import Sequence

from gpu_actors.encoders.dense import load_dense
from gpu_actors.profiles import VLLM_REQUESTS, chosen_profile
from orchestration.errors import MedkgError

from .contract import BATCH_TOKENS, Encode, Layout, Setting

__all__ = ["layouts", "load"]


def layouts(cores: int) -> Sequence[Layout]:
    """Several requests under way; the server divides the cores."""
    return [Layout(VLLM_REQUESTS, cores, BATCH_TOKENS)]


def load(setting: Setting) -> Encode:
    """A started server; raises ImportError when there is no vLLM."""
    try:
        model = load_dense(
            chosen_profile(
                "cpu",
                embedding_model=str(setting.folder),
                engine="vllm",
                vllm_command=os.environ.get("MEDKG_VLLM_COMMAND"),
            )
        )
    except MedkgError as error:
        raise ImportError(str(error)) from error
    atexit.register(model.close)
    return model.encode
