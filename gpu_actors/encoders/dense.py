"""The engine of a profile's dense model.

Input: a profile. Output: a loaded DenseModel: `torch` computes in this process (torch_encoder.py), `vllm` in
a server that this process owns (vllm_encoder.py).
"""

from __future__ import annotations

from gpu_actors.encoders.dense_model import DenseModel
from gpu_actors.profiles import Profile

__all__ = ["load_dense"]


def load_dense(profile: Profile) -> DenseModel:
    """Load the profile's dense model; raises ConfigurationError or PlaneUnavailableError."""
    if profile.engine == "vllm":
        from gpu_actors.encoders.vllm_encoder import VllmEncoder

        return VllmEncoder(profile)
    from gpu_actors.encoders.torch_encoder import TorchEncoder

    return TorchEncoder(profile)
