"""Evaluation: measures that can be worked out by hand, and questions files with mistakes in them."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from pathlib import Path

import pytest

from medkg.testing.builders import TENANT
from orchestration.contracts import Candidate
from orchestration.errors import PlaneUnavailableError, SearchDegradedError, UsageError
from orchestration.retrieval.evaluation import Question, evaluate, read_questions
from orchestration.retrieval.fusion import distribution_based, reciprocal_rank
from orchestration.retrieval.legs import Bm25Leg
from orchestration.retrieval.search import HybridSearch
from tests.orchestration.retrieval.conftest import ALeg
from tests.orchestration.stores.data_folder import DataFolder

MakeSearch = Callable[..., HybridSearch]


def a_question(question: str, *relevant: str) -> Question:
    return Question(question_id="q1", question=question, relevant=relevant)


def measured(data: DataFolder, make_search: MakeSearch, *questions: Question) -> dict[str, float]:
    search = make_search(Bm25Leg(data.search))
    return evaluate(search, TENANT, questions).legs["bm25"].as_json()


def test_measures_are_those_of_the_ranking_of_documents(data: DataFolder, make_search: MakeSearch) -> None:
    data.ingest({"first": "walking walking walking", "second": "walking walking", "third": "walking"})
    figures = measured(data, make_search, a_question("walking", "second", "nowhere"))
    ideal = 1 + 1 / math.log2(3)
    assert figures["ndcg@10"] == pytest.approx((1 / math.log2(3)) / ideal, abs=1e-4)
    assert (figures["recall@10"], figures["mrr@10"]) == (0.5, 0.5)
    assert figures["p95_ms"] >= figures["p50_ms"] > 0


def test_a_document_counts_once_with_its_best_chunk(data: DataFolder, make_search: MakeSearch) -> None:
    data.ingest({"long": "walking walking walking walking", "other": "walking with words around it"})
    figures = measured(data, make_search, a_question("walking", "other", "other"))
    assert (figures["recall@10"], figures["mrr@10"]) == (1.0, 0.5)


def test_figures_are_means_over_the_questions(data: DataFolder, make_search: MakeSearch) -> None:
    data.ingest({"1": "walking", "2": "sleeping"})
    figures = measured(data, make_search, a_question("walking", "1"), a_question("walking", "2"))
    assert (figures["ndcg@10"], figures["recall@10"], figures["mrr@10"]) == (0.5, 0.5, 0.5)


def test_every_leg_and_the_hybrid_are_measured(data: DataFolder, make_search: MakeSearch) -> None:
    data.ingest({"1": "walking", "2": "sleeping"})
    figures = evaluate(make_search(), TENANT, [a_question("walking", "1")]).as_json()["legs"]
    assert list(figures) == ["bm25", "sparse", "dense", "hybrid"]
    assert {leg["ndcg@10"] for leg in figures.values()} == {1.0}


def test_named_fusions_are_measured_as_well(data: DataFolder, make_search: MakeSearch) -> None:
    data.ingest({"1": "walking", "2": "sleeping"})
    questions = [a_question("walking", "1"), a_question("sleeping", "1")]
    evaluation = evaluate(
        make_search(), TENANT, questions, {"rrf": reciprocal_rank, "dbsf": distribution_based}
    )
    assert list(evaluation.legs) == ["bm25", "sparse", "dense", "hybrid", "rrf", "dbsf"]
    pairs = [(comparison.a, comparison.b) for comparison in evaluation.comparisons]
    assert pairs == [("hybrid", "bm25"), ("hybrid", "sparse"), ("hybrid", "dense"), ("rrf", "dbsf")]
    alone = evaluate(make_search(), TENANT, questions, {"rrf": reciprocal_rank})
    assert [(comparison.a, comparison.b) for comparison in alone.comparisons][-1] == ("hybrid", "rrf")


def test_what_every_question_gave_is_kept_in_their_order(data: DataFolder, make_search: MakeSearch) -> None:
    data.ingest({"1": "walking", "2": "sleeping"})
    questions = [a_question("walking", "1"), a_question("walking", "2"), a_question("sleeping", "2")]
    bm25 = evaluate(make_search(Bm25Leg(data.search)), TENANT, questions).legs["bm25"]
    assert bm25.measures == dict.fromkeys(("ndcg@10", "recall@10", "mrr@10"), (1.0, 0.0, 1.0))
    assert len(bm25.milliseconds) == 3


def test_one_question_compares_nothing(data: DataFolder, make_search: MakeSearch) -> None:
    data.ingest({"1": "walking"})
    assert evaluate(make_search(), TENANT, [a_question("walking", "1")]).as_json()["comparisons"] == []


def test_a_hybrid_without_one_of_its_legs_is_not_reported(data: DataFolder, make_search: MakeSearch) -> None:
    data.ingest({"1": "walking"})
    answers: list[list[Candidate]] = [[], []]  # enough to be measured alone

    def dying() -> list[Candidate]:
        if not answers:
            raise PlaneUnavailableError("the plane is unavailable. Start it: medkg up")
        return answers.pop()

    search = make_search(Bm25Leg(data.search), ALeg("dense", dying))
    with pytest.raises(SearchDegradedError, match="q1: dense did not answer"):
        evaluate(search, TENANT, [a_question("walking", "1")])


def test_questions_are_read_in_order_and_blank_lines_skipped(tmp_path: Path) -> None:
    path = tmp_path / "questions.jsonl"
    lines = [{"question_id": str(n), "question": f"what about {n}?", "relevant": [str(n)]} for n in (1, 2)]
    path.write_text("\n\n".join(map(json.dumps, lines)) + "\n\n")
    assert [question.relevant for question in read_questions(path)] == [("1",), ("2",)]


@pytest.mark.parametrize(
    ("line", "complaint"),
    [
        ("{not json", "not JSON"),
        ('["a list"]', "valid dictionary"),
        ('{"question_id": "1", "relevant": ["a"]}', "question: Field required"),
        ('{"question_id": "1", "question": "   ", "relevant": ["a"]}', "question: String should match"),
        ('{"question_id": "1", "question": "q", "relevant": []}', "relevant: .*at least 1"),
        ('{"question_id": "1", "question": "q", "relevant": "a"}', "relevant: .*valid tuple"),
        ('{"question_id": "1", "question": "q", "relevant_pmid": "7"}', "relevant: Field required"),
    ],
)
def test_a_wrong_line_is_named_with_what_would_be_right(tmp_path: Path, line: str, complaint: str) -> None:
    path = tmp_path / "questions.jsonl"
    path.write_text('{"question_id": "0", "question": "fine?", "relevant": ["x"]}\n' + line + "\n")
    with pytest.raises(UsageError, match=rf"{path.name}, line 2: .*{complaint}.*A line is"):
        read_questions(path)


def test_a_file_that_is_missing_empty_or_no_text_is_named(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"missing\.jsonl cannot be read"):
        read_questions(tmp_path / "missing.jsonl")
    (tmp_path / "empty.jsonl").write_text("\n \n")
    with pytest.raises(UsageError, match=r"empty\.jsonl is empty"):
        read_questions(tmp_path / "empty.jsonl")
    (tmp_path / "binary.jsonl").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(UsageError, match=r"binary\.jsonl cannot be read"):
        read_questions(tmp_path / "binary.jsonl")
