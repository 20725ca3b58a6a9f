"""Annotated documents: a text with its mentions, relations and judged claims, by annotators or an extractor.

Gold and predictions have the same form, so that a scorer compares any two. Frozen, plain dataclasses: they
are also training data. Offsets count characters of `text`.
"""

from __future__ import annotations

from dataclasses import dataclass

from orchestration.records.graph import local_concept

__all__ = [
    "AnnotatedClaim",
    "AnnotatedDocument",
    "AnnotatedMention",
    "AnnotatedRelation",
    "Judgement",
]


@dataclass(frozen=True, slots=True)
class AnnotatedMention:
    """A mention: `text` is `document.text[start_char:end_char]`."""

    start_char: int
    end_char: int
    kind: str
    text: str
    concepts: tuple[str, ...] = ()
    """CURIEs, any of which is right; empty: the mention is unlinked."""
    composite: bool = False
    """Its CURIEs are several concepts, each of which it mentions ("ovarian and breast cancer"); False: they
    are keys of one concept."""

    @property
    def key(self) -> tuple[str, ...]:
        """How relations name the mention: by its CURIEs, else by the local concept of its kind and text."""
        return self.concepts or (local_concept(self.kind, self.text),)


@dataclass(frozen=True, slots=True)
class AnnotatedRelation:
    """A relation of the document between two concepts, each given by keys any of which is right."""

    predicate: str
    subject: tuple[str, ...]
    object: tuple[str, ...]
    directed: bool = True
    """False: subject and object may be exchanged."""
    negated: bool = False
    direction: str | None = None
    """increased, decreased or unchanged; None: not annotated."""
    novel: bool | None = None
    """Whether the document found it or repeats what was known (BioRED); None: not annotated."""
    evidence: tuple[tuple[int, int], ...] = ()
    """Start and end characters of what states it; empty: not annotated."""


@dataclass(frozen=True, slots=True)
class Judgement:
    """What one annotator, or a model, answers to a claim's question, and the evidence for it."""

    direction: str
    """increased, decreased or unchanged."""
    start_char: int
    end_char: int
    annotator: str = ""


@dataclass(frozen=True, slots=True)
class AnnotatedClaim:
    """A question, what an intervention did to an outcome against a comparator, with its judgements."""

    claim_id: str
    intervention: str
    comparator: str
    outcome: str
    judgements: tuple[Judgement, ...]


@dataclass(frozen=True, slots=True)
class AnnotatedDocument:
    """A text with all that was annotated in it."""

    doc_id: str
    text: str
    title: str = ""
    """The text begins with it; '' where the format does not say."""
    mentions: tuple[AnnotatedMention, ...] = ()
    relations: tuple[AnnotatedRelation, ...] = ()
    claims: tuple[AnnotatedClaim, ...] = ()
    kinds: frozenset[str] | None = None
    """Kinds that were annotated wherever they occur; others are not judged. None: all kinds."""
    predicates: frozenset[str] | None = None
    """Predicates that were annotated wherever they hold; others are not judged. None: all."""
    negations: bool = True
    """Whether relations that the text denies were annotated too; False: they are not judged."""
    record: str | None = None
    """Path of the file that the text was parsed from; None: extractors read the text alone."""
    origin: str = ""
    """File and line, for messages."""
