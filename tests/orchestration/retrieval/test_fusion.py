"""Fusions rank what legs agree on first, and an identifier that only one leg knows too."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestration.contracts import Candidate, ChunkRef
from orchestration.errors import UsageError
from orchestration.records import DocumentKey
from orchestration.retrieval.fusion import (
    CANDIDATES,
    FUSIONS,
    Fusion,
    distribution_based,
    fusion_named,
    reciprocal_rank,
    weighted_reciprocal_rank,
    z_scores,
)

EVERY_FUSION = pytest.mark.parametrize("fusion", FUSIONS.values(), ids=FUSIONS)


def a_ref(name: str) -> ChunkRef:
    return ChunkRef(DocumentKey(tenant_id="default", source="files", doc_id=name), "i1", f"files:{name}:v:0")


def a_leg(*scored: tuple[str, float]) -> list[Candidate]:
    return [Candidate(a_ref(name), score) for name, score in scored]


def many(count: int = CANDIDATES, top: float = 1.0, step: float = 0.001) -> list[tuple[str, float]]:
    return [(f"filler-{number:03}", top - step * number) for number in range(count)]


def names(fused: list[tuple[ChunkRef, float]]) -> list[str]:
    return [ref.key.doc_id for ref, _ in fused]


def test_reciprocal_ranks_are_summed() -> None:
    fused = reciprocal_rank({"bm25": a_leg(("a", 9.0), ("b", 8.0)), "dense": a_leg(("b", 0.9), ("c", 0.8))})
    assert names(fused) == ["b", "a", "c"]
    assert [score for _, score in fused] == pytest.approx([1 / 62 + 1 / 61, 1 / 61, 1 / 62])


def test_weights_multiply_the_terms_of_their_leg() -> None:
    legs = {"bm25": a_leg(("a", 9.0), ("b", 8.0)), "dense": a_leg(("c", 0.9), ("b", 0.8))}
    fused = weighted_reciprocal_rank(legs, {"dense": 3.0})
    assert names(fused) == ["b", "c", "a"]
    assert [score for _, score in fused] == pytest.approx([4 / 62, 3 / 61, 1 / 61])
    assert names(weighted_reciprocal_rank(legs, {"bm25": 0.0}))[-1] == "a"


def test_distribution_based_scores_go_from_three_deviations_below_to_three_above() -> None:
    legs = {"bm25": a_leg(("a", 3.0), ("b", 1.0)), "dense": a_leg(("b", 0.5))}
    fused = distribution_based(legs)
    assert names(fused) == ["b", "a"]
    assert [score for _, score in fused] == pytest.approx([2 / 6 + 0.5, 4 / 6])


def test_a_fusion_is_chosen_by_name_with_weights_if_it_takes_them() -> None:
    legs = {"bm25": a_leg(("a", 9.0), ("b", 8.0)), "dense": a_leg(("c", 0.9), ("b", 0.8))}
    weighted = fusion_named("weighted-rrf:dense=3:bm25=1")
    assert weighted(legs) == weighted_reciprocal_rank(legs, {"dense": 3.0, "bm25": 1.0})
    assert all(fusion_named(name) is fusion for name, fusion in FUSIONS.items())


@pytest.mark.parametrize("name", ["", "combmnz", "rrf:dense=2", "zscore:"])
def test_an_unknown_fusion_is_refused_with_those_there_are(name: str) -> None:
    with pytest.raises(UsageError, match="available: rrf, weighted-rrf, zscore, dbsf"):
        fusion_named(name)


@pytest.mark.parametrize(
    "weight", ["dense", "dense=", "=2", "dense=-1", "dense=nan", "dense=inf", "dense=1e9"]
)
def test_a_weight_that_is_none_is_refused(weight: str) -> None:
    with pytest.raises(UsageError, match="is not a weight"):
        fusion_named(f"weighted-rrf:{weight}")


def test_z_scores_weigh_how_far_a_score_stands_out() -> None:
    close = a_leg(("a", 0.80), ("b", 0.79), *many(98, 0.7))
    clear = a_leg(("b", 30.0), ("a", 12.0), *many(98, 11.0))
    assert names(z_scores({"dense": close, "bm25": clear}))[0] == "b"


@EVERY_FUSION
def test_what_both_legs_find_first_is_first(fusion: Fusion) -> None:
    legs = {"bm25": a_leg(("a", 9.0), *many()), "dense": a_leg(("a", 1.5), *reversed(many(50, -1.0)))}
    assert names(fusion(legs))[0] == "a"


def test_an_identifier_that_only_the_words_match_is_first() -> None:
    legs = {"bm25": a_leg(("NCT01234567", 7.3)), "dense": a_leg(*many(CANDIDATES, 0.4))}
    assert names(z_scores(legs))[0] == "NCT01234567"


def test_among_few_documents_a_word_match_counts_too() -> None:
    legs = {"bm25": a_leg(("b", 2.0)), "dense": a_leg(("a", 0.31), ("b", 0.30), ("c", 0.1))}
    assert names(z_scores(legs)) == ["b", "a", "c"]


@EVERY_FUSION
def test_one_leg_alone_keeps_its_order(fusion: Fusion) -> None:
    alone = a_leg(("b", 3.0), ("a", 2.0), ("c", -1.0))
    assert names(fusion({"bm25": alone})) == ["b", "a", "c"]
    assert names(fusion({"bm25": alone, "dense": []})) == ["b", "a", "c"]
    assert fusion({}) == fusion({"bm25": [], "dense": []}) == []


@EVERY_FUSION
def test_ties_are_broken_by_chunk_id(fusion: Fusion) -> None:
    assert names(fusion({"one": a_leg(("b", 1.0)), "two": a_leg(("a", 1.0))})) == ["a", "b"]


LEG = st.dictionaries(
    st.sampled_from([str(number) for number in range(30)]),
    st.floats(-1e6, 1e6, allow_nan=False),
    max_size=30,
).map(lambda scored: a_leg(*sorted(scored.items(), key=lambda pair: -pair[1])))


@EVERY_FUSION
@given(bm25=LEG, dense=LEG, sparse=LEG)
def test_every_candidate_is_ranked_once_with_a_finite_score(
    fusion: Fusion, bm25: list[Candidate], dense: list[Candidate], sparse: list[Candidate]
) -> None:
    fused = fusion({"bm25": bm25, "dense": dense, "sparse": sparse})
    candidates = {candidate.ref for leg in (bm25, dense, sparse) for candidate in leg}
    assert {ref for ref, _ in fused} == candidates
    assert len(fused) == len(candidates)
    scores = [score for _, score in fused]
    assert all(math.isfinite(score) for score in scores)
    assert scores == sorted(scores, reverse=True)
