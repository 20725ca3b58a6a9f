"""Contenders round robin: each round runs all of them, so that they share the machine's noise.

Comes in: named pieces of work over the same documents. Leaves: documents a second, and what the machine's
matrix products alone would allow.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping, Sequence, Sized
from pathlib import Path
from typing import Any, Final

from gpu_actors.health.cpu import has_int8

__all__ = ["best_rates", "matrix_limits", "model_operations", "of_limits", "threads"]

Work = Callable[[], Any]

MATRIX: Final = 2048
PRODUCTS: Final = 12


def best_rates(contenders: Mapping[str, Work], documents: int, rounds: int) -> dict[str, float]:
    """Documents a second of each contender's best round."""
    best: dict[str, float] = {}
    for _ in range(rounds):
        for name, work in contenders.items():
            started = time.perf_counter()
            work()
            best[name] = max(best.get(name, 0.0), documents / (time.perf_counter() - started))
    return best


def threads(count: int, work: Work) -> Work:
    """The work with so many threads within each of torch's operators."""
    import torch

    def threaded() -> Any:
        torch.set_num_threads(count)
        return work()

    return threaded


def matrix_limits(device: str, cores: int) -> dict[str, float]:
    """Operations a second of large matrix products by dtype, best of several; int8 where a CPU has it."""
    import torch

    torch.set_num_threads(cores)
    limits = {}
    for name, product in _products(device).items():
        seconds = []
        for _ in range(PRODUCTS):
            started = time.perf_counter()
            product()
            if device == "cuda":
                torch.cuda.synchronize()
            seconds.append(time.perf_counter() - started)
        limits[name] = 2 * MATRIX**3 / min(seconds)
    return limits


def _products(device: str) -> dict[str, Work]:
    """A product of two large square matrices in each dtype."""
    import torch

    from gpu_actors.cpu_bert.int8 import NO_RANGE, Int8Linear

    left, right = (torch.randn(MATRIX, MATRIX, device=device) for _ in range(2))
    half_left, half_right = left.bfloat16(), right.bfloat16()
    products: dict[str, Work] = {
        "bfloat16": lambda: half_left @ half_right,
        "float32": lambda: left @ right,
    }
    if device == "cpu" and has_int8():
        linear = Int8Linear(right, torch.zeros(MATRIX), NO_RANGE)
        levels = left.abs().mul_(50).to(torch.uint8)
        products["int8"] = lambda: linear.plain(levels)
    return products


def of_limits(
    docs_per_second: float, operations_per_document: float, limits: Mapping[str, float]
) -> dict[str, float]:
    """The share of each dtype's limit that so many documents a second are."""
    return {
        name: round(docs_per_second * operations_per_document / limit, 3) for name, limit in limits.items()
    }


def model_operations(rows: Sequence[Sized], folder: Path, vocabulary: int = 0) -> float:
    """Operations of a BERT's matrix products over all rows, its decoder included if `vocabulary` is given.

    2 (12 w^2 t + 2 w t^2) a layer; 2 (w^2 + w v) t for a masked language model's head.
    """
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    width, layers = config["hidden_size"], config["num_hidden_layers"]
    head = 2 * (width**2 + width * vocabulary) if vocabulary else 0
    return float(
        sum(
            2 * layers * (12 * width**2 * len(row) + 2 * width * len(row) ** 2) + head * len(row)
            for row in rows
        )
    )
