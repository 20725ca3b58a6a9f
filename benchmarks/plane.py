"""The plane against its bound and its peers, on the same texts in one run: documents a second and ratios.

    python -m benchmarks.plane --path FILE_OR_FOLDER [--limit N]

raw: the model called directly on the same micro-batches, as many threads as lanes. plane: texts in, vectors
out, through Ray. Peers: Haystack's own pipeline with default components, and sentence-transformers' encode.
limit: what the CPU's bf16 and fp32 matrix products would give if nothing else cost time. All take turns
in each round, and the best round of each counts.
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from benchmarks.results_file import write_result
from gpu_actors.batching import MicroBatches, TokenBudget
from gpu_actors.plane import RayPlane, start_plane
from gpu_actors.profiles import NO_MODEL, chosen_profile, find_model
from gpu_actors.tokens import TextTokenizer

PROFILE = chosen_profile("cpu", sparse_model=NO_MODEL)
TIMEOUT = 300.0
MATRIX = 2048
PRODUCTS = 12


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure all of them on the same texts and write the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--path", required=True, help="JSONL of abstracts, or a folder of text")
    parser.add_argument("--limit", type=int, default=300, help="documents to take")
    parser.add_argument("--rounds", type=int, default=3, help="rounds of raw and plane, one after the other")
    options = parser.parse_args(arguments)
    os.environ.setdefault("HF_HUB_OFFLINE", "1")
    model = find_model(PROFILE.embedding_model)
    tokenizer = TextTokenizer(model.files, model.token_limit(PROFILE.max_tokens))
    texts = [
        text
        for text in texts_of(Path(options.path))
        if tokenizer.too_long(tokenizer.token_ids([text])[0]) is None
    ][: options.limit]
    figures = measured(texts, tokenizer, model.files, options.rounds)
    write_result("plane", figures)


def measured(texts: Sequence[str], tokenizer: TextTokenizer, folder: Path, rounds: int) -> dict[str, Any]:
    """Every figure: all contenders and the limit in each round, so that they share the machine's moods."""
    rows = tokenizer.token_ids(texts)
    limit = floating_operations(rows, folder) / len(texts)
    raw, dtype = raw_model(texts, tokenizer)
    peers = {
        "sentence_transformers_encode": on_all_cores(sentence_transformers(folder, texts)),
        "haystack_pipeline": on_all_cores(haystack_pipeline(folder, texts)),
    }
    started = time.perf_counter()
    plane = start_plane(PROFILE, folder=Path(tempfile.mkdtemp(prefix="medkg-b-")), dashboard=False)
    ready_seconds = time.perf_counter() - started
    contenders = {"raw": raw, "plane": lambda: plane.embed(texts, TIMEOUT), **peers}
    best: dict[str, float] = {}
    try:
        for _ in range(rounds):
            for name, work in contenders.items():
                best[name] = max(best.get(name, 0.0), rate(work, len(texts)))
            for name in ("bfloat16", "float32"):
                best[name] = max(best.get(name, 0.0), products_per_second(name) / limit)
        hand_off = hand_off_milliseconds(plane, texts)
    finally:
        plane.close()
    limits = {name: best.pop(name) for name in ("bfloat16", "float32")}
    return {
        "documents": len(texts),
        "rounds": rounds,
        "tokens_per_document": round(sum(map(len, rows)) / len(texts), 1),
        "dtype": dtype,
        "lanes": PROFILE.lanes,
        "plane_ready_seconds": round(ready_seconds, 1),
        "docs_per_second": {name: round(value, 1) for name, value in best.items()},
        "limit_docs_per_second": {name: round(value, 1) for name, value in limits.items()},
        "ratios": {
            "plane_to_raw": round(best["plane"] / best["raw"], 3),
            "plane_to_limit": round(best["plane"] / max(limits.values()), 3),
            **{f"plane_to_{name}": round(best["plane"] / best[name], 2) for name in peers},
        },
        "query_milliseconds": hand_off,
    }


def on_all_cores(work: Callable[[], Any]) -> Callable[[], Any]:
    """The work with torch's own thread pool, as it is by default."""
    return with_threads(PROFILE.lanes, work)


def with_threads(threads: int, work: Callable[[], Any]) -> Callable[[], Any]:
    """The work with so many threads within each operator."""
    import torch

    def threaded() -> Any:
        torch.set_num_threads(threads)
        return work()

    return threaded


def texts_of(path: Path) -> list[str]:
    """Abstracts of JSONL files ({sections: [{label, text}]}) and contents of text files below the path."""
    files = sorted(path.rglob("*")) if path.is_dir() else [path]
    texts: list[str] = []
    for file in files:
        if file.suffix == ".jsonl":
            for line in file.read_text(encoding="utf-8").split("\n"):
                record = json.loads(line) if line.strip() else {}
                if "sections" in record:
                    texts.append("\n\n".join(f"{s['label']}\n{s['text']}" for s in record["sections"]))
        elif file.suffix in (".md", ".txt"):
            texts.append(file.read_text(encoding="utf-8"))
    return texts


def rate(work: Callable[[], Any], documents: int) -> float:
    """Documents a second of one run."""
    started = time.perf_counter()
    work()
    return documents / (time.perf_counter() - started)


def raw_model(texts: Sequence[str], tokenizer: TextTokenizer) -> tuple[Callable[[], Any], str]:
    """The encoder on ready-made micro-batches, in a thread for each lane; and its dtype."""
    from gpu_actors.encoder import Encoder

    encoder = Encoder(PROFILE)
    batches = list(MicroBatches(tokenizer.token_ids(texts), TokenBudget(PROFILE.batch_tokens), encoder.lanes))
    encoder.encode(batches[0].token_ids, batches[0].lengths)

    def work() -> None:
        with ThreadPoolExecutor(encoder.lanes) as lanes:
            list(lanes.map(lambda batch: encoder.encode(batch.token_ids, batch.lengths), batches))

    return with_threads(1, work), encoder.dtype


def sentence_transformers(folder: Path, texts: Sequence[str]) -> Callable[[], Any]:
    """encode() as it comes, but for the token limit, which is set to ours; all cores."""
    from sentence_transformers import SentenceTransformer

    model = SentenceTransformer(str(folder), device="cpu", local_files_only=True)
    model.max_seq_length = PROFILE.max_tokens
    model.encode(list(texts[:8]))
    return lambda: model.encode(list(texts))


def haystack_pipeline(folder: Path, texts: Sequence[str]) -> Callable[[], Any]:
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
        model=str(folder), device=ComponentDevice.from_str("cpu"), progress_bar=False
    )
    pipeline.add_component("embedder", embedder)
    pipeline.connect("splitter", "embedder")
    pipeline.warm_up()
    pipeline.run({"splitter": {"documents": [Document(content=text) for text in texts[:4]]}})
    documents = [Document(content=text) for text in texts]
    return lambda: pipeline.run({"splitter": {"documents": documents}})


def floating_operations(rows: Sequence[Sequence[int]], folder: Path) -> float:
    """Of the model's matrix products over all rows: 2 (12 w^2 t + 2 w t^2) a layer."""
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    width, layers = config["hidden_size"], config["num_hidden_layers"]
    return float(sum(2 * layers * (12 * width**2 * len(row) + 2 * width * len(row) ** 2) for row in rows))


def products_per_second(dtype: str) -> float:
    """Floating-point operations a second of large matrix products, best of several, all cores."""
    import torch

    torch.set_num_threads(PROFILE.lanes)
    left, right = (torch.randn(MATRIX, MATRIX, dtype=getattr(torch, dtype)) for _ in range(2))
    seconds = []
    for _ in range(PRODUCTS):
        started = time.perf_counter()
        left @ right
        seconds.append(time.perf_counter() - started)
    return 2 * MATRIX**3 / min(seconds)


def hand_off_milliseconds(plane: RayPlane, texts: Sequence[str]) -> dict[str, float]:
    """A query's way to the hot model and back, one at a time."""
    times = []
    for text in texts[:50]:
        started = time.perf_counter()
        plane.embed_queries([text[:80]])
        times.append((time.perf_counter() - started) * 1000)
    times.sort()
    return {"p50": round(times[len(times) // 2], 1), "p95": round(times[int(len(times) * 0.95)], 1)}


if __name__ == "__main__":
    main()
