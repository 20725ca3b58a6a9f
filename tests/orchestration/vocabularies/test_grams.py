"""Trigrams find names with similar letters, as a cosine that is computed in full does."""

from __future__ import annotations

import math
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestration.vocabularies.grams import grams_of, most_similar, postings

NAMES = ["vascular calcification", "calcinosis", "tooth calcification", "hemorrhage", "gastric hemorrhage"]


def similar(names: list[str], query: str, limit: int = 10) -> list[tuple[int, float]]:
    rows, lengths = postings(enumerate(names, start=1))
    grams = grams_of(query)
    return most_similar({each: rows[each] for each in grams if each in rows}, lengths, len(grams), limit)


def test_the_name_itself_is_first_with_cosine_one() -> None:
    for place, name in enumerate(NAMES, start=1):
        row, cosine = similar(NAMES, name)[0]
        assert row == place and cosine == pytest.approx(1, abs=1e-5)


def test_similar_names_come_before_others_and_the_limit_holds() -> None:
    assert [NAMES[row - 1] for row, _ in similar(NAMES, "calcification")][:2] == [
        "tooth calcification",
        "vascular calcification",
    ]
    assert len(similar(NAMES, "calcification", limit=1)) == 1
    assert similar(NAMES, "xyz") == similar(NAMES, "") == []


@given(
    st.lists(st.text("abc ", min_size=1, max_size=8), min_size=1, max_size=12), st.text("abcd ", max_size=8)
)
def test_a_score_is_the_cosine_of_all_weights(names: list[str], query: str) -> None:
    counts = Counter(gram for name in names for gram in grams_of(name))

    def vector(text: str) -> dict[str, float]:
        return {gram: math.log((1 + len(names)) / max(1, counts[gram])) + 1e-3 for gram in grams_of(text)}

    def cosine(first: dict[str, float], other: dict[str, float]) -> float:
        product = sum(first[gram] * other[gram] for gram in first.keys() & other.keys())
        lengths = math.sqrt(sum(v**2 for v in first.values()) * sum(v**2 for v in other.values()))
        return product / lengths if lengths else 0.0

    for row, score in similar(names, query, limit=len(names)):
        assert score == pytest.approx(cosine(vector(query), vector(names[row - 1])), abs=1e-4)
