"""Folding: what differs in encoding or typography alone is one text, and offsets are kept."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestration.contracts import folded_parts, folded_text


@pytest.mark.parametrize(
    ("text", "folded"),
    [
        ("TNF\u03b1 and IFN-\u03b3", "TNF-alpha and IFN-gamma"),
        ("\u03b1v\u03b23, \u03b1\u03b2 T cells", "alpha-v-beta-3, alpha-beta T cells"),
        ("\u0394\u0394Ct \u2206F508", "delta-delta-Ct delta-F508"),
        ("\u03bd\u03cc\u03c3\u03bf\u03c2", "\u03bd\u03cc\u03c3\u03bf\u03c2"),
        (
            "TGF-\u00df1, \u00df-blocker, Stra\u00dfe, Spa\u00df",
            "TGF-beta-1, beta-blocker, Stra\u00dfe, Spa\u00df",
        ),
        ("5 \u00b5g/kg \u03bcL \u03bcmol/L", "5 ug/kg uL umol/L"),
        ("\u03bc-opioid \u00b5 receptor", "mu-opioid mu receptor"),
        ("PaO\u2082 10\u2079/L 10\u207b\u00b3 m\u00b2 Na\u207a", "PaO2 10^9/L 10^-3 m2 Na+"),
        ("1\u00bd h, \u00bd", "1 1/2 h, 1/2"),
        ("\ufb01brosis \uff28\uff29\uff36 \u2162 \u338e Drug\u2122", "fibrosis HIV III mg Drug "),
        ("in\u00adflam\u200bma\u2060tion\ufeff", "inflammation"),
        ("COVID\u201119 5\u22127 a\u2014b", "COVID-19 5-7 a - b"),
        ("Crohn\u2019s Crohn\u00b4s 3\u2032 \u201cx\u201d", "Crohn's Crohn's 3' \"x\""),
        ("0\u00b761 \u0663\u066b\u0665 a\u00b7b", "0.61 3.5 a\u00b7b"),
        ("e\u0301 \u1112\u1161\u11ab\uff76\uff9e", "\u00e9 \ud55c\u30ac"),
        ("a\x00b\ud800c\x1b", "a b c "),
        ("plain ASCII: IL-6 <0.05\n\tx", "plain ASCII: IL-6 <0.05\n\tx"),
    ],
)
def test_texts_are_folded(text: str, folded: str) -> None:
    assert folded_text(text) == folded


TEXT = st.text(
    st.one_of(
        st.sampled_from(
            "aZ09 -.\u03b1\u03b2\u00b5\u00df\u2079\u00bd\u00b7\u0301\u00ad\u4e8c\uff76\uff9e\u2122\u0640"
        ),
        st.characters(),
    ),
    max_size=40,
)


@given(TEXT)
def test_parts_are_the_folded_text_at_their_places(text: str) -> None:
    parts = list(folded_parts(text))
    assert "".join(folded for _, folded, _ in parts) == folded_text(text)
    assert [start for start, _, _ in parts] == sorted({start for start, _, _ in parts})
    for start, folded, stayed in parts:
        assert not stayed or text[start : start + len(folded)] == folded


@given(TEXT)
def test_what_is_folded_can_be_encoded_and_stays_so(text: str) -> None:
    folded = folded_text(text)
    folded.encode()
    assert "\x00" not in folded


@given(st.characters(categories=["L", "N"]))
def test_no_letter_or_number_is_lost(letter: str) -> None:
    assert any(map(str.isalnum, folded_text(letter)))
    assert folded_text(unicodedata.normalize("NFD", letter)) == folded_text(letter)
