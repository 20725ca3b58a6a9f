"""Directions of the encoder's claims: read in sentences that compare, kept where the model is sure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import pytest

from orchestration.contracts import EffectStatement, Outcome, ReadDirection, values_of
from orchestration.errors import EmbeddingInputTooLongError, MedkgError
from orchestration.extraction.encoder import EncoderExtractor
from orchestration.extraction.encoder.claim_directions import LEAST_CONFIDENCE
from orchestration.records import Claim, Entity
from tests.orchestration.extraction.test_encoder import EveryConcept, WordTagger, written

HIGHER = "Nausea was more frequent with aspirin than with placebo."
LOWER = "In the second year nausea was less frequent with aspirin compared to placebo."
PLAIN = "Nausea was seen after aspirin."
DENIED = "Aspirin did not cause nausea compared with placebo."


@dataclass
class DirectionTagger(WordTagger):
    """Reads increased in `more`, decreased in `less`, unchanged elsewhere."""

    confidence: float = LEAST_CONFIDENCE
    reads_directions: bool = True
    failing: MedkgError | None = None
    read: list[EffectStatement] = field(default_factory=list)

    def directions(
        self, statements: Sequence[EffectStatement], timeout_seconds: float
    ) -> Sequence[Outcome[ReadDirection]]:
        self.read += statements
        return [self._read(each.evidence) for each in statements]

    def _read(self, evidence: str) -> Outcome[ReadDirection]:
        words = {"more": "increased", "less": "decreased"}
        direction = next((words[word] for word in evidence.split() if word in words), "unchanged")
        return self.failing or ReadDirection(direction, self.confidence)


def claims_of(tagger: DirectionTagger, text: str) -> list[Claim]:
    extractor = EncoderExtractor(tagger, "tiny@1", 30, EveryConcept())
    (extraction,) = values_of(extractor.extract_batch([written(text)]))
    return [each for each in extraction[1] if isinstance(each, Claim)]


@pytest.mark.parametrize(
    ("text", "direction"),
    [
        (HIGHER, "increased"),
        (f"{PLAIN} {HIGHER}", "increased"),  # the sentence that compares decides
        (PLAIN, None),  # nothing to compare with
        (f"{HIGHER} {LOWER}", None),  # they disagree
        (DENIED, None),
    ],
)
def test_a_claim_has_the_direction_of_the_sentences_that_compare(text: str, direction: str | None) -> None:
    (claim,) = claims_of(DirectionTagger(), text)
    assert claim.direction == direction


def test_the_model_is_asked_for_the_drug_its_comparator_and_the_condition_of_the_evidence() -> None:
    tagger = DirectionTagger()
    (claim,) = claims_of(tagger, f"{PLAIN} {HIGHER}")
    assert tagger.read == [EffectStatement("aspirin", "placebo", "Nausea", HIGHER)]
    document = written(f"{PLAIN} {HIGHER}")
    assert HIGHER in [document.text[each.start_char : each.end_char] for each in claim.evidence]


def test_a_direction_that_the_model_is_not_sure_of_is_left_out() -> None:
    (claim,) = claims_of(DirectionTagger(confidence=LEAST_CONFIDENCE - 0.01), HIGHER)
    assert claim.direction is None


def test_a_model_without_directions_is_not_asked() -> None:
    tagger = DirectionTagger(reads_directions=False)
    (claim,) = claims_of(tagger, HIGHER)
    assert (claim.direction, tagger.read) == (None, [])


def test_an_error_is_that_of_its_document_alone() -> None:
    error = EmbeddingInputTooLongError("too long.")
    extractor = EncoderExtractor(DirectionTagger(failing=error), "tiny@1", 30, EveryConcept())
    failed, extraction = extractor.extract_batch([written(HIGHER), written(PLAIN)])
    assert failed is error
    assert not isinstance(extraction, MedkgError) and len(extraction[1]) == 1


def test_claims_between_given_mentions_have_directions_too() -> None:
    extractor = EncoderExtractor(DirectionTagger(), "tiny@1", 30, EveryConcept())
    document = written(HIGHER)
    (extraction,) = values_of(extractor.extract_batch([document]))
    entities = [each for each in extraction[0] if isinstance(each, Entity)]
    (claims,) = values_of(extractor.relate([(document, entities)]))
    assert [each.direction for each in claims] == ["increased"]
