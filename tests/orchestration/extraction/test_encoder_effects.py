"""Questions about effects: the sentence that answers, and the direction that the model reads in it."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from medkg.testing.builders import a_document
from orchestration.contracts import (
    EffectAnswer,
    EffectQuestion,
    EffectReader,
    EffectStatement,
    Outcome,
    ReadDirection,
    TaggedText,
    TextToTag,
    sentence_spans,
)
from orchestration.errors import EmbeddingInputTooLongError
from orchestration.extraction.encoder import EncoderExtractor
from orchestration.extraction.encoder.effects import evidence_of

TEXT = (
    "Pain is common after surgery. We compared ketamine with saline. "
    "Pain scores were lower with ketamine than with saline (P = 0.01). "
    "Nausea did not differ significantly between ketamine and saline. Pain scores were noted by nurses."
)
PAIN = EffectQuestion("ketamine", "saline", "pain scores")
NAUSEA = EffectQuestion("ketamine", "saline", "nausea")
HAIR = EffectQuestion("acupuncture", "massage", "hair")


class Directions:
    """Reads `decreased` where the evidence has the word lower; fails for nausea if it is to."""

    reads_directions = True

    def __init__(self, error: EmbeddingInputTooLongError | None = None) -> None:
        self.error = error
        self.read: list[EffectStatement] = []

    def tag(self, texts: Sequence[TextToTag], timeout_seconds: float) -> Sequence[Outcome[TaggedText]]:
        raise AssertionError("questions need no mentions")

    def directions(
        self, statements: Sequence[EffectStatement], timeout_seconds: float
    ) -> Sequence[Outcome[ReadDirection]]:
        self.read += statements
        return [
            self.error
            if self.error and each.outcome == "nausea"
            else ReadDirection("decreased" if "lower" in each.evidence else "unchanged", 0.9)
            for each in statements
        ]


@pytest.mark.parametrize(
    ("question", "beginning"),
    [(PAIN, "Pain scores were lower"), (NAUSEA, "Nausea did not differ"), (HAIR, None)],
)
def test_the_sentence_with_the_rare_words_and_the_test_answers(
    question: EffectQuestion, beginning: str | None
) -> None:
    (span,) = evidence_of(TEXT, sentence_spans(TEXT), [question])
    if span is None:
        assert beginning is None
    else:
        assert TEXT[span.start_char : span.end_char].startswith(str(beginning))


def test_answers_have_the_direction_of_their_evidence() -> None:
    document = a_document(title=TEXT, sections={})
    tagger = Directions()
    extractor = EncoderExtractor(tagger, "model", 60)
    assert isinstance(extractor, EffectReader)
    (answers,) = extractor.answer([(document, [PAIN, HAIR, NAUSEA])])
    assert isinstance(answers, list)
    directions = [each and each.direction for each in answers]
    assert directions == ["decreased", None, "unchanged"]
    assert isinstance(answers[0], EffectAnswer)
    (span,) = answers[0].evidence
    assert tagger.read[0].evidence == document.text[span.start_char : span.end_char]


def test_an_error_is_that_of_its_document_alone() -> None:
    error = EmbeddingInputTooLongError("too long.")
    document = a_document(title=TEXT, sections={})
    extractor = EncoderExtractor(Directions(error), "model", 60)
    failed, answered = extractor.answer([(document, [NAUSEA, PAIN]), (document, [PAIN])])
    assert failed is error
    assert isinstance(answered, list) and answered[0] is not None


def test_without_a_model_no_question_is_answered() -> None:
    document = a_document(title=TEXT)
    assert EncoderExtractor(Directions(), None, 60).answer([(document, [PAIN])]) == [[None]]


def test_a_document_without_sentences_answers_nothing() -> None:
    assert evidence_of("", [], [PAIN]) == [None]
