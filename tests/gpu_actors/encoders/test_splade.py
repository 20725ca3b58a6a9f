"""Term weights: those of sentence-transformers' SparseEncoder, in order, the strongest, nothing cut off."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from haystack import Document, Pipeline

from gpu_actors.components.sparse_expander import HaystackSparseExpander
from gpu_actors.cpu_bert.bert_models import plain_masked_bert
from gpu_actors.encoders.splade import SpladeEncoder, _fused
from gpu_actors.profiles import NO_MODEL, Profile, chosen_profile, find_model
from gpu_actors.shipped_models import shipped_model
from orchestration.contracts import folded_text
from orchestration.errors import ConfigurationError
from orchestration.records import Float32Matrix, SparseMatrix
from tests.gpu_actors.encoders.test_embedding import TEXTS

FOLDER = find_model("splade-mini").files


@pytest.fixture(scope="module")
def encoder() -> SpladeEncoder:
    return SpladeEncoder(chosen_profile("cpu"))


@pytest.fixture(scope="module")
def reference() -> Float32Matrix:
    """What sentence-transformers itself computes of the folded texts in fp32, float32 [n, 30522]."""
    os.environ.setdefault("HF_HUB_OFFLINE", "1")
    from sentence_transformers import SparseEncoder

    model = SparseEncoder(str(FOLDER), device="cpu", local_files_only=True)
    return np.asarray(
        model.encode_document([folded_text(text) for text in TEXTS]).to_dense(), dtype=np.float32
    )


def dense(matrix: SparseMatrix) -> Float32Matrix:
    full = np.zeros((len(matrix), matrix.vocabulary), dtype=np.float32)
    for number in range(len(matrix)):
        terms, weights = matrix.row(number)
        full[number, terms] = weights
    return full


def cosines(vectors: Float32Matrix, other: Float32Matrix) -> np.ndarray:
    lengths = np.linalg.norm(vectors, axis=1) * np.linalg.norm(other, axis=1)
    return np.asarray((vectors * other).sum(axis=1) / lengths)


@pytest.mark.parametrize(("dtype", "least"), [("float32", 0.99999), ("bfloat16", 0.999), ("int8", 0.995)])
def test_weights_in_each_dtype_are_those_of_the_sparse_encoder(
    dtype: str, least: float, encoder: SpladeEncoder, reference: Float32Matrix
) -> None:
    plain = plain_masked_bert(FOLDER)
    assert plain is not None
    forward = _fused(plain, encoder._tokenizer.ends, getattr(torch, dtype))
    rows = encoder._tokenizer.token_ids(TEXTS)

    weights = forward(np.concatenate(rows), [len(row) for row in rows]).numpy()

    assert cosines(weights, reference).min() >= least


def test_in_fp32_they_are_equal_up_to_rounding(reference: Float32Matrix, exact_only: None) -> None:
    exact = SpladeEncoder(chosen_profile("cpu"))

    assert exact.dtype == "float32"
    np.testing.assert_allclose(dense(exact.encode_sparse(TEXTS)), reference, atol=1e-4)


def test_other_architectures_run_in_transformers_own_forward(
    reference: Float32Matrix, monkeypatch: pytest.MonkeyPatch, exact_only: None
) -> None:
    monkeypatch.setattr("gpu_actors.encoders.splade.plain_masked_bert", lambda folder: None)

    weights = SpladeEncoder(chosen_profile("cpu")).encode_sparse(TEXTS)

    np.testing.assert_allclose(dense(weights), reference, atol=1e-4)


def test_the_shipped_model_takes_the_fused_forward() -> None:
    assert plain_masked_bert(FOLDER) is not None
    assert shipped_model("splade-mini") == FOLDER and shipped_model("no-such-model") is None


def test_only_the_strongest_terms_are_kept() -> None:
    few = SpladeEncoder(chosen_profile("cpu").model_copy(update={"top_terms": 8}))
    every = SpladeEncoder(chosen_profile("cpu"))

    some, all_of_them = few.encode_sparse(TEXTS), every.encode_sparse(TEXTS)

    for number in range(len(TEXTS)):
        terms, weights = some.row(number)
        assert len(terms) == 8 and (np.diff(terms) > 0).all()
        np.testing.assert_allclose(
            np.sort(weights), np.sort(all_of_them.row(number)[1])[-8:], rtol=0.02, atol=0.02
        )


def test_a_text_longer_than_the_model_is_encoded_in_pieces(encoder: SpladeEncoder) -> None:
    head, tail = "Walking is cheap. " * 120, "Statins lower cholesterol. " * 120

    terms = [set(encoder.encode_sparse([text]).row(0)[0].tolist()) for text in (head, tail, head + tail)]

    assert len(encoder._tokenizer.token_ids([head + tail])[0]) > 2 * 512
    assert len(terms[2] & terms[0]) > 0.8 * len(terms[0])
    assert len(terms[2] & terms[1]) > 0.8 * len(terms[1])


def test_an_empty_text_has_a_row(encoder: SpladeEncoder) -> None:
    assert len(encoder.encode_sparse(["", "sleep"])) == 2
    assert len(encoder.encode_sparse([])) == 0


def test_a_model_that_pools_otherwise_is_refused(tmp_path: Path) -> None:
    other = tmp_path / "other"
    shutil.copytree(FOLDER, other)
    (other / "1_SpladePooling" / "config.json").write_text(
        json.dumps({"pooling_strategy": "sum", "activation_function": "relu"})
    )

    with pytest.raises(ConfigurationError, match="pools by sum of relu"):
        SpladeEncoder(chosen_profile("cpu", sparse_model=str(other)))


def test_the_largest_positive_is_exact_for_bf16_bits() -> None:
    from gpu_actors.encoders.splade import _largest_positive

    logits = torch.randn(7, 33, 50).to(torch.bfloat16)
    logits[0] = -logits[0].abs()

    largest = _largest_positive(logits).float().relu()

    assert torch.equal(largest, logits.float().amax(1).relu())


def test_the_sparse_encoder_runs_in_a_haystack_pipeline() -> None:
    pipeline = Pipeline()
    pipeline.add_component("encoder", HaystackSparseExpander())
    documents = [Document(content=text, meta={"year": 2020}) for text in TEXTS]

    out = pipeline.run({"encoder": {"documents": documents}})["encoder"]["documents"]

    assert [document.content for document in out] == TEXTS and out[0].meta == {"year": 2020}
    for document in out:
        assert len(document.sparse_embedding.indices) == len(document.sparse_embedding.values) > 0


def test_a_sparse_encoder_without_a_model_reports_why() -> None:
    with pytest.raises(ConfigurationError, match="has no sparse model: MEDKG_SPARSE_MODEL is none"):
        HaystackSparseExpander("cpu", NO_MODEL)


def test_a_replica_counts_its_terms() -> None:
    from gpu_actors.pools.replicas import SparseEncoderReplica

    profile: Profile = chosen_profile("cpu")
    assert SparseEncoderReplica(profile).health()["width"] == 30_522
