"""`medkg search --rerank` by the plane or by the command's own model: the order is the cross-encoder's."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from gpu_actors.encoders.cross_encoder import CrossEncoder
from gpu_actors.profiles import chosen_profile, find_model
from orchestration.assembly.plane_clients import OwnModels
from tests.gpu_actors.encoders.tiny_cross_encoder import a_cross_encoder, assert_near
from tests.orchestration.command_line import Medkg
from tests.orchestration.end_to_end.one_host.conftest import DEMO

pytestmark = pytest.mark.plane

QUESTION = "Who could not join the velorastat trial because of low blood pressure?"


def scores_here(texts: list[str]) -> list[float]:
    """What the same model gives in this process."""
    model = CrossEncoder(chosen_profile("cpu", rerank_model=os.environ["MEDKG_RERANK_MODEL"]))
    return [float(score) for score in model.score(QUESTION, texts)]


def test_the_best_fifty_hits_are_ranked_again_by_the_planes_pool(demo: Medkg) -> None:
    fused = demo("search", QUESTION, "--top", "50")
    reranked = demo("search", QUESTION, "--top", "50", "--rerank")

    assert reranked["degraded"] == []
    ids = [[hit["chunk_id"] for hit in answer["hits"]] for answer in (fused, reranked)]
    assert ids[0] != ids[1] and sorted(ids[0]) == sorted(ids[1])
    scores = [hit["score"] for hit in reranked["hits"]]
    assert scores == sorted(scores, reverse=True) and len(set(scores)) > 40
    assert_near(scores, scores_here([hit["text"] for hit in reranked["hits"]]))
    assert len(demo("status")["host"]["plane_health"]["rerankers"]) == 1


def test_an_evaluation_has_the_reranked_hybrid(demo: Medkg, tmp_path: Path) -> None:
    questions = tmp_path / "few.jsonl"
    questions.write_text("\n".join((DEMO / "questions.jsonl").read_text().splitlines()[:6]))

    value = demo("eval", "--questions", str(questions), "--rerank")

    assert list(value["legs"]) == ["bm25", "sparse", "dense", "hybrid", "reranked"]
    assert value["legs"]["reranked"]["ndcg@10"] < value["legs"]["hybrid"]["ndcg@10"]  # its weights are random


def test_without_a_plane_the_command_loads_the_model_itself(demo: Medkg, exact_only: None) -> None:
    profile = chosen_profile("cpu", rerank_model=os.environ["MEDKG_RERANK_MODEL"])
    texts = ["Adults with low pressure were not admitted.", "Salt was delivered by schoolteachers."]

    scores = OwnModels(profile, ["rerank"]).rerank(QUESTION, texts)

    assert scores.tolist() == pytest.approx(scores_here(texts), abs=1e-4)


def message_of(demo: Medkg, *arguments: str) -> str:
    answer: Any = demo(*arguments, expect=2)
    return str(answer["error"]["message"])


def test_reranking_without_a_model_is_wrong_use_and_names_the_setting(
    demo: Medkg, monkeypatch: pytest.MonkeyPatch
) -> None:
    questions = str(DEMO / "questions.jsonl")
    monkeypatch.delenv("MEDKG_RERANK_MODEL")
    assert "Set MEDKG_RERANK_MODEL" in message_of(demo, "search", QUESTION, "--rerank")
    monkeypatch.setenv("MEDKG_RERANK_MODEL", "none")
    assert "Set MEDKG_RERANK_MODEL" in message_of(demo, "eval", "--questions", questions, "--rerank")
    monkeypatch.setenv("MEDKG_RERANK_MODEL", "all-MiniLM-L6-v2")
    assert "it is BertModel with 2 labels" in message_of(demo, "search", QUESTION, "--rerank")


def replicas(demo: Medkg, pool: str) -> set[int]:
    return {replica["pid"] for replica in demo("status")["host"]["plane_health"][pool]}


def test_scores_of_another_model_than_is_set_are_refused_until_the_plane_has_swapped_to_it(
    demo: Medkg, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    configured = os.environ["MEDKG_RERANK_MODEL"]
    other = a_cross_encoder(tmp_path / "other", seed=8)
    embedders, rerankers = replicas(demo, "embedders"), replicas(demo, "rerankers")
    monkeypatch.setenv("MEDKG_RERANK_MODEL", str(other))
    message = message_of(demo, "search", QUESTION, "--rerank")
    assert (
        f"the plane reranks by {find_model(configured).model_id}, and MEDKG_RERANK_MODEL names other@"
        in message
    )
    assert demo("up")["rerank_model"] == find_model(configured).model_id

    assert demo("up", "--swap")["rerank_model"] == find_model(str(other)).model_id

    hits = demo("search", QUESTION, "--top", "50", "--rerank")["hits"]
    assert_near([hit["score"] for hit in hits], scores_here([hit["text"] for hit in hits]))
    assert replicas(demo, "embedders") == embedders and not replicas(demo, "rerankers") & rerankers
    monkeypatch.setenv("MEDKG_RERANK_MODEL", "none")
    assert demo("up", "--swap")["rerank_model"] is None
    monkeypatch.setenv("MEDKG_RERANK_MODEL", configured)
    assert "the plane has no cross-encoder" in message_of(demo, "search", QUESTION, "--rerank")
    demo("up", "--swap")
    assert demo("search", QUESTION, "--rerank")["degraded"] == []
