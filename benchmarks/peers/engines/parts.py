"""Where cpu_bert.bert's time goes, on one core: `python -m benchmarks.peers.engines.parts [DTYPE]...`.

Comes in: a micro-batch of rows of one length. Leaves: a line for each part with its share and, for products
and attention, GFLOP/s against this core's largest matrix products. Times are torch.profiler's own, by
operator and shape, of the encoder as it is; the best of several calls counts.
"""

from __future__ import annotations

import sys
from collections import defaultdict
from collections.abc import Sequence
from typing import Any, Final

import numpy as np
import torch
from torch.profiler import ProfilerActivity, profile

from gpu_actors.batches.token_budget import TokenIds
from gpu_actors.cpu_bert.bert_models import BertEncoder
from gpu_actors.profiles import find_model, get_profile

from ...load.round_robin import matrix_limits
from .fused import our_encoder

__all__ = ["parts"]

TOKENS: Final = 4096
LENGTH: Final = 350
CALLS: Final = 4


def parts(dtype: str) -> dict[str, Any]:
    """Milliseconds a call by part, their operations, the whole, and the limit in operations a second."""
    torch.set_num_threads(1)
    encoder = our_encoder(find_model(get_profile("cpu").embedding_model).files, getattr(torch, dtype))
    lengths = [LENGTH] * (TOKENS // LENGTH)
    token_ids = np.random.default_rng(1).integers(1000, 30_000, sum(lengths), dtype=np.int32)
    calls = (_call(encoder, token_ids, lengths) for _ in range(CALLS))
    measured = min(calls, key=lambda call: sum(call[0].values()))
    return {
        "dtype": dtype,
        "documents": len(lengths),
        "milliseconds": measured[0],
        "operations": measured[1],
        "limit": matrix_limits("cpu", 1)[dtype],
    }


@torch.inference_mode()
def _call(
    encoder: BertEncoder, token_ids: TokenIds, lengths: Sequence[int]
) -> tuple[dict[str, float], dict[str, float]]:
    """Milliseconds and operations by part of one call, after one that warms up."""
    encoder(token_ids, lengths)
    with profile(activities=[ProfilerActivity.CPU], record_shapes=True) as profiled:
        encoder(token_ids, lengths)
    milliseconds: dict[str, float] = defaultdict(float)
    operations: dict[str, float] = defaultdict(float)
    for event in profiled.key_averages(group_by_input_shape=True):
        name, each = _part(event.key, event.input_shapes)
        milliseconds[name] += event.self_cpu_time_total / 1e3
        operations[name] += each * event.count
    return dict(milliseconds), dict(operations)


def _part(operator: str, shapes: Sequence[Sequence[int]]) -> tuple[str, float]:
    """What an operator is for, and the floating-point operations of one call."""
    if "_linear_pointwise" in operator:
        tokens, width = shapes[0]
        out = [shape[0] for shape in shapes[1:] if len(shape) == 2 and shape[1] == width][-1]  # of the weight
        return f"product {width} -> {out}", 2.0 * tokens * width * out
    if "qlinear_pointwise" in operator:
        tokens, width = shapes[0]
        out = shapes[3][1]  # of the weight, packed [in, out]
        return f"product {width} -> {out}", 2.0 * tokens * width * out
    if "flash_attention" in operator:
        rows, heads, columns, size = shapes[0]
        return "attention", 4.0 * rows * heads * columns**2 * size
    if "layer_norm" in operator:
        return "layer norms", 0.0
    return "all else: rounding, embedding, copies, mask, pooling", 0.0


def _show(result: dict[str, Any]) -> None:
    whole = sum(result["milliseconds"].values())
    limit = result["limit"]
    lines = [
        f"{result['dtype']}: {whole:.0f} ms for {result['documents']} documents, "
        f"{result['documents'] / whole * 1e3:.1f} a second and core; {limit / 1e9:.0f} GFLOP/s at most, "
        f"{sum(result['operations'].values()) / whole * 1e3 / limit:.0%} of that"
    ]
    for name, spent in sorted(result["milliseconds"].items(), key=lambda item: -item[1]):
        line = f"  {name:44} {spent:7.1f} ms {spent / whole:6.1%}"
        if operations := result["operations"][name]:
            rate = operations / spent * 1e3
            line += f" {rate / 1e9:6.0f} GFLOP/s, {rate / limit:.0%} of the limit"
        lines.append(line)
    sys.stdout.write("\n".join(lines) + "\n")


if __name__ == "__main__":
    for chosen in sys.argv[1:] or ("float32", "bfloat16", "int8"):
        _show(parts(chosen))
