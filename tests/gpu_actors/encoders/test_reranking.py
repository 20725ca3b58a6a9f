"""Scores of pairs: those of sentence-transformers' CrossEncoder, in order, nothing cut off."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from haystack import Document, Pipeline
from hypothesis import given, settings
from hypothesis import strategies as st
from sentence_transformers import CrossEncoder as ReferenceCrossEncoder

from gpu_actors.batches.packing import pack, second_segment
from gpu_actors.batches.pairs import PairTokenizer, best_pieces
from gpu_actors.components.reranker import HaystackReranker
from gpu_actors.cpu_bert.bert_models import plain_pair_bert
from gpu_actors.encoders.cross_encoder import CrossEncoder, _Fused
from gpu_actors.pools.plane_reranking import rerank_model_id
from gpu_actors.profiles import chosen_profile, find_model, model_ids
from orchestration.contracts import folded_text
from orchestration.errors import ConfigurationError, EmbeddingInputTooLongError
from tests.gpu_actors.encoders.tiny_cross_encoder import a_cross_encoder, a_roberta_cross_encoder, assert_near

QUESTION = "Does walking help adults with poor sleep?"
PASSAGES = [
    "Walking is cheap.",
    "Adults with poor sleep took a daily walk and slept longer. " * 12,
    "",
    "Statins lower cholesterol. " * 30,
    "Ärzte rieten zu TNF-α-Hemmern (5 mg/kg).",
]


@pytest.fixture(scope="module")
def bert(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return a_cross_encoder(tmp_path_factory.mktemp("rerank") / "tiny")


def reference(folder: Path, question: str, passages: list[str]) -> np.ndarray:
    """The logits that sentence-transformers itself computes of the folded texts in fp32."""
    model = ReferenceCrossEncoder(str(folder), device="cpu", max_length=512, local_files_only=True)
    pairs = [(folded_text(question), folded_text(passage)) for passage in passages]
    return np.asarray(model.predict(pairs, activation_fn=torch.nn.Identity()), dtype=np.float32)


def loaded(folder: Path) -> CrossEncoder:
    return CrossEncoder(chosen_profile("cpu", rerank_model=str(folder)))


def test_scores_in_fp32_are_those_of_sentence_transformers(bert: Path, exact_only: None) -> None:
    model = loaded(bert)

    assert plain_pair_bert(bert) is not None and model.dtype == "float32"
    expected = reference(bert, QUESTION, PASSAGES)
    assert np.ptp(expected) > 0.1
    np.testing.assert_allclose(model.score(QUESTION, PASSAGES), expected, atol=1e-4)


def test_other_architectures_run_in_transformers_own_forward(tmp_path: Path, exact_only: None) -> None:
    folder = a_roberta_cross_encoder(tmp_path / "roberta")

    assert plain_pair_bert(folder) is None
    expected = reference(folder, QUESTION, PASSAGES)
    np.testing.assert_allclose(loaded(folder).score(QUESTION, PASSAGES), expected, atol=1e-4)


def test_a_bert_gives_the_same_scores_in_transformers_own_forward(
    bert: Path, exact_only: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gpu_actors.encoders.cross_encoder.plain_pair_bert", lambda folder: None)

    expected = reference(bert, QUESTION, PASSAGES)
    np.testing.assert_allclose(loaded(bert).score(QUESTION, PASSAGES), expected, atol=1e-4)


def test_scores_in_bf16_are_near_those_in_fp32(bert: Path, exact_only: None) -> None:
    plain = plain_pair_bert(bert)
    assert plain is not None
    pairs = PairTokenizer(bert, 512)
    rows = [row for (row,) in pairs.rows(QUESTION, PASSAGES)]
    forward = _Fused(plain, pairs.separator, torch.bfloat16)

    with torch.inference_mode():
        scores = forward.scores(forward(np.concatenate(rows), list(map(len, rows))))[:, 0].numpy()

    assert_near(scores, loaded(bert).score(QUESTION, PASSAGES))


def test_a_passage_longer_than_the_model_counts_by_its_best_piece(bert: Path, exact_only: None) -> None:
    model, room = loaded(bert), 512 - 3 - len(PairTokenizer(bert, 512).rows("", [QUESTION])[0][0]) + 3
    long = "sleep " * room + "cholesterol " * room
    halves = ["sleep " * room, "cholesterol " * room]

    scores = model.score(QUESTION, [long, *halves])

    assert scores[0] == pytest.approx(scores[1:].max(), abs=1e-4)
    assert scores[1] != pytest.approx(scores[2], abs=1e-3)


def test_a_question_that_leaves_no_room_is_an_error_that_says_so(bert: Path) -> None:
    with pytest.raises(EmbeddingInputTooLongError, match=r"a question of 300 tokens .* it may have 254"):
        loaded(bert).score("sleep " * 300, ["a passage"])


def test_text_that_looks_like_a_special_token_is_text(bert: Path) -> None:
    ((row,),) = PairTokenizer(bert, 512).rows("a [SEP] question", ["a [SEP] passage"])

    assert (row == 102).sum() == 2 and row[-1] == 102


def test_no_passages_have_no_scores(bert: Path) -> None:
    assert loaded(bert).score(QUESTION, []).shape == (0,)


@settings(deadline=None)  # each example reads tokenizers
@given(st.lists(st.text("abc ", max_size=90), max_size=5), st.integers(24, 40))
def test_every_token_of_a_passage_is_in_one_of_its_pieces(passages: list[str], most: int) -> None:
    pairs = PairTokenizer(find_model("all-MiniLM-L6-v2").files, most)
    whole = PairTokenizer(find_model("all-MiniLM-L6-v2").files, 10_000)
    for cut, (row,) in zip(pairs.rows("a", passages), whole.rows("a", passages), strict=True):
        assert all(len(piece) <= most for piece in cut)
        assert np.array_equal(np.concatenate([piece[3:-1] for piece in cut]), row[3:-1])


@given(st.lists(st.integers(1, 4), max_size=6), st.randoms())
def test_the_best_piece_counts(counts: list[int], random: object) -> None:
    scores = np.random.default_rng(len(counts)).standard_normal(sum(counts)).astype(np.float32)
    parts = np.split(scores, np.cumsum(counts)[:-1]) if counts else []

    assert best_pieces(scores, counts).tolist() == [float(part.max()) for part in parts]


def test_segments_begin_behind_the_first_separator_of_each_row() -> None:
    rows = pack(np.array([1, 5, 9, 6, 9, 1, 9, 7, 7, 7, 9], dtype=np.int32), [5, 6], 4)

    segments = second_segment(rows, 9)[: 8 + 8].tolist()

    assert [int(segment) for segment in segments] == [0, 0, 0, 1, 1, 0, 0, 0, 0, 0, 1, 1, 1, 1, 0, 0]


@pytest.mark.parametrize(("config", "message"), [({"num_labels": 3}, "with 3 labels"), ({}, None)])
def test_a_model_with_several_labels_is_refused(
    tmp_path: Path, config: dict[str, int], message: str | None
) -> None:
    folder = a_cross_encoder(tmp_path / "other", **config)
    if message is None:
        assert chosen_profile("cpu", rerank_model=str(folder)).rerank_model == str(folder)
        return
    with pytest.raises(
        ConfigurationError, match=rf"BertForSequenceClassification {message}.*MEDKG_RERANK_MODEL"
    ):
        chosen_profile("cpu", rerank_model=str(folder))


def test_a_sentence_encoder_and_an_absent_folder_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="it is BertModel with 2 labels; a cross-encoder is"):
        chosen_profile("cpu", rerank_model="all-MiniLM-L6-v2")
    with pytest.raises(ConfigurationError, match="MEDKG_RERANK_MODEL"):
        chosen_profile("cpu", rerank_model=str(tmp_path / "nowhere"))
    assert chosen_profile("cpu", rerank_model="none").rerank_model is None


def test_the_rerank_model_is_no_part_of_fingerprints(bert: Path) -> None:
    with_it, without = chosen_profile("cpu", rerank_model=str(bert)), chosen_profile("cpu")

    assert model_ids(with_it) == model_ids(without)
    assert str(rerank_model_id(with_it)).startswith("tiny@") and rerank_model_id(without) is None


def test_the_reranker_runs_in_a_haystack_pipeline(bert: Path, exact_only: None) -> None:
    pipeline = Pipeline()
    pipeline.add_component("reranker", HaystackReranker(model=str(bert), top_k=3))
    documents = [Document(content=text, meta={"year": 2020}) for text in PASSAGES]

    out = pipeline.run({"reranker": {"query": QUESTION, "documents": documents}})["reranker"]["documents"]

    scores = loaded(bert).score(QUESTION, PASSAGES)
    assert [document.content for document in out] == [PASSAGES[place] for place in np.argsort(-scores)[:3]]
    assert out[0].score == pytest.approx(scores.max(), abs=1e-4) and out[0].meta == {"year": 2020}
    with pytest.raises(ConfigurationError, match="there is no rerank model"):
        HaystackReranker()
