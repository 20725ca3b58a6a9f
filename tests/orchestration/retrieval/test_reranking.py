"""Reranking: what is scored, what follows, and what the answer is when the model is slow or dead."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from threading import Event

import numpy as np
import numpy.typing as npt
import pytest

from medkg.testing.builders import TENANT
from orchestration.errors import PlaneUnavailableError, SearchDegradedError, UsageError
from orchestration.haystack.retriever import HaystackRetriever
from orchestration.retrieval.budgets import Budgets
from orchestration.retrieval.evaluation import Question, evaluate
from orchestration.retrieval.legs import Bm25Leg
from orchestration.retrieval.reranking import Reranker
from orchestration.retrieval.search import HybridSearch
from tests.orchestration.stores.data_folder import DataFolder

MakeSearch = Callable[..., HybridSearch]

BODIES = {"1": "walking", "2": "walking home from work", "3": "walking home"}


def longest(question: str, passages: Sequence[str]) -> npt.NDArray[np.float32]:
    """A model with a taste: the more characters, the better."""
    return np.array([len(passage) for passage in passages], dtype=np.float32)


def bodies(search: HybridSearch, query: str, **options: object) -> list[str]:
    return [hit.chunk.body for hit in search.search(TENANT, query, legs=["bm25"], **options).hits]  # type: ignore[arg-type]


@pytest.fixture
def folder(data: DataFolder) -> DataFolder:
    data.ingest(BODIES)
    return data


def test_the_best_of_the_fusion_are_ranked_by_the_model(folder: DataFolder, make_search: MakeSearch) -> None:
    search = make_search(reranker=Reranker(longest))

    result = search.search(TENANT, "walking", legs=["bm25"], rerank=True)

    assert [hit.chunk.body for hit in result.hits] == sorted(
        bodies(search, "walking"), key=lambda body: -len(body)
    )
    assert [hit.score for hit in result.hits] == [len(hit.chunk.body) for hit in result.hits]
    assert [hit.rank for hit in result.hits] == [1, 2, 3, 4, 5, 6] and result.degraded == ()
    assert result.hits[0].legs["bm25"] > 1


def test_nothing_is_reranked_unless_it_is_asked_for(folder: DataFolder, make_search: MakeSearch) -> None:
    assert bodies(make_search(reranker=Reranker(longest)), "walking") == bodies(make_search(), "walking")


def test_what_lies_deeper_follows_in_the_fusions_order(folder: DataFolder, make_search: MakeSearch) -> None:
    search = make_search(reranker=Reranker(longest, depth=2))
    fused = bodies(search, "walking")

    reranked = bodies(search, "walking", top=2, rerank=True)
    deeper = bodies(search, "walking", top=6, rerank=True)

    assert reranked == sorted(fused[:2], key=lambda body: -len(body))
    assert deeper == sorted(fused, key=lambda body: -len(body))  # as many as are wanted are scored


def test_ties_stay_as_the_fusion_ranked_them(folder: DataFolder, make_search: MakeSearch) -> None:
    search = make_search(reranker=Reranker(lambda question, passages: np.ones(len(passages), np.float32)))

    assert bodies(search, "walking", rerank=True) == bodies(search, "walking")


def test_the_model_sees_the_question_and_whole_bodies(folder: DataFolder, make_search: MakeSearch) -> None:
    calls: list[tuple[str, list[str]]] = []

    def noting(question: str, passages: Sequence[str]) -> npt.NDArray[np.float32]:
        calls.append((question, list(passages)))
        return longest(question, passages)

    search = make_search(reranker=Reranker(noting))
    fused = bodies(search, "Who is walking?")
    search.search(TENANT, "Who is walking?", legs=["bm25"], rerank=True)

    assert calls == [("Who is walking?", fused)]


def test_grouped_hits_are_reranked_by_their_best_chunk(folder: DataFolder, make_search: MakeSearch) -> None:
    search = make_search(reranker=Reranker(longest))

    hits = search.search(TENANT, "walking", legs=["bm25"], group=True, rerank=True).hits

    assert [(hit.chunk.doc_id, hit.further_chunks) for hit in hits] == [("2", 1), ("3", 1), ("1", 1)]


def test_a_dead_model_leaves_the_fusions_answer_and_says_so(
    folder: DataFolder, make_search: MakeSearch
) -> None:
    def dead(question: str, passages: Sequence[str]) -> npt.NDArray[np.float32]:
        raise PlaneUnavailableError("the plane is unavailable. Start it: medkg up")

    search = make_search(reranker=Reranker(dead))
    result = search.search(TENANT, "walking", legs=["bm25"], rerank=True)

    assert [hit.chunk.body for hit in result.hits] == bodies(search, "walking")
    assert result.degraded == ("rerank",)
    with pytest.raises(SearchDegradedError, match="q1: rerank did not answer"):
        evaluate(
            search, TENANT, [Question(question_id="q1", question="walking", relevant=("1",))], rerank=True
        )


def test_a_slow_model_is_not_waited_for(folder: DataFolder, make_search: MakeSearch) -> None:
    never = Event()

    def slow(question: str, passages: Sequence[str]) -> npt.NDArray[np.float32]:
        never.wait()
        return longest(question, passages)

    budgets = Budgets(total_seconds=60, leg_seconds={"rerank": 0.2}, other_legs_seconds=30)
    search = make_search(Bm25Leg(folder.search), budgets=budgets, reranker=Reranker(slow))
    result = search.search(TENANT, "walking", rerank=True)
    never.set()

    assert [hit.chunk.body for hit in result.hits] == bodies(search, "walking")
    assert result.degraded == ("rerank",)


def test_chunks_that_are_gone_are_neither_scored_nor_reported(
    folder: DataFolder, make_search: MakeSearch
) -> None:
    search = make_search(reranker=Reranker(longest))
    staged = folder.stage({"2": "standing"}, version="2")
    fused = search.search(TENANT, "walking", legs=["bm25"], rerank=True).hits
    assert fused[0].chunk.doc_id == "2"
    folder.index.clean(folder.commit(staged))

    assert {
        hit.chunk.doc_id for hit in search.search(TENANT, "walking", legs=["bm25"], rerank=True).hits
    } == {
        "1",
        "3",
    }


def test_the_reranked_hybrid_is_measured_beside_the_others(
    folder: DataFolder, make_search: MakeSearch
) -> None:
    questions = [Question(question_id=str(n), question="walking", relevant=(str(n),)) for n in (1, 2)]
    search = make_search(Bm25Leg(folder.search), reranker=Reranker(longest))

    evaluation = evaluate(search, TENANT, questions, rerank=True)

    assert list(evaluation.legs) == ["bm25", "hybrid", "reranked"]
    assert evaluation.legs["hybrid"].measures["mrr@10"] == pytest.approx((1.0, 1 / 3))
    assert evaluation.legs["reranked"].measures["mrr@10"] == pytest.approx((1 / 3, 1.0))
    assert [(comparison.a, comparison.b) for comparison in evaluation.comparisons] == [
        ("hybrid", "bm25"),
        ("reranked", "hybrid"),
    ]
    assert "reranked" not in evaluate(search, TENANT, questions).legs


def test_a_retriever_of_haystack_reranks(folder: DataFolder, make_search: MakeSearch) -> None:
    retriever = HaystackRetriever(make_search(reranker=Reranker(longest)), top_k=1, rerank=True)

    assert retriever.run("walking")["documents"][0].content == "walking home from work again"


def test_without_a_model_it_is_wrong_use(folder: DataFolder, make_search: MakeSearch) -> None:
    with pytest.raises(UsageError, match="MEDKG_RERANK_MODEL"):
        make_search().search(TENANT, "walking", rerank=True)
