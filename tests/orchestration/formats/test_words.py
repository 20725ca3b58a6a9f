"""Words of texts and queries, and their places."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestration.contracts import folded_text
from orchestration.formats.words import (
    MOST_LETTERS,
    MOST_TERMS,
    indexed_words,
    placed_words,
    query_words,
    separate_words,
)
from orchestration.formats.words import words as all_words

PIECES = (
    *"NCTnct 01234567:#-.,'/()[];\"",
    *(
        "NCT ",
        "NCT01234567",
        " 01234567",
        "nct:",
        "alfa ",
        "5mg",
        "\n",
        "\t",
        "\x1c",
        "\x85",
        "\xa0",
        "\u3000",
    ),
    *(
        "\u2028",
        "\u200b",
        "\xad",
        "\xb5",
        "\u03b2",
        "\u0391",
        "\xb2",
        "\u2122",
        "\u2014",
        "\xb7",
        "\xbd",
        "\ufb01",
    ),
    *("\u0301", "\u0308", "\u20dd", "\u0489", "\ufe0f", "\u3099", "\uff76\uff9e", "\u3042", "\u4e2d"),
    *("\u0640", "\u0627", "\u064c"),
)
"""Spaces, marks, signs and the beginnings and ends of registry numbers."""


@pytest.mark.parametrize(
    ("text", "spelled"),
    [
        ("Serum IL-6 rose", "serum il 6 il6 rose"),
        ("all-trans-retinoic", "all trans retinoic alltrans transretinoic alltransretinoic"),
        ("0.61-0.89, .05 and 1,250,000", "0 61 0 89 0p61 0p89 05 0p05 and 1 250 000 1250000"),
        ("75mg, 5\u00b5g and 5 mcg", "75 mg 5 ug and 5 ug"),
        ("Crohn\u2019s NCT 01234567", "crohn nct01234567"),
        ("interferon alfa-2b, alfalfa", "interferon alpha 2b alpha2b alfalfa"),
        ("na\u00efve S\u00f8rensen Stra\u00dfe", "naive sorensen strasse"),
        ("\u7cd6\u5c3f\u75c5", "\u7cd6 \u7cd6\u5c3f \u5c3f \u5c3f\u75c5 \u75c5"),
        ("\u0648\u0627\u0644\u0645\u0631\u0636\u0649", "\u0645\u0631\u0636"),
        ("?! \u2122 \x00", ""),
    ],
)
def test_a_text_has_words(text: str, spelled: str) -> None:
    assert indexed_words(text) == spelled
    assert sorted(word.text for word in placed_words(text)) == sorted(spelled.split())


def test_a_query_asks_for_its_telling_words_once() -> None:
    assert query_words("What is the role of IL-6 and il6?") == ["role", "il", "6", "il6"]
    assert query_words("to be or not to be") == ["to", "be", "or", "not"]
    assert query_words("\u7cd6\u5c3f\u75c5") == ["\u7cd6\u5c3f", "\u5c3f\u75c5"]
    assert query_words("\u75c5") == ["\u75c5"]
    assert len(query_words(" ".join(map(str, range(500))))) == MOST_TERMS
    assert separate_words("IL-6 \u7cd6\u5c3f\u75c5") == "il 6 \u7cd6\u5c3f \u5c3f\u75c5"


@given(st.text(max_size=80))
def test_words_have_neither_signs_nor_capitals_and_stand_in_the_text(text: str) -> None:
    for word in placed_words(text):
        assert 0 <= word.start < word.end <= len(text)
        assert 0 < len(word.text) <= 2 * MOST_LETTERS
        assert not set(word.text) & set(" \"-.'/\n\x00")
        assert word.text == word.text.casefold() or not word.text.isascii()
    assert sorted(indexed_words(text).split()) == sorted(word.text for word in placed_words(text))


@given(st.lists(st.sampled_from(PIECES), max_size=14).map("".join))
def test_indexed_words_are_the_words_of_the_whole_text(text: str) -> None:
    """Though runs between spaces are analysed one by one: registry numbers and marks reach further."""
    assert indexed_words(text) == " ".join(word.text for word in all_words(folded_text(text)))


def test_a_word_is_at_its_place_in_the_unfolded_text() -> None:
    text = "(\ufb01brosis) PaO\u2082, TNF\u03b1"
    places = {word.text: text[word.start : word.end] for word in placed_words(text)}
    assert places["fibrosis"] == "\ufb01brosis"
    assert places["pao2"] == "PaO\u2082"
    assert (places["tnf"], places["alpha"], places["tnfalpha"]) == ("TNF", "\u03b1", "TNF\u03b1")
