"""What an extractor and the linker find in gold documents, and its scores.

Input: an extractor's name or a linker, and gold with the documents that are read. Output: scores, failures,
and what was dropped. A document that fails counts as one in which nothing was found, and is named.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final, TypeVar

from orchestration.batching import batched
from orchestration.contracts import (
    CountedExtraction,
    EffectAnswer,
    EffectQuestion,
    EffectReader,
    Extraction,
    Linker,
    MentionRelator,
    Outcome,
)
from orchestration.errors import ConfigurationError, MedkgError
from orchestration.extraction.scoring import Score, aligned, annotated, on_gold_mentions, score
from orchestration.operations.parts import Parts
from orchestration.records import AnnotatedClaim, AnnotatedDocument, Document, Judgement

__all__ = ["Measured", "Pairs", "measured_extractor", "measured_linker"]

BATCH: Final = 64
"""Documents per call of an extractor."""
FOUND: Final = ("mentions", "mentions_overlap", "links")
RELATED: Final = ("relations", "relation_pairs", "negations", "directions", "relation_evidence")
ALIGNED: Final = ("relations", "negations")
"""Measures that are also taken with concepts aligned by mention."""
ANSWERED: Final = ("claims", "evidence", "evidence_characters")

Pairs = Sequence[tuple[AnnotatedDocument, Document]]
"""Gold, and the document that is read."""
T = TypeVar("T")


@dataclass(slots=True)
class Measured:
    """What was found in the gold's documents, and how good it is."""

    predicted: list[AnnotatedDocument] = field(default_factory=list)
    scores: list[Score] = field(default_factory=list)
    failed: dict[str, MedkgError] = field(default_factory=dict)
    accepted: Counter[str] = field(default_factory=Counter)
    dropped: Counter[str] = field(default_factory=Counter)
    seconds: float = 0.0
    """Wall-clock time of the extraction, models loaded within it."""

    def as_json(self) -> dict[str, Any]:
        """The stable JSON of `medkg eval-extract`; `grounded`: the share that was not dropped."""
        total = self.accepted.total() + self.dropped.total()
        return {
            "mentions": self.accepted["mentions"],
            "claims": self.accepted["claims"],
            "dropped": dict(sorted(self.dropped.items())),
            "grounded": round(self.accepted.total() / total, 4) if total else None,
            "seconds": round(self.seconds, 3),
            "failed": [
                {"doc_id": doc_id, "code": error.code, "message": error.message}
                for doc_id, error in self.failed.items()
            ],
            "scores": [each.as_json() for each in self.scores],
        }

    def value(self, gold: AnnotatedDocument, outcome: Outcome[T], nothing: T) -> T:
        """The outcome, or for an error, which is noted, `nothing`; raises what concerns all documents."""
        if isinstance(outcome, ConfigurationError):
            raise outcome
        if isinstance(outcome, MedkgError):
            self.failed[gold.doc_id] = outcome
            return nothing
        return outcome


def measured_extractor(parts: Parts, name: str, pairs: Pairs) -> Measured:
    """An extractor end to end, and what else it offers on gold mentions and questions."""
    measured = Measured()
    gold = [each for each, _ in pairs]
    extractor = parts.extractor(name)
    if any(each.mentions or each.relations for each in gold):
        _extract(measured, parts, name, pairs)
        alignments = [aligned(*both) for both in zip(gold, measured.predicted, strict=True)]
        measured.scores += _rows("", (*FOUND, *RELATED), score(gold, measured.predicted))
        measured.scores += _rows("aligned_", ALIGNED, score(gold, alignments))
        if isinstance(extractor, MentionRelator):
            measured.scores += _rows("gold_", RELATED, score(gold, _related(measured, extractor, pairs)))
    else:
        measured.predicted = [replace(each, claims=()) for each in gold]
    if isinstance(extractor, EffectReader) and any(each.claims for each in gold):
        measured.scores += _rows("", ANSWERED, score(gold, _answered(measured, extractor, pairs)))
    return measured


def measured_linker(linker: Linker, pairs: Pairs) -> Measured:
    """A linker on the gold's mentions."""
    measured = Measured()
    started = time.perf_counter()
    for batch in batched(pairs, BATCH):
        items: list[tuple[Document, Extraction]] = [
            (document, (on_gold_mentions(gold, document, linked=False), [])) for gold, document in batch
        ]
        for (gold, _), outcome in zip(batch, linker.link(items), strict=True):
            measured.predicted.append(annotated(gold, measured.value(gold, outcome, ([], []))))
    measured.seconds = time.perf_counter() - started
    measured.scores = _rows("gold_", ("links",), score([gold for gold, _ in pairs], measured.predicted))
    return measured


def _rows(prefix: str, measures: Sequence[str], scores: Sequence[Score]) -> list[Score]:
    return [replace(each, measure=prefix + each.measure) for each in scores if each.measure in measures]


def _extract(measured: Measured, parts: Parts, name: str, pairs: Pairs) -> None:
    for batch in batched(pairs, BATCH):
        started = time.perf_counter()
        outcomes = parts.extract_by(name, [document for _, document in batch])
        measured.seconds += time.perf_counter() - started
        for (gold, _), outcome in zip(batch, outcomes, strict=True):
            extraction = measured.value(gold, outcome, CountedExtraction([], [], {}))
            measured.accepted.update(mentions=len(extraction.entities), claims=len(extraction.claims))
            measured.dropped.update(extraction.dropped)
            measured.predicted.append(annotated(gold, (extraction.entities, extraction.claims)))


def _related(measured: Measured, extractor: MentionRelator, pairs: Pairs) -> list[AnnotatedDocument]:
    """Relations on gold mentions with their concepts."""
    predicted = []
    for batch in batched(pairs, BATCH):
        items = [(document, on_gold_mentions(gold, document, linked=True)) for gold, document in batch]
        for (gold, _), (_, entities), outcome in zip(batch, items, extractor.relate(items), strict=True):
            claims = measured.value(gold, outcome, [])
            predicted.append(annotated(gold, (entities, claims)))
    return predicted


def _answered(measured: Measured, extractor: EffectReader, pairs: Pairs) -> list[AnnotatedDocument]:
    """Answers to the questions of the gold's claims."""
    predicted = []
    for batch in batched(pairs, BATCH):
        items = [(document, [_question(claim) for claim in gold.claims]) for gold, document in batch]
        for (gold, _), outcome in zip(batch, extractor.answer(items), strict=True):
            unanswered: list[EffectAnswer | None] = [None] * len(gold.claims)
            answers = measured.value(gold, outcome, unanswered)
            claims = tuple(
                _claim(claim, answer)
                for claim, answer in zip(gold.claims, answers, strict=True)
                if answer is not None
            )
            predicted.append(replace(gold, mentions=(), relations=(), claims=claims))
    return predicted


def _question(claim: AnnotatedClaim) -> EffectQuestion:
    return EffectQuestion(claim.intervention, claim.comparator, claim.outcome)


def _claim(claim: AnnotatedClaim, answer: EffectAnswer) -> AnnotatedClaim:
    """The claim with the answer as its judgement; without evidence, with that of no character."""
    places = [(span.start_char, span.end_char) for span in answer.evidence] or [(0, 0)]
    return replace(claim, judgements=tuple(Judgement(answer.direction, *place) for place in places))
