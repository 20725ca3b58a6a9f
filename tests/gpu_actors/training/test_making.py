"""A trained model: it learnt, it loads everywhere with equal vectors, and it is whole or absent."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import torch

from gpu_actors.encoders.splade import SpladeEncoder
from gpu_actors.profiles import chosen_profile, find_model
from gpu_actors.training.card import card
from gpu_actors.training.making import make_sparse_model
from gpu_actors.training.recipe import Progress, Recipe, Report
from orchestration.errors import UsageError
from orchestration.records import Float32Matrix, SparseMatrix
from tests.gpu_actors.training.small_corpus import small_corpus, unwatched

TEXTS = ["Does metformin lower glycated haemoglobin?", "[CLS] [MASK] gout of the foot", "sleep", "."]
RECIPE = Recipe(head_steps=0, splade_steps=7, batch=6, held_out=0.2)


@dataclass(frozen=True)
class Made:
    folder: Path
    report: Report
    losses: list[float]


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Made:
    folder = tmp_path_factory.mktemp("models") / "my-splade"
    losses: list[float] = []

    def watch(progress: Progress) -> None:
        if progress.part == "splade":
            losses.append(progress.loss or 0.0)

    return Made(folder, make_sparse_model(small_corpus(), folder, RECIPE, "cpu", watch), losses)


@pytest.fixture(scope="module")
def vectors(trained: Made) -> Float32Matrix:
    """What sentence-transformers computes, float32 [texts, 30522]."""
    os.environ.setdefault("HF_HUB_OFFLINE", "1")
    from sentence_transformers import SparseEncoder

    model = SparseEncoder(str(trained.folder), device="cpu", local_files_only=True)
    assert model.max_seq_length == 512 and model.similarity_fn_name == "dot"
    return np.asarray(model.encode_document(TEXTS).to_dense(), dtype=np.float32)


def rows(matrix: SparseMatrix) -> Float32Matrix:
    """With all zeros, float32 [n, vocabulary]."""
    full = np.zeros((len(matrix), matrix.vocabulary), dtype=np.float32)
    for number in range(len(matrix)):
        terms, weights = matrix.row(number)
        full[number, terms] = weights
    return full


def test_the_loss_falls(trained: Made) -> None:
    assert len(trained.losses) == 7
    assert np.mean(trained.losses[-3:]) < np.mean(trained.losses[:3])


def test_it_finds_documents_by_their_titles(trained: Made) -> None:
    encoder = SpladeEncoder(chosen_profile("cpu", sparse_model=str(trained.folder)))
    documents = small_corpus()
    titles = rows(encoder.encode_sparse([document.title for document in documents]))
    texts = rows(
        encoder.encode_sparse([document.text.removeprefix(document.title) for document in documents])
    )

    best_matches = (titles @ texts.T).argmax(axis=1)

    assert (best_matches == np.arange(len(documents))).mean() > 0.5


def test_it_is_measured_on_documents_that_it_has_not_seen(trained: Made) -> None:
    measures = trained.report.measures

    assert trained.report.documents == {"learnt_from": 10, "held_out": 2}
    assert measures.keys() == {"sparse", "teacher", "bm25", "chance"}
    assert all(0 < value <= 1 for measured in measures.values() for value in measured.values())


def test_masked_language_model_and_sparse_encoder_give_equal_vectors(
    trained: Made, vectors: Float32Matrix
) -> None:
    from transformers import AutoModelForMaskedLM, AutoTokenizer

    model = AutoModelForMaskedLM.from_pretrained(trained.folder, local_files_only=True).eval()
    tokenizer = AutoTokenizer.from_pretrained(trained.folder, local_files_only=True)
    batch = tokenizer(TEXTS, return_tensors="pt", padding=True)
    with torch.no_grad():
        logits = model(**batch).logits * batch["attention_mask"][..., None]
    weights = torch.log1p(torch.relu(logits)).amax(1).numpy()

    assert vectors.any(axis=1).all()
    np.testing.assert_allclose(weights, vectors, atol=1e-4)


def test_the_planes_encoder_gives_equal_vectors(
    trained: Made, vectors: Float32Matrix, exact_only: None
) -> None:
    profile = chosen_profile("cpu", sparse_model=str(trained.folder)).model_copy(update={"top_terms": 30_522})

    encoded = SpladeEncoder(profile).encode_sparse(TEXTS)

    np.testing.assert_allclose(rows(encoded), vectors, atol=1e-4)
    assert find_model(str(trained.folder)).model_id.startswith("my-splade@")


def test_special_and_unused_terms_never_fire(trained: Made, vectors: Float32Matrix) -> None:
    from tokenizers import Tokenizer

    vocabulary = Tokenizer.from_file(str(trained.folder / "tokenizer.json")).get_vocab()
    special = [number for term, number in vocabulary.items() if term.startswith("[") and len(term) > 1]

    assert len(special) > 900 and not vectors[:, special].any()


def test_long_texts_are_not_cut_at_the_bases_own_length(trained: Made) -> None:
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(trained.folder, local_files_only=True)

    assert len(tokenizer("word " * 400)["input_ids"]) == 402 and tokenizer.model_max_length == 512


def test_the_card_lists_base_documents_recipe_figures_and_limits(trained: Made) -> None:
    written = (trained.folder / "README.md").read_text()

    assert "all-MiniLM-L6-v2@" in written and "7 steps of 6 pairs" in written
    assert "12 documents (12 files). 10 of them" in written
    assert f"| {trained.report.measures['sparse']['mrr@10']:.3f} |" in written
    assert "## Limits" in written and "{" not in written


def test_a_card_without_figures_states_it(trained: Made) -> None:
    unmeasured = trained.report.model_copy(update={"measures": {}, "trial": {}})

    assert "Nothing: no documents were held out" in card("mine", RECIPE, unmeasured, 512)


def test_others_may_read_the_folder(trained: Made) -> None:
    assert trained.folder.stat().st_mode & 0o055
    assert (trained.folder / "model.safetensors").stat().st_mode & 0o044


def test_a_folder_that_is_not_empty_is_refused_before_anything_is_read(tmp_path: Path) -> None:
    (tmp_path / "mine").write_text("precious")

    with pytest.raises(UsageError, match="no empty folder"):
        make_sparse_model(iter(()), tmp_path, RECIPE, "cpu", unwatched)
    with pytest.raises(UsageError, match="no empty folder"):
        make_sparse_model(iter(()), tmp_path / "mine", RECIPE, "cpu", unwatched)


@pytest.mark.parametrize("part", ["splade", "measuring"])
def test_an_interruption_leaves_nothing(tmp_path: Path, part: str) -> None:
    def watch(progress: Progress) -> None:
        if progress.part == part:
            raise KeyboardInterrupt

    recipe = RECIPE.model_copy(update={"splade_steps": 1})
    with pytest.raises(KeyboardInterrupt):
        make_sparse_model(small_corpus(), tmp_path / "models" / "mine", recipe, "cpu", watch)

    assert not list(tmp_path.rglob("*.json"))
    assert not (tmp_path / "models" / "mine").exists()
