"""Which pairs the encoder makes claims of: sentences that state them, over what the relation model says."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence

import pytest

from orchestration.contracts import Extraction, Found, Outcome, values_of
from orchestration.extraction.encoder import EncoderExtractor
from orchestration.extraction.encoder.agreement import is_name
from orchestration.extraction.encoder.claim_model import FILE, Known, shipped_claim_model
from orchestration.extraction.encoder.pair_features import ConceptPlaces, Pair, Shared
from orchestration.records import Document, Span
from tests.orchestration.extraction.test_encoder import EveryConcept, WordTagger, extracted, written

LIKELY, UNLIKELY = 6.0, -6.0


class NoConcept(EveryConcept):
    """A linker that knows no name."""

    def link(self, items: Sequence[tuple[Document, Extraction]]) -> Sequence[Outcome[Extraction]]:
        return [extraction for _, extraction in items]


def stated(
    text: str, margin: float = UNLIKELY, linker: EveryConcept | None = None
) -> list[tuple[str, str, bool]]:
    """Names of drug and condition in lower case, and whether the claim is a denial."""
    extractor = EncoderExtractor(WordTagger(margin=margin), "tiny@1", 30, linker or EveryConcept())
    extractions: list[Found] = values_of(extractor.extract_batch([written(text)]))
    entities, claims = extractions[0][0], extractions[0][1]
    names = {each.entity_id: each.name.lower() for each in entities}
    return [(names[each.subject], names[each.object], each.negated) for each in claims]


def shared(text: str, drug: str, condition: str) -> Shared:
    """The sentence of a text of one sentence, with two of its names; other words of WORDS are others."""
    places = [
        [(start, start + len(word)) for start in [text.find(word)] if start >= 0]
        for word in (drug, condition)
    ]
    (sentence,) = ConceptPlaces(
        text, [Span(start_char=0, end_char=len(text))], [places[0]], [places[1]]
    ).shared(0, 0)
    return sentence


def test_each_stated_pair_is_a_claim_and_no_other_pair_of_the_text_is() -> None:
    text = "Aspirin caused nausea. Heparin induced severe bleeding."
    for margin in (UNLIKELY, 0.0):
        assert stated(text, margin) == [("aspirin", "nausea", False), ("heparin", "bleeding", False)]


def test_a_denial_is_a_claim_even_where_the_relation_model_finds_no_relation() -> None:
    text = "Heparin again. Aspirin did not cause ulcer."
    assert stated(text) == [("aspirin", "ulcer", True)]


@pytest.mark.parametrize(
    "text",
    [
        "Aspirin was not associated with bleeding.",
        "Aspirin, among other drugs of its class and age, was not associated with bleeding.",
        "Bleeding was not caused by aspirin.",
        "Aspirin never caused bleeding.",
    ],
)
def test_words_of_cause_that_are_denied_make_a_denial(text: str) -> None:
    assert [negated for _, _, negated in stated(text, 0.0)] == [True]


@pytest.mark.parametrize(
    "text",
    [
        "Aspirin was used to control bleeding.",
        "Aspirin was inversely associated with bleeding.",
        "Aspirin prevented bleeding.",
        "Aspirin protects against bleeding.",
        "Bleeding was treated with aspirin.",
        "Aspirin was associated with success compared to bleeding.",
        "Aspirin was given. Bleeding was measured.",
    ],
)
def test_treatment_comparison_and_mere_presence_are_no_claims(text: str) -> None:
    assert stated(text, 0.0) == []


@pytest.mark.parametrize(
    ("text", "is_direct"),
    [
        ("aspirin caused bleeding", True),
        ("aspirin-induced bleeding", True),
        ("aspirin therapy may lead to fatal bleeding", True),
        ("bleeding due to aspirin", True),
        ("bleeding was caused by the use of aspirin", True),
        ("aspirin prevented drug-induced bleeding", False),
        ("aspirin relieved what caused bleeding", False),
        ("bleeding treated with aspirin", False),
    ],
)
def test_a_direct_statement_has_nothing_but_words_of_cause_between_both(text: str, is_direct: bool) -> None:
    assert shared(text, "aspirin", "bleeding").direct is is_direct


def test_a_cause_belongs_to_the_drug_beside_it() -> None:
    text = "Aspirin prevented heparin-induced bleeding."
    assert stated(text, 0.0) == [("heparin", "bleeding", False)]


def test_members_of_a_list_share_what_is_said_of_it() -> None:
    text = "Aspirin and heparin caused nausea and bleeding."
    assert {(drug, condition) for drug, condition, _ in stated(text, LIKELY)} == {
        (drug, condition) for drug in ("aspirin", "heparin") for condition in ("nausea", "bleeding")
    }


def test_without_a_sentence_that_words_it_both_ends_must_have_concepts() -> None:
    text = "Aspirin and bleeding. Aspirin with bleeding. Aspirin, bleeding."
    assert stated(text, 12.0) == [("aspirin", "bleeding", False)]
    assert stated(text, 12.0, NoConcept()) == []


def test_a_pair_of_different_sentences_needs_a_surer_model_than_one_that_a_sentence_words() -> None:
    model = shipped_claim_model()
    assert 0 < model.least_worded < model.least_same_sentence < model.least_apart < 1
    places = ConceptPlaces(
        "aspirin. bleeding.",
        [Span(start_char=0, end_char=8), Span(start_char=9, end_char=18)],
        [[(0, 7)]],
        [[(9, 17)]],
    )
    pair = Pair(places, 0, 0)
    known = Known(drug=True, condition=True)
    assert not model.accepts(pair, model.least_apart - 0.01, known)
    assert model.accepts(pair, model.least_apart, known)
    assert not model.accepts(pair, 1.0, Known(drug=True, condition=False))


def test_the_probability_is_the_logistic_function_of_weighted_features() -> None:
    model = shipped_claim_model()
    features = dict.fromkeys(model.weights, 0.0)
    assert model.probability(features, 0) == pytest.approx(1 / (1 + math.exp(-model.intercept)))
    more = model.probability({**features, "cause_sentences": 1.0}, 5)
    total = model.intercept + model.weights["cause_sentences"] + 5 * model.margin
    assert more == pytest.approx(1 / (1 + math.exp(-total)))


def test_the_weights_are_of_the_features_that_are_computed() -> None:
    places = ConceptPlaces("aspirin bleeding", [Span(start_char=0, end_char=16)], [[(0, 7)]], [[(8, 16)]])
    assert list(Pair(places, 0, 0).features()) == list(
        json.loads(FILE.read_text(encoding="utf-8"))["weights"]
    )


def test_a_claim_of_two_sentences_has_the_sentences_that_word_it_as_evidence() -> None:
    document = written("Aspirin caused bleeding. We gave aspirin for bleeding. Bleeding was due to aspirin.")
    (claim,) = extracted(document)[1]
    assert [document.text[each.start_char : each.end_char] for each in claim.evidence] == [
        "Aspirin caused bleeding.",
        "Bleeding was due to aspirin.",
    ]


@pytest.mark.parametrize("words", ["{", "CRLF", "Tables", "L", "--", "3", "Fig.", "x" * 151, ""])
def test_signs_single_letters_format_words_and_long_passages_are_no_names(words: str) -> None:
    assert not is_name(words)


@pytest.mark.parametrize(
    "words", ["E2", "ASA", "Cr", "\u764c", "5-FU", "x" * 150, "figure-of-eight deformity"]
)
def test_short_codes_and_words_without_case_are_names(words: str) -> None:
    assert is_name(words)
