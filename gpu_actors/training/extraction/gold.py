"""Gold as a training takes it: texts with mentions and relations, and questions with their answers.

Input: annotated documents of any corpus. Output: those parts that the three heads learn from. A document with
judged claims gives questions, one with annotated kinds a text; raises UsageError where there is too little.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, TypeVar

from orchestration.errors import UsageError
from orchestration.records import AnnotatedDocument, AnnotatedMention

__all__ = [
    "CHEMICAL",
    "DIRECTIONS",
    "DISEASE",
    "KINDS",
    "PREDICATE",
    "AnnotatedText",
    "DirectionQuestion",
    "ExtractorGold",
    "gold_of",
    "held_apart",
]

CHEMICAL: Final = "Chemical"
DISEASE: Final = "Disease"
KINDS: Final = (CHEMICAL, DISEASE)
"""Kinds of mentions that the tagger finds."""

PREDICATE: Final = "induces"
"""A chemical induces a disease."""

DIRECTIONS: Final = ("increased", "decreased", "unchanged")
"""Effects of an intervention on an outcome."""

LEAST_TEXTS: Final = 4
LEAST_MENTIONS: Final = 8
"""Of each kind that is annotated at all."""

Item = TypeVar("Item", "AnnotatedText", "DirectionQuestion")


@dataclass(frozen=True, slots=True)
class AnnotatedText:
    """A text with its mentions and, if they were annotated, its relations."""

    name: str
    """Id of its document."""
    text: str
    mentions: tuple[AnnotatedMention, ...]
    """Of KINDS, without overlap, in reading order."""
    kinds: frozenset[str]
    """Of KINDS: those annotated wherever they occur; whether a word belongs to another is unknown."""
    relations: frozenset[tuple[str, str]] | None = None
    """(chemical, disease) of each induced disease; None: not annotated."""


@dataclass(frozen=True, slots=True)
class DirectionQuestion:
    """What an intervention did to an outcome, and the evidence that says so."""

    name: str
    """Id of its document."""
    intervention: str
    comparator: str
    outcome: str
    evidence: str
    direction: str
    """One of DIRECTIONS."""


@dataclass(frozen=True, slots=True)
class ExtractorGold:
    """What a training learns from, or is measured on."""

    texts: tuple[AnnotatedText, ...]
    questions: tuple[DirectionQuestion, ...]


def gold_of(documents: Sequence[AnnotatedDocument]) -> ExtractorGold:
    """Texts and questions of the documents; raises UsageError if they are too few to learn from."""
    texts = tuple(text for document in documents if (text := _text(document)) is not None)
    questions = tuple(question for document in documents for question in _questions(document))
    _require_enough(texts)
    return ExtractorGold(texts, questions)


def held_apart(gold: ExtractorGold, share: float, seed: int) -> tuple[ExtractorGold, ExtractorGold]:
    """(to learn from, held out): that share of the documents, drawn apart for each set of annotated kinds."""
    draw = random.Random(seed)
    held: set[str] = set()
    names: dict[frozenset[str], dict[str, None]] = {}
    for text in gold.texts:
        names.setdefault(text.kinds, {})[text.name] = None
    for question in gold.questions:
        names.setdefault(frozenset(), {})[question.name] = None
    for group in names.values():
        held.update(draw.sample(list(group), round(share * len(group))))
    return _of_names(gold, held, inside=False), _of_names(gold, held, inside=True)


def _of_names(gold: ExtractorGold, names: set[str], inside: bool) -> ExtractorGold:
    return ExtractorGold(_chosen(gold.texts, names, inside), _chosen(gold.questions, names, inside))


def _chosen(items: Sequence[Item], names: set[str], inside: bool) -> tuple[Item, ...]:
    return tuple(item for item in items if (item.name in names) is inside)


def _text(document: AnnotatedDocument) -> AnnotatedText | None:
    """None where neither kind was annotated."""
    kinds = frozenset(KINDS) if document.kinds is None else document.kinds & frozenset(KINDS)
    if not kinds:
        return None
    annotated = document.predicates is None or PREDICATE in document.predicates
    return AnnotatedText(
        name=document.doc_id,
        text=document.text,
        mentions=_without_overlap([mention for mention in document.mentions if mention.kind in kinds]),
        kinds=kinds,
        relations=_relations(document) if annotated and len(kinds) == len(KINDS) else None,
    )


def _without_overlap(mentions: Sequence[AnnotatedMention]) -> tuple[AnnotatedMention, ...]:
    """In reading order; of those that overlap the first, the longest if several start there."""
    apart: list[AnnotatedMention] = []
    for mention in sorted(mentions, key=lambda mention: (mention.start_char, -mention.end_char)):
        if not apart or mention.start_char >= apart[-1].end_char:
            apart.append(mention)
    return tuple(apart)


def _relations(document: AnnotatedDocument) -> frozenset[tuple[str, str]]:
    return frozenset(
        (subject, object_)
        for relation in document.relations
        if relation.predicate == PREDICATE and not relation.negated
        for subject in relation.subject
        for object_ in relation.object
    )


def _questions(document: AnnotatedDocument) -> list[DirectionQuestion]:
    """One per different judgement, evidence and direction."""
    return list(
        dict.fromkeys(
            DirectionQuestion(
                name=document.doc_id,
                intervention=claim.intervention,
                comparator=claim.comparator,
                outcome=claim.outcome,
                evidence=document.text[judgement.start_char : judgement.end_char],
                direction=judgement.direction,
            )
            for claim in document.claims
            for judgement in claim.judgements
            if judgement.direction in DIRECTIONS
        )
    )


def _require_enough(texts: Sequence[AnnotatedText]) -> None:
    if len(texts) < LEAST_TEXTS:
        raise UsageError(
            f"the gold has {len(texts)} documents with mentions of {' or '.join(KINDS)}; a training needs "
            f"{LEAST_TEXTS}, hundreds to be of use. Give more files in --gold; mentions of other kinds "
            "are not used."
        )
    counts = Counter(mention.kind for text in texts for mention in text.mentions)
    if few := [kind for kind in KINDS if counts[kind] < LEAST_MENTIONS]:
        raise UsageError(
            f"the gold has {counts[few[0]]} mentions of {few[0]}; a training needs {LEAST_MENTIONS} of each "
            f"of {', '.join(KINDS)}. Give files in --gold that annotate it."
        )
