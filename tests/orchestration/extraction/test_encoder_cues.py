"""Negation, speculation and quantities in authored sentences; the mentions stand in brackets."""

from __future__ import annotations

import re

import pytest

from orchestration.extraction.encoder.cues import negation, speculation
from orchestration.extraction.encoder.quantities import SENTENCE_QUALIFIERS, dose_of, only_match
from orchestration.records import Span


def read(marked: str) -> tuple[str, Span, tuple[int, int], tuple[int, int]]:
    """The sentence without brackets, its span, and the places of its two mentions."""
    text, places = "", []
    for number, part in enumerate(re.split(r"[\[\]]", marked)):
        if number % 2:
            places.append((len(text), len(text) + len(part)))
        text += part
    first, second = places
    return text, Span(start_char=0, end_char=len(text)), first, second


def shown(text: str, span: Span | None) -> str | None:
    return text[span.start_char : span.end_char] if span is not None else None


@pytest.mark.parametrize(
    ("sentence", "cue"),
    [
        ("[Naloxone] did not cause [hypotension] in rats.", "did not"),
        ("No patient who received [aspirin] developed [bleeding].", "No"),
        ("[Hypotension] was not observed with [naloxone].", "was not"),
        ("[Aspirin] caused nausea, but not [bleeding].", None),  # the contrast starts a clause
        ("[Aspirin] caused [bleeding] but not nausea.", None),
        ("In patients without diabetes, [aspirin] caused [bleeding].", None),
        ("[Aspirin] caused [bleeding] in patients with no history of ulcers.", None),
        ("Without treatment, [lithium] induced [tremor].", None),
        ("[Aspirin] not only caused [bleeding] but also ulcers.", None),
        ("There was no evidence that [aspirin] causes [bleeding].", "no"),
        ("[Heparin] failed to induce [thrombocytopenia].", "failed to"),
        ("[Aspirin] caused [bleeding].", None),
    ],
)
def test_a_negation_concerns_what_its_clause_reaches(sentence: str, cue: str | None) -> None:
    text, span, first, second = read(sentence)
    assert shown(text, negation(text, span, first, second)) == cue


@pytest.mark.parametrize(
    ("sentence", "cue"),
    [
        ("[Aspirin] may cause [bleeding].", "may"),
        ("These results suggest that [aspirin] causes [bleeding].", "suggest"),
        ("[Aspirin] caused [bleeding], which may last for days.", None),
        ("[Bleeding] was possibly due to [aspirin].", "possibly"),
        ("We gave it to determine whether [aspirin] causes [bleeding].", "to determine"),
        ("[Aspirin] caused [bleeding].", None),
    ],
)
def test_a_speculation_concerns_what_its_clause_reaches(sentence: str, cue: str | None) -> None:
    text, span, first, second = read(sentence)
    assert shown(text, speculation(text, span, first, second)) == cue


def test_a_cue_inside_a_name_is_none() -> None:
    text, span, first, second = read("[Likely disease] followed [aspirin].")
    assert speculation(text, span, first, second) is None


@pytest.mark.parametrize(
    ("sentence", "dose"),
    [
        ("[clonidine], 5 to 20 micrograms/kg, lowered [pressure]", "5 to 20 micrograms/kg"),
        ("[naloxone] (0.2 mg/kg) caused [nausea]", "0.2 mg/kg"),
        ("100 mg/kg of [methyldopa] caused [nausea]", "100 mg/kg"),
        ("a 50 mg daily [aspirin] and [nausea]", "50 mg daily"),
        ("[naloxone] caused [nausea] at 5 mg", None),
        ("[naloxone] 4 caused [nausea]", None),
        ("5 mg heparin and [naloxone] caused [nausea]", None),
    ],
)
def test_a_dose_stands_directly_beside_its_drug(sentence: str, dose: str | None) -> None:
    text, span, first, _ = read(sentence)
    assert shown(text, dose_of(text, span, first)) == dose


@pytest.mark.parametrize(
    ("kind", "text", "value"),
    [
        ("time", "Aspirin caused bleeding after 6 weeks.", "after 6 weeks"),
        ("time", "Aspirin for two weeks and heparin for 3 days caused bleeding.", None),
        ("population", "Aspirin caused bleeding in 12 elderly patients.", "12 elderly patients"),
        ("population", "Aspirin caused bleeding in the patients.", None),
        ("population", "Aspirin caused bleeding in rats and in mice.", None),
        ("comparator", "More bleeding compared with the placebo group.", "placebo group"),
        ("comparator", "More bleeding than before.", None),
    ],
)
def test_what_a_sentence_has_once_qualifies_its_claim(kind: str, text: str, value: str | None) -> None:
    sentence = Span(start_char=0, end_char=len(text))
    assert shown(text, only_match(SENTENCE_QUALIFIERS[kind], text, sentence)) == value
