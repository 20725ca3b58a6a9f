"""ONNX Runtime: BertModel exported by torch, fused by its transformers optimizer; int8 quantised dynamically.

int8: weights by channel, activations by tensor at run time. Its CPU provider has no bf16 or fp16 kernels for
these operators (fp16 is cast to fp32 and back), so there is no such variant.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import torch

from .contract import Encode, Layout, Setting, Vectors, on_padded, spread
from .pooled import PooledBert

__all__ = ["layouts", "load"]

CALL_TOKENS: Final = 1024
INPUTS: Final = ("input_ids", "attention_mask")


def layouts(cores: int) -> Sequence[Layout]:
    """Small calls: its attention holds all scores of a call, and 4,096 tokens took 16 % longer."""
    return spread(cores, CALL_TOKENS)


def load(setting: Setting) -> Encode:
    """A session; the model is exported when first asked for."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = setting.layout.threads
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    session = onnxruntime.InferenceSession(
        str(_exported(setting)), options, providers=["CPUExecutionProvider"]
    )
    types = [(node.name, "int32" if "int32" in node.type else "int64") for node in session.get_inputs()]

    def forward(ids: Any, mask: Any) -> Vectors:
        values = dict(zip(INPUTS, (ids, mask), strict=True))
        answer: Vectors = session.run(None, {name: values[name].astype(dtype) for name, dtype in types})[0]
        return answer

    return on_padded(forward)


def _exported(setting: Setting) -> Path:
    """The file of the variant: "float32" or "int8"."""
    exact = setting.scratch / "float32.onnx"
    if not exact.exists():
        _export(setting.folder, exact)
    if setting.variant == "float32":
        return exact
    rounded = setting.scratch / "int8.onnx"
    if not rounded.exists():
        import onnx
        from onnxruntime.quantization import QuantType, quantize_dynamic

        quantize_dynamic(
            exact,
            rounded,
            per_channel=True,
            weight_type=QuantType.QInt8,
            # The fused operators are not known to ONNX's shape inference.
            extra_options={"DefaultTensorType": onnx.TensorProto.FLOAT},
        )
    return rounded


def _export(folder: Path, path: Path) -> None:
    """Eager attention, since that is what the optimizer knows how to fuse."""
    from onnxruntime.transformers import optimizer

    model = PooledBert(folder, torch.float32, attention="eager")
    ids = torch.ones((3, 48), dtype=torch.int64)
    axes = {name: {0: "rows", 1: "longest"} for name in INPUTS}
    plain = path.with_name("plain.onnx")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(
            model,
            (ids, ids),
            str(plain),
            input_names=list(INPUTS),
            output_names=["pooled"],
            dynamic_axes={**axes, "pooled": {0: "rows"}},
            opset_version=17,
            dynamo=False,
        )
    config = model.bert.config
    fused = optimizer.optimize_model(
        str(plain), model_type="bert", num_heads=config.num_attention_heads, hidden_size=config.hidden_size
    )
    fused.save_model_to_file(str(path))
