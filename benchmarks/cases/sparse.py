"""Term weights: the plane against the model called directly and sentence-transformers' SparseEncoder."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from gpu_actors.batches.pieces import cut
from gpu_actors.batches.token_budget import TokenBudget
from gpu_actors.batches.tokens import TextTokenizer
from gpu_actors.encoders.splade import SpladeEncoder
from gpu_actors.health.cpu import cores
from gpu_actors.pools.rows import sparse_rows
from gpu_actors.profiles import find_model
from orchestration.errors import ConfigurationError

from ..bench import TIMEOUT, Bench
from ..load.round_robin import best_rates, matrix_limits, model_operations, of_limits, threads
from .dense import on_lanes


def measure(bench: Bench) -> dict[str, Any]:
    """Documents per second of all contenders, round robin, and the plane's ratios to them."""
    pool = bench.plane.pools.sparse_encoders
    if bench.profile.sparse_model is None or pool is None:
        raise ConfigurationError(f"the profile has no sparse model: {bench.profile.sparse_off}.")
    model = find_model(bench.profile.sparse_model)
    tokenizer = TextTokenizer(model.files, model.token_limit(bench.profile.sparse_max_tokens))
    pieces = [cut(ids, tokenizer.room) for ids in tokenizer.token_ids(bench.texts)]
    rows = [piece for of_text in pieces for piece in of_text]
    budget = TokenBudget(bench.profile.batch_tokens)

    def plane() -> None:
        of_texts = [cut(ids, tokenizer.room) for ids in tokenizer.token_ids(bench.texts)]
        sparse_rows(pool, of_texts, budget, TIMEOUT)

    encoder = SpladeEncoder(bench.profile)
    contenders = {
        "raw": on_lanes(encoder, rows, bench.profile.batch_tokens),
        "plane": plane,
        "sparse_encoder": sparse_encoder(model.files, bench, "float32"),
        "sparse_encoder_bf16": sparse_encoder(model.files, bench, "bfloat16"),
    }
    rates = best_rates(contenders, len(bench.texts), bench.rounds)
    operations = model_operations(rows, model.files, encoder.width) / len(bench.texts)
    limits = matrix_limits(bench.profile.device, cores())
    return {
        "documents": len(bench.texts),
        "model": model.model_id,
        "dtype": encoder.dtype,
        "docs_per_second": {name: round(rate, 1) for name, rate in rates.items()},
        "plane_to_raw": round(rates["plane"] / rates["raw"], 3),
        "plane_to_limit": of_limits(rates["plane"], operations, limits),
        "plane_to_sparse_encoder": round(rates["plane"] / rates["sparse_encoder"], 2),
        "plane_to_sparse_encoder_bf16": round(rates["plane"] / rates["sparse_encoder_bf16"], 2),
    }


def sparse_encoder(folder: Path, bench: Bench, dtype: str) -> Callable[[], Any]:
    """SparseEncoder.encode_document as it comes, but for the dtype."""
    import torch
    from sentence_transformers import SparseEncoder

    model = SparseEncoder(
        str(folder),
        device=bench.profile.device,
        local_files_only=True,
        model_kwargs={"dtype": getattr(torch, dtype)},
    )
    model.encode_document(list(bench.texts[:8]))
    return threads(cores(), lambda: model.encode_document(list(bench.texts)))
