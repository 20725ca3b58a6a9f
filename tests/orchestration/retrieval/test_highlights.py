"""Highlights are the words that a query asks for, as the word index matches them, at their exact place."""

from __future__ import annotations

import sqlite3
from contextlib import closing

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestration.formats.match_expression import TOKENIZER, match_expression
from orchestration.formats.words import indexed_words
from orchestration.retrieval.highlights import highlights


def marked(query: str, text: str) -> list[str]:
    """The words at the spans."""
    (spans,) = highlights(query, [text])
    return [text[start:end] for start, end in spans]


@pytest.mark.parametrize(
    ("query", "text", "words"),
    [
        ("walking", "Walks, walked and WALKING.", ["Walks", "walked", "WALKING"]),
        ("naïve cafe", "A naive Café", ["naive", "Café"]),
        ("α-synuclein", "The Α-Synuclein and α1", ["Α", "Synuclein", "α"]),
        ("TGF-β", "tgf-β; TGFβ", ["tgf", "β", "TGF", "β"]),
        ("TGF-beta", "TGFβ", ["TGF", "β"]),
        ("IL6", "IL-6 and IL 6", ["IL-6"]),
        ("PaO2", "PaO₂, CO₂", ["PaO₂"]),
        ("glomeruli", "the glomer\u00aduli", ["glomer\u00aduli"]),
        ("fibrosis 0.61", "\ufb01brosis 0·61", ["\ufb01brosis", "0", "61"]),
        ("糖尿病", "二型糖尿病患者", ["糖尿病"]),
        ("السكري", "مرضى سكري", ["سكري"]),
        ("5 mcg", "5µg", ["5", "µg"]),
        ("NCT01234567", "see NCT 01234567.", ["NCT 01234567"]),
        ("COVID-19", "covid 19, COVID-19", ["covid", "19", "COVID", "19"]),
        ("the dose of aspirin", "the aspirin of the doses", ["aspirin", "doses"]),
        ("the", "the dose", ["the"]),
        ("heart", "nothing of that kind", []),
        ("?!", "what?!", []),
        ('"heart" OR NEAR(', "heart or near", ["heart", "near"]),
        ("heart", "\ufdd0heart\ufdd1\x00heart", ["heart", "heart"]),
        ("heart", "😀 heart ❤heart", ["heart", "heart"]),
        ("е\u0301тап", "этап е\u0301тап", ["е\u0301тап"]),
    ],
)
def test_words_are_found_as_the_index_matches_them(query: str, text: str, words: list[str]) -> None:
    assert marked(query, text) == words


def test_each_text_has_its_own_spans_in_order() -> None:
    assert highlights("heart", ["no", "heart", "", "a heart"]) == [(), ((0, 5),), (), ((2, 7),)]
    assert highlights("heart", []) == []


TEXT = st.text(
    st.one_of(
        st.sampled_from("abeins tALK'-–.,·µgαβΓςé\u0301\u0345ßİ019²½ﬁ病ガ\x00\ufdd0\u00ad\n"),
        st.characters(exclude_categories=["Cs"]),
    ),
    max_size=60,
)


def asks_for(query: str, word: str) -> bool:
    """Whether a text of this one word is found by the expression that the BM25 leg makes of the query."""
    with closing(sqlite3.connect(":memory:")) as connection:
        connection.execute(f"CREATE VIRTUAL TABLE one USING fts5(body, tokenize='{TOKENIZER}')")
        connection.execute("INSERT INTO one (body) VALUES (?)", (indexed_words(word),))
        matches = connection.execute("SELECT count(*) FROM one WHERE one MATCH ?", (match_expression(query),))
        return bool(matches.fetchone()[0])


@given(query=TEXT, text=TEXT)
def test_spans_are_words_of_the_query_sorted_and_disjoint(query: str, text: str) -> None:
    both = f"{text} {query} {text}"
    (spans,) = highlights(query, [both])
    edges = [edge for span in spans for edge in span]
    assert edges == sorted(edges)
    assert all(0 <= start < end <= len(both) for start, end in spans)
    assert all(asks_for(query, both[start:end]) for start, end in spans)
    assert bool(spans) == (match_expression(query) is not None and asks_for(query, both.replace("\0", " ")))
