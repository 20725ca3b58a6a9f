"""Abbreviations that a text defines are read with their long forms."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestration.contracts import abbreviations, long_forms


@pytest.mark.parametrize(
    ("text", "short", "long"),
    [
        ("Two had acute liver failure (ALF) later.", "ALF", "acute liver failure"),
        ("ALF (acute liver failure) was rare.", "ALF", "acute liver failure"),
        ("We gave propylthiouracil (PTU, 50 mg) daily.", "PTU", "propylthiouracil"),
        ("gamma-aminobutyric acid [GABA] levels", "GABA", "gamma-aminobutyric acid"),
        ('so-called "shaking palsy" ("SP")', "SP", "shaking palsy"),
        ("Fever came. Renal cell carcinoma (RCC) did not.", "RCC", "Renal cell carcinoma"),
        ("of benzodiazepines (BZDs)", "BZDs", "benzodiazepines"),
        ("5-hydroxytryptamine (5-HT) rose", "5-HT", "5-hydroxytryptamine"),
    ],
)
def test_a_definition_gives_its_long_form(text: str, short: str, long: str) -> None:
    assert long_forms(text) == {short: long}


@pytest.mark.parametrize(
    "text",
    [
        "The dose (10) was low.",
        "Renal failure (see Table 2) was rare.",
        "Nausea (n = 12) and headache",
        "Nothing to define (XYZ) here.",
        "the letters are elsewhere. Acute (LF)",
        "This study (safety population: 6 of 58, say) ended.",
        "()",
        "",
        "(ALF)",
    ],
)
def test_a_parenthesis_that_defines_nothing_is_left_alone(text: str) -> None:
    assert long_forms(text) == {}


def test_the_first_of_several_definitions_counts() -> None:
    text = "cyclophosphamide (CP) or, elsewhere, cerebral palsy (CP)"
    assert long_forms(text) == {"CP": "cyclophosphamide"}
    assert len(abbreviations(text)) == 2


@given(st.text(alphabet="ab AB([)] .\n,", max_size=80))
def test_spans_are_in_the_text_and_letters_in_order(text: str) -> None:
    for each in abbreviations(text):
        short, long = text[each.short_start : each.short_end], text[each.long_start : each.long_end]
        letters = iter(long.lower())
        assert all(letter in letters for letter in short.lower() if letter.isalnum())
        assert len(short) < len(long)
