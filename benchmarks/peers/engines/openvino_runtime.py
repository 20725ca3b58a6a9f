"""OpenVINO: BertModel converted from torch; fp32, bf16 or fp16 by its hint, int8 by NNCF.

int8: weights and activations (static, calibrated on the sample, with NNCF's scheme for transformers).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
import torch

from .contract import Encode, Layout, Setting, Vectors, on_padded, spread
from .pooled import PooledBert

__all__ = ["layouts", "load"]

PRECISIONS: Final = {"float32": "f32", "bfloat16": "bf16", "float16": "f16", "int8": "f32"}
"""INFERENCE_PRECISION_HINT of each variant: for int8 that of whatever is not quantised."""


def layouts(cores: int) -> Sequence[Layout]:
    """Both ways: speed does not depend on the size of a call."""
    return spread(cores)


def load(setting: Setting) -> Encode:
    """A compiled model with a stream for each lane."""
    import openvino

    core = openvino.Core()
    properties = {
        "INFERENCE_PRECISION_HINT": PRECISIONS[setting.variant],
        "NUM_STREAMS": str(setting.layout.lanes),
        "INFERENCE_NUM_THREADS": str(setting.layout.lanes * setting.layout.threads),
    }
    compiled = core.compile_model(_converted(setting), "CPU", properties)

    def forward(ids: Any, mask: Any) -> Vectors:
        answer = compiled.create_infer_request().infer([ids, mask])
        vectors: Vectors = np.array(answer[0], dtype=np.float32)
        return vectors

    return on_padded(forward)


def _converted(setting: Setting) -> Any:
    import openvino

    path = setting.scratch / f"{'int8' if setting.variant == 'int8' else 'plain'}.xml"
    if not path.exists():
        ids = torch.ones((3, 48), dtype=torch.int64)
        model = openvino.convert_model(
            PooledBert(setting.folder, torch.float32),
            example_input={"input_ids": ids, "attention_mask": ids},
        )
        if setting.variant == "int8":
            model = _quantised(model, setting)
        openvino.save_model(model, path, compress_to_fp16=False)
    return openvino.Core().read_model(path)


def _quantised(model: Any, setting: Setting) -> Any:
    import nncf

    inputs = [(row[None].astype(np.int64), np.ones((1, len(row)), dtype=np.int64)) for row in setting.sample]
    return nncf.quantize(
        model,
        nncf.Dataset(inputs, list),
        model_type=nncf.ModelType.TRANSFORMER,
        subset_size=len(inputs),
    )
