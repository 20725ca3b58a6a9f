"""Who is compared: each engine's variants, the environment they run in and how to get it.

Comes in: nothing. Leaves: a table of records; adding an engine is a module and lines here.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

__all__ = ["CONTENDERS", "ENGINES_PYTHON", "OURS", "REFERENCE", "Contender"]

ENGINES_PYTHON: Final = Path(__file__).parents[3] / ".venv-engines" / "bin" / "python"
"""What `make engines` makes."""


@dataclass(frozen=True, slots=True)
class Contender:
    """An engine in one of its variants."""

    name: str
    module: str
    """Of this package; see contract.Engine."""
    variant: str
    environment: Literal["medkg", "engines", "none"]
    install: str = "make setup"
    """What to do when it is absent; for environment "none", why it cannot be had."""
    rounded: bool = False
    """Whether it computes in int8, so that nDCG rather than the cosine judges it."""


OURS: Final = {"float32": "medkg fp32", "bfloat16": "medkg bf16", "int8": "medkg int8"}
"""The actor takes the fastest one whose cosine holds (gpu_actors.encoders.precision)."""

REFERENCE: Final = "sentence-transformers fp32"

CONTENDERS: Final = (
    Contender("medkg fp32", "fused", "float32", "medkg"),
    Contender("medkg bf16", "fused", "bfloat16", "medkg"),
    Contender("medkg int8", "fused", "int8", "medkg", rounded=True),
    Contender(REFERENCE, "sentences", "float32", "medkg"),
    Contender("sentence-transformers bf16", "sentences", "bfloat16", "medkg"),
    Contender("torch.compile fp32", "compiled", "float32", "medkg", "make setup, and a C++ compiler"),
    Contender("torch.compile bf16", "compiled", "bfloat16", "medkg", "make setup, and a C++ compiler"),
    Contender("medkg fp32, unshifted softmax", "packed", "float32", "medkg"),
    Contender("medkg int8, unshifted softmax", "packed", "int8", "medkg", rounded=True),
    Contender("ONNX Runtime fp32", "onnx_runtime", "float32", "engines", "make engines"),
    Contender("ONNX Runtime int8", "onnx_runtime", "int8", "engines", "make engines", rounded=True),
    Contender("OpenVINO fp32", "openvino_runtime", "float32", "engines", "make engines"),
    Contender("OpenVINO bf16", "openvino_runtime", "bfloat16", "engines", "make engines"),
    Contender("OpenVINO fp16", "openvino_runtime", "float16", "engines", "make engines"),
    Contender("OpenVINO int8 (NNCF)", "openvino_runtime", "int8", "engines", "make engines", rounded=True),
    Contender("vLLM", "served", "default", "medkg", "make vllm, and MEDKG_VLLM_COMMAND"),
    Contender(
        "Intel Extension for PyTorch",
        "",
        "",
        "none",
        "its last release, 2.8.0, is built for torch 2.8; medkg has 2.13",
    ),
)
