"""Names of the same thing have the same key."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestration.vocabularies.names import name_keys, written_alike


@pytest.mark.parametrize(
    ("written", "other"),
    [
        ("Haemorrhage", "hemorrhages"),
        ("TNF-\u03b1", "tnf alpha"),
        ("Alzheimer's disease", "Alzheimer Disease"),
        ("Sj\u00f6gren syndrome", "Sjogren Syndrome"),
        ("tumours", "Tumor"),
        ("cardiomyopathies", "cardiomyopathy"),
        ("thromboses", "thrombosis"),
        ("beta\u2013blocker", "Beta Blockers"),
    ],
)
def test_spellings_of_a_name_have_the_same_words(written: str, other: str) -> None:
    assert name_keys(written).words == name_keys(other).words


def test_what_separates_letters_and_digits_makes_no_difference_to_the_joined_key() -> None:
    assert {name_keys(each).joined for each in ("FK 506", "FK-506", "fk506")} == {"fk506"}


def test_the_bag_has_no_order() -> None:
    assert name_keys("Diabetes Mellitus, Type 2").bag == name_keys("type 2 diabetes mellitus").bag
    assert name_keys("cancer of the lung").bag == name_keys("Lung cancer").bag


@pytest.mark.parametrize("word", ["virus", "sepsis", "abscess", "gas"])
def test_a_word_that_ends_in_s_in_the_singular_keeps_it(word: str) -> None:
    assert name_keys(word).words == word


def test_different_things_have_different_keys() -> None:
    assert name_keys("hepatitis B").bag != name_keys("hepatitis C").bag
    assert name_keys("hypotension").bag != name_keys("hypertension").bag


@given(st.text(max_size=60))
def test_keys_do_not_depend_on_case_and_blanks(text: str) -> None:
    keys = name_keys(text)
    assert keys == name_keys(f"  {text}  ")
    assert name_keys(keys.words).words is not None
    assert written_alike(text) == written_alike(f" {text} ")
