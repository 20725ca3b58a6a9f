"""Tagging: mentions in texts, and relations between what they mention, by a trained model.

Input: texts and the passages of them that are to be read. Output: spans with labels and confidences, and
scores of pairs of concepts. Offsets are those of the given text; nothing is truncated.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Protocol

from orchestration.contracts.stages import Outcome

__all__ = [
    "CharRange",
    "ConceptSpans",
    "EffectStatement",
    "ReadDirection",
    "ScoredRelation",
    "TaggedSpan",
    "TaggedText",
    "TextTagger",
    "TextToTag",
]

CharRange = tuple[int, int]
"""First character and one past the last, in the text."""


class TextToTag(NamedTuple):
    """A text, and the passages of it that the model reads, each in its own context."""

    text: str
    passages: Sequence[CharRange]


class TaggedSpan(NamedTuple):
    """A mention."""

    start_char: int
    end_char: int
    label: str
    """Of the model: Chemical, Disease ..."""
    confidence: float
    """0 to 1."""


class ConceptSpans(NamedTuple):
    """What a text says of one concept: its label and where it is mentioned."""

    label: str
    spans: Sequence[CharRange]


class ScoredRelation(NamedTuple):
    """What the model says of a relation between two concepts."""

    subject: int
    """Position in the concepts that were given."""
    object: int
    predicate: str
    """Of the model: induces ..."""
    margin: float
    """Its logit above the model's own threshold: from 0 on the model calls it a relation."""
    window: CharRange
    """The part of the text in which the model read it."""


class EffectStatement(NamedTuple):
    """A question about an effect, and what is to be read as its evidence."""

    intervention: str
    comparator: str
    outcome: str
    evidence: str


class ReadDirection(NamedTuple):
    """What the evidence of a statement says."""

    direction: str
    """increased, decreased or unchanged."""
    confidence: float
    """0 to 1."""


class TaggedText(Protocol):
    """A text as the model read it.

    Guarantees: deterministic for a model; spans are in the text, and computed once. No errors. For
    one thread.
    """

    @property
    def spans(self) -> Sequence[TaggedSpan]:
        """Mentions in order of the text; they do not overlap."""
        ...

    def relations(self, concepts: Sequence[ConceptSpans]) -> list[ScoredRelation]:
        """All pairs of concepts that the model relates and that share a window, each once, in order.

        A pair below the threshold is returned too: other evidence may speak for it.
        """
        ...


class TextTagger(Protocol):
    """A tagger with its relation model.

    Guarantees: one outcome per text, in order; the error of a text is its own outcome. Deterministic for a
    model up to rounding. Raises UnavailableError while the model's service is unavailable, and
    ConfigurationError without a model. Thread-safe.
    """

    def tag(self, texts: Sequence[TextToTag], timeout_seconds: float) -> Sequence[Outcome[TaggedText]]:
        """Each text as the model reads it; `timeout_seconds`: of each micro-batch.

        The states of all texts are in memory together, about 0.8 kB per token of a small model.
        """
        ...

    @property
    def reads_directions(self) -> bool:
        """Whether the model reads directions."""
        ...

    def directions(
        self, statements: Sequence[EffectStatement], timeout_seconds: float
    ) -> Sequence[Outcome[ReadDirection]]:
        """What the evidence of each statement says, one outcome per statement, in order.

        Raises ConfigurationError for a model that reads no directions.
        """
        ...
