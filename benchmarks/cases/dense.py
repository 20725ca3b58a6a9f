"""Dense vectors: the plane against the model called directly, sentence-transformers and a Haystack pipeline.

raw: the model on the same micro-batches, as many threads as lanes. plane: texts in, vectors out, through Ray.
Peers: sentence-transformers' encode loop as it comes and in bf16, Haystack's own pipeline with its defaults.
limit: what matrix products alone would take.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from gpu_actors.batches.micro_batches import MicroBatches
from gpu_actors.batches.token_budget import TokenBudget
from gpu_actors.encoders.dense import load_dense
from gpu_actors.encoders.dense_model import DenseModel
from gpu_actors.encoders.splade import SpladeEncoder
from gpu_actors.health.cpu import cores
from gpu_actors.pools.rows import dense_rows
from gpu_actors.profiles import find_model

from ..bench import TIMEOUT, Bench
from ..load.round_robin import best_rates, matrix_limits, model_operations, of_limits, threads


def measure(bench: Bench) -> dict[str, Any]:
    """Documents per second of all contenders, round robin, and the plane's ratios to them."""
    folder = find_model(bench.profile.embedding_model).files
    rows = bench.tokenizer.token_ids(bench.texts)
    pool = bench.plane.pools.embedders
    budget = TokenBudget(bench.profile.batch_tokens)

    def plane() -> None:
        token_ids = bench.tokenizer.token_ids(bench.texts)
        dense_rows(pool, token_ids, budget, TIMEOUT)

    model = load_dense(bench.profile)
    device = bench.profile.device
    contenders = {
        "raw": on_lanes(model, rows, bench.profile.batch_tokens),
        "plane": plane,
        "sentence_transformers": encode_loop(folder, bench, "float32"),
        "sentence_transformers_bf16": encode_loop(folder, bench, "bfloat16"),
        "haystack_pipeline": haystack_pipeline(folder, bench),
    }
    rates = best_rates(contenders, len(bench.texts), bench.rounds)
    limits = matrix_limits(device, cores())
    operations = model_operations(rows, folder) / len(rows)
    tokens = sum(map(len, rows)) / len(rows)
    model.close()
    return {
        "documents": len(rows),
        "tokens_per_document": round(tokens, 1),
        "dtype": model.dtype,
        "docs_per_second": {name: round(rate, 1) for name, rate in rates.items()},
        "tokens_per_second": round(rates["plane"] * tokens),
        "limit_docs_per_second": {name: round(limit / operations, 1) for name, limit in limits.items()},
        "plane_to_raw": round(rates["plane"] / rates["raw"], 3),
        "plane_to_limit": of_limits(rates["plane"], operations, limits),
        **{
            f"plane_to_{name}": round(rates["plane"] / rate, 2)
            for name, rate in rates.items()
            if name not in ("raw", "plane")
        },
    }


def on_lanes(model: DenseModel | SpladeEncoder, rows: Sequence[Any], batch_tokens: int) -> Callable[[], Any]:
    """The model on ready-made micro-batches, in a thread for each lane."""
    batches = list(MicroBatches(rows, TokenBudget(batch_tokens), model.lanes))
    model.encode(batches[0].token_ids, batches[0].lengths)

    def work() -> None:
        with ThreadPoolExecutor(model.lanes) as lanes:
            list(lanes.map(lambda batch: model.encode(batch.token_ids, batch.lengths), batches))

    return threads(1, work)


def encode_loop(folder: Path, bench: Bench, dtype: str) -> Callable[[], Any]:
    """sentence-transformers' encode() as it comes, but for the dtype and the token limit, which is ours."""
    import torch
    from sentence_transformers import SentenceTransformer

    model = SentenceTransformer(
        str(folder),
        device=bench.profile.device,
        local_files_only=True,
        model_kwargs={"dtype": getattr(torch, dtype)},
    )
    model.max_seq_length = bench.profile.max_tokens
    model.encode(list(bench.texts[:8]))
    return threads(cores(), lambda: model.encode(list(bench.texts)))


def haystack_pipeline(folder: Path, bench: Bench) -> Callable[[], Any]:
    """Haystack's splitter and embedder with their defaults (200 words, batches of 32)."""
    from haystack import Document, Pipeline
    from haystack.components.preprocessors import DocumentSplitter
    from haystack.utils import ComponentDevice
    from haystack_integrations.components.embedders.sentence_transformers import (
        SentenceTransformersDocumentEmbedder,
    )

    pipeline = Pipeline()
    pipeline.add_component("splitter", DocumentSplitter(split_by="word", split_length=200))
    embedder = SentenceTransformersDocumentEmbedder(
        model=str(folder), device=ComponentDevice.from_str(bench.profile.device), progress_bar=False
    )
    pipeline.add_component("embedder", embedder)
    pipeline.connect("splitter", "embedder")
    with contextlib.suppress(AttributeError):  # older Haystack warms up by itself
        pipeline.warm_up()
    pipeline.run({"splitter": {"documents": [Document(content=text) for text in bench.texts[:4]]}})
    documents = [Document(content=text) for text in bench.texts]
    return threads(cores(), lambda: pipeline.run({"splitter": {"documents": documents}}))
