"""Vectors: as good as sentence-transformers', in order, nothing truncated."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from haystack import Document, Pipeline

from gpu_actors.batches.tokens import TextTokenizer
from gpu_actors.components.chunker import HaystackChunker
from gpu_actors.components.embedder import HaystackEmbedder
from gpu_actors.cpu_bert.bert_models import BertEncoder, plain_bert
from gpu_actors.encoders.torch_encoder import TorchEncoder
from gpu_actors.plane import LocalModels, model_ids
from gpu_actors.profiles import Model, chosen_profile, get_profile
from orchestration.contracts import folded_text
from orchestration.errors import ConfigurationError, EmbeddingInputTooLongError
from tests.gpu_actors.vllm.tiny_qwen import embedding_model

TEXTS = [
    "Sleep.",
    "Walkers slept 32 minutes longer (95% CI 12 to 52) than those who sat.",
    "Adults were asked to walk for half an hour a day and to write down when they slept. " * 14,
    "Ein Satz auf Deutsch, mit Umlauten: häufig, über, größer. ",
    "β-blocker · 5 µg/kg · p<0.001 " * 9,
]
LEAST = 0.997
"""Cosine to fp32 that every dtype keeps on these texts; int8, which is the least exact, only just."""

SHORT_TEXTS = [text[:200] for text in TEXTS]
"""For models whose tokens are hardly more than bytes."""


@pytest.fixture(scope="module")
def embedder() -> HaystackEmbedder:
    return HaystackEmbedder("cpu")


@pytest.fixture(scope="module")
def reference(minilm: Model) -> np.ndarray:
    return reference_of(minilm.files)


def reference_of(folder: Path, texts: Sequence[str] = TEXTS, **options: Any) -> np.ndarray:
    """What sentence-transformers itself computes of the folded texts, float32 [n, d]."""
    os.environ.setdefault("HF_HUB_OFFLINE", "1")
    from sentence_transformers import SentenceTransformer

    model = SentenceTransformer(str(folder), device="cpu", local_files_only=True)
    model.max_seq_length = max(512, model.max_seq_length or 0)
    folded = [folded_text(text) for text in texts]
    return np.asarray(model.encode(folded, normalize_embeddings=True, **options))


def shortened(vectors: np.ndarray, dimensions: int) -> np.ndarray:
    """The leading dimensions at unit length."""
    leading = vectors[:, :dimensions]
    return np.asarray(leading / np.linalg.norm(leading, axis=1, keepdims=True))


def cosines(vectors: np.ndarray, other: np.ndarray) -> np.ndarray:
    return np.asarray((vectors * other).sum(axis=1))


@pytest.mark.parametrize(("dtype", "least"), [("float32", 0.99999), ("bfloat16", 0.999), ("int8", 0.997)])
def test_vectors_in_each_dtype_are_those_of_sentence_transformers(
    dtype: str, least: float, minilm: Model, tokenizer: TextTokenizer, reference: np.ndarray
) -> None:
    plain = plain_bert(minilm.files)
    assert plain is not None
    rows = tokenizer.token_ids(TEXTS)

    vectors = BertEncoder(plain, tokenizer.ends, getattr(torch, dtype))(
        np.concatenate(rows), [len(row) for row in rows]
    ).numpy()

    assert cosines(vectors / np.linalg.norm(vectors, axis=1, keepdims=True), reference).min() >= least


def test_the_embedder_keeps_documents_and_gives_unit_vectors(
    embedder: HaystackEmbedder, reference: np.ndarray
) -> None:
    documents = embedder.run([Document(content=text) for text in TEXTS])["documents"]
    vectors = np.array([document.embedding for document in documents], dtype=np.float32)

    assert [document.content for document in documents] == TEXTS
    assert cosines(vectors, reference).min() >= LEAST
    assert np.allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-4)


def test_local_models_give_the_same_vectors(reference: np.ndarray) -> None:
    vectors = LocalModels(chosen_profile("cpu")).embed_texts(TEXTS)

    assert vectors.dtype == np.float32
    assert cosines(vectors, reference).min() >= LEAST


def test_minilm_takes_the_written_out_forward(minilm: Model) -> None:
    assert plain_bert(minilm.files) is not None


def test_other_architectures_run_in_sentence_transformers_modules(
    minilm: Model, tokenizer: TextTokenizer, reference: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gpu_actors.encoders.torch_encoder.plain_bert", lambda folder: None)
    encoder = TorchEncoder(get_profile("cpu"))
    rows = tokenizer.token_ids(TEXTS)

    vectors = encoder.encode(np.concatenate(rows), [len(row) for row in rows])

    assert cosines(vectors, reference).min() >= 0.999


def test_a_qwen_embedder_pools_the_last_token_and_instructs_queries(tmp_path: Path) -> None:
    folder = embedding_model(tmp_path)
    models = LocalModels(chosen_profile("cpu", str(folder)))

    texts, queries = models.embed_texts(SHORT_TEXTS), models.embed_queries(SHORT_TEXTS)

    assert cosines(texts, reference_of(folder, SHORT_TEXTS)).min() >= 0.999
    assert cosines(queries, reference_of(folder, SHORT_TEXTS, prompt_name="query")).min() >= 0.999
    assert cosines(texts, queries).max() < 0.999


def test_the_leading_dimensions_of_a_matryoshka_model_are_unit_vectors_under_their_own_name(
    minilm: Model, reference: np.ndarray
) -> None:
    chosen = chosen_profile("cpu", dimensions=64)

    vectors = LocalModels(chosen).embed_texts(TEXTS)

    assert model_ids(chosen)["dense"] == f"{minilm.model_id}:64"
    assert cosines(vectors, shortened(reference, 64)).min() >= LEAST
    with pytest.raises(ConfigurationError, match="have 384 dimensions, and 400 were asked for"):
        LocalModels(chosen_profile("cpu", dimensions=400)).embed_texts(TEXTS)


def test_a_text_too_long_for_the_model_is_an_error_and_not_cut(embedder: HaystackEmbedder) -> None:
    with pytest.raises(EmbeddingInputTooLongError, match="600 tokens does not fit the model's 510"):
        embedder.run([Document(content="walk " * 600)])


def test_chunker_and_embedder_run_in_a_haystack_pipeline(embedder: HaystackEmbedder) -> None:
    pipeline = Pipeline()
    pipeline.add_component("chunker", HaystackChunker())
    pipeline.add_component("embedder", embedder)
    pipeline.connect("chunker", "embedder")
    text = "Walking is cheap, and most adults can do it. " * 100

    out = pipeline.run({"chunker": {"documents": [Document(content=text, meta={"year": 2020})]}})

    chunks = out["embedder"]["documents"]
    assert len(chunks) > 1 and all(len(chunk.embedding) == 384 for chunk in chunks)
    for chunk in chunks:
        start, end = chunk.meta["split_idx_start"], chunk.meta["split_idx_end"]
        assert text[start:end] == chunk.content and chunk.meta["year"] == 2020
