"""Relations between concepts as claims: the sentences that state them, denied or supposed, with qualifiers.

Input: a document's mentions and the relations of its concepts. Output: claims in Findings. Evidence is every
sentence that has both concepts, else the nearest pair of sentences. Sentences that deny the relation make a
separate, negated claim.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Final

from orchestration.extraction.encoder.cues import negation, speculation
from orchestration.extraction.encoder.quantities import SENTENCE_QUALIFIERS, dose_of, only_match
from orchestration.extraction.findings import Findings
from orchestration.records import Entity, Qualifier, Span

__all__ = ["Statements"]

MOST_SENTENCES: Final = 8
"""Of evidence of one claim; the first of the document."""


@dataclass(frozen=True, slots=True)
class _Evidence:
    """A subject and an object, and the sentences in which they stand: one, or the nearest two."""

    sentences: tuple[Span, ...]
    subject: Entity
    object: Entity

    @property
    def places(self) -> tuple[tuple[int, int], tuple[int, int]]:
        return _place(self.subject), _place(self.object)


class Statements:
    """Adds claims about the mentions of one document."""

    def __init__(self, findings: Findings, text: str, sentences: Sequence[Span]) -> None:
        """`sentences`: of the passages that were read, in order."""
        self._findings = findings
        self._text = text
        self._sentences = sentences
        self._starts = [each.start_char for each in sentences]

    def add(
        self, subjects: Sequence[Entity], predicate: str, objects: Sequence[Entity], confidence: float
    ) -> None:
        """Add what the document says of two concepts, each given by its mentions, at least one."""
        denied: dict[_Evidence, Span] = {}
        asserted: list[_Evidence] = []
        for evidence in self._evidence(subjects, objects):
            cue = (
                negation(self._text, evidence.sentences[0], *evidence.places)
                if len(evidence.sentences) == 1
                else None
            )
            if cue is not None:
                denied[evidence] = cue
            else:
                asserted.append(evidence)
        if asserted:
            self._claim(asserted, predicate, confidence, self._supposed(asserted))
        if denied:
            cues = [self._findings.qualifier("negation", cue) for cue in denied.values()]
            self._claim(list(denied), predicate, confidence, cues, negated=True)

    def _supposed(self, evidence: Sequence[_Evidence]) -> list[Qualifier]:
        """Cues of speculation, where every sentence has one."""
        cues = [
            speculation(self._text, each.sentences[0], *each.places) if len(each.sentences) == 1 else None
            for each in evidence
        ]
        spans = [cue for cue in cues if cue is not None]
        return (
            [self._findings.qualifier("speculation", cue) for cue in spans] if len(spans) == len(cues) else []
        )

    def _claim(
        self,
        evidence: Sequence[_Evidence],
        predicate: str,
        confidence: float,
        cues: Sequence[Qualifier],
        *,
        negated: bool = False,
    ) -> None:
        spans = sorted(
            {each for pair in evidence for each in pair.sentences}, key=lambda each: each.start_char
        )
        qualifiers = {(each.kind, each.span): each for each in [*cues, *self._qualifiers(evidence)]}
        self._findings.claim(
            evidence[0].subject,
            predicate,
            evidence[0].object,
            spans,
            qualifiers=list(qualifiers.values()),
            negated=negated,
            confidence=confidence,
        )

    def _qualifiers(self, evidence: Sequence[_Evidence]) -> list[Qualifier]:
        qualifiers: list[Qualifier] = []
        for each in evidence:
            if len(each.sentences) > 1:
                continue
            (sentence,) = each.sentences
            spans = {"dose": dose_of(self._text, sentence, _place(each.subject))}
            for kind, pattern in SENTENCE_QUALIFIERS.items():
                spans[kind] = only_match(pattern, self._text, sentence)
            qualifiers += [
                self._findings.qualifier(kind, span) for kind, span in spans.items() if span is not None
            ]
        return qualifiers

    def _evidence(self, subjects: Sequence[Entity], objects: Sequence[Entity]) -> list[_Evidence]:
        """One per sentence that has both; without any, the nearest pair of sentences."""
        of_subject, of_object = self._by_sentence(subjects), self._by_sentence(objects)
        shared = sorted(of_subject.keys() & of_object.keys())
        if shared:
            return [
                _Evidence((self._sentences[at],), *_nearest(of_subject[at], of_object[at]))
                for at in shared[:MOST_SENTENCES]
            ]
        if not of_subject or not of_object:
            return []
        first, second = min(
            product(sorted(of_subject), sorted(of_object)), key=lambda pair: abs(pair[0] - pair[1])
        )
        places = tuple(self._sentences[at] for at in sorted((first, second)))
        return [_Evidence(places, *_nearest(of_subject[first], of_object[second]))]

    def _by_sentence(self, mentions: Sequence[Entity]) -> Mapping[int, list[Entity]]:
        by_sentence: dict[int, list[Entity]] = {}
        for mention in mentions:
            at = bisect_right(self._starts, mention.span.start_char) - 1
            if at >= 0 and mention.span.end_char <= self._sentences[at].end_char:
                by_sentence.setdefault(at, []).append(mention)
        return by_sentence


def _nearest(subjects: Sequence[Entity], objects: Sequence[Entity]) -> tuple[Entity, Entity]:
    """The pair with the fewest characters between them; the first of several."""
    return min(
        product(subjects, objects),
        key=lambda pair: (
            max(pair[0].span.start_char, pair[1].span.start_char)
            - min(pair[0].span.end_char, pair[1].span.end_char)
        ),
    )


def _place(mention: Entity) -> tuple[int, int]:
    return mention.span.start_char, mention.span.end_char
