"""Vectors: as good as sentence-transformers', in order, nothing truncated."""

from __future__ import annotations

import os

import numpy as np
import pytest
from haystack import Document, Pipeline

from gpu_actors.bert import plain_bert
from gpu_actors.chunker import HaystackChunker
from gpu_actors.embedder import HaystackEmbedder
from gpu_actors.encoder import Encoder
from gpu_actors.plane import LocalModels
from gpu_actors.profiles import Model, chosen_profile, get_profile
from gpu_actors.tokens import TextTokenizer
from orchestration.errors import EmbeddingInputTooLongError

TEXTS = [
    "Sleep.",
    "Walkers slept 32 minutes longer (95% CI 12 to 52) than those who sat.",
    "Adults were asked to walk for half an hour a day and to write down when they slept. " * 14,
    "Ein Satz auf Deutsch, mit Umlauten: häufig, über, größer. ",
    "β-blocker · 5 µg/kg · p<0.001 " * 9,
]


@pytest.fixture(scope="module")
def embedder() -> HaystackEmbedder:
    return HaystackEmbedder("cpu")


@pytest.fixture(scope="module")
def reference(minilm: Model) -> np.ndarray:
    """What sentence-transformers itself computes, float32 [n, 384]."""
    os.environ.setdefault("HF_HUB_OFFLINE", "1")
    from sentence_transformers import SentenceTransformer

    model = SentenceTransformer(str(minilm.files), device="cpu", local_files_only=True)
    model.max_seq_length = 512
    return np.asarray(model.encode(TEXTS, normalize_embeddings=True))


def cosines(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    return np.asarray((one * other).sum(axis=1))


def test_vectors_are_those_of_sentence_transformers(
    embedder: HaystackEmbedder, reference: np.ndarray
) -> None:
    documents = embedder.run([Document(content=text) for text in TEXTS])["documents"]
    vectors = np.array([document.embedding for document in documents], dtype=np.float32)

    assert [document.content for document in documents] == TEXTS
    assert cosines(vectors, reference).min() >= 0.999
    assert np.allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-4)


def test_local_models_give_the_same_vectors(reference: np.ndarray) -> None:
    vectors = LocalModels(chosen_profile("cpu")).embed_texts(TEXTS)

    assert vectors.dtype == np.float32
    assert cosines(vectors, reference).min() >= 0.999


def test_minilm_takes_the_written_out_forward(minilm: Model) -> None:
    assert plain_bert(minilm.files) is not None


def test_other_architectures_run_in_sentence_transformers_modules(
    minilm: Model, tokenizer: TextTokenizer, reference: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gpu_actors.encoder.plain_bert", lambda folder: None)
    encoder = Encoder(get_profile("cpu"))
    rows = tokenizer.token_ids(TEXTS)

    vectors = encoder.encode(np.concatenate(rows), [len(row) for row in rows])

    assert cosines(vectors, reference).min() >= 0.999


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
