"""Relations between concepts as claims: the sentences that state them, denied or supposed, with qualifiers.

Input: a document's mentions and the relations of its concepts. Output: claims in Findings. Evidence are the
sentences that word the relation, else those that have both concepts, else the nearest pair of sentences.
Sentences that deny the relation make a separate, negated claim.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Final

from orchestration.extraction.encoder.cues import negation, speculation
from orchestration.extraction.encoder.pair_features import Shared
from orchestration.extraction.encoder.quantities import SENTENCE_QUALIFIERS, dose_of, only_match
from orchestration.extraction.findings import Findings
from orchestration.records import Entity, Qualifier, Span

__all__ = ["Statements", "denial"]

MOST_SENTENCES: Final = 8
"""Of evidence of one claim; the first of the document."""
DENIED_CONFIDENCE: Final = 0.62
"""Least confidence of a denial: of the pairs of BC5CDR's training abstracts with a sentence that words the
relation, the share that its annotators have."""


def denial(text: str, sentence: Span, shared: Shared) -> Span | None:
    """The words of a sentence that deny what it says of its two mentions."""
    cue = negation(text, sentence, shared.subject, shared.object)
    if cue is None and shared.denial is not None:
        return Span(start_char=shared.denial[0], end_char=shared.denial[1])
    return cue


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
        self,
        subjects: Sequence[Entity],
        predicate: str,
        objects: Sequence[Entity],
        confidence: float | None,
        shared: Sequence[Shared],
    ) -> None:
        """Add what the document says of two concepts, each given by its mentions, at least one.

        `shared`: the sentences that have both. `confidence`: of the relation; None adds denials alone.
        """
        denied: dict[_Evidence, Span] = {}
        asserted: list[_Evidence] = []
        worded = any(each.causes for each in shared)
        for sentence, evidence in zip(shared, self._evidence(subjects, objects, shared), strict=True):
            cue = denial(self._text, evidence.sentences[0], sentence)
            if cue is not None and sentence.causes:
                denied[evidence] = cue
            elif cue is None and (sentence.causes or not worded or self._compares(evidence)):
                asserted.append(evidence)
        if confidence is not None:
            asserted = asserted[:MOST_SENTENCES] or ([] if shared else self._nearest_two(subjects, objects))
            if asserted:
                self._claim(asserted, predicate, confidence, self._supposed(asserted))
        if denied:
            pairs = list(denied)[:MOST_SENTENCES]
            cues = [self._findings.qualifier("negation", denied[each]) for each in pairs]
            self._claim(pairs, predicate, max(confidence or 0.0, DENIED_CONFIDENCE), cues, negated=True)

    def _compares(self, evidence: _Evidence) -> bool:
        """Whether the sentence names a comparator: directions are read in such ones."""
        (sentence,) = evidence.sentences
        return only_match(SENTENCE_QUALIFIERS["comparator"], self._text, sentence) is not None

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

    def _evidence(
        self, subjects: Sequence[Entity], objects: Sequence[Entity], shared: Sequence[Shared]
    ) -> list[_Evidence]:
        """One per sentence that has both, with its nearest two mentions."""
        of_subject = {_place(each): each for each in reversed(subjects)}
        of_object = {_place(each): each for each in reversed(objects)}
        return [
            _Evidence((self._sentences[each.sentence],), of_subject[each.subject], of_object[each.object])
            for each in shared
        ]

    def _nearest_two(self, subjects: Sequence[Entity], objects: Sequence[Entity]) -> list[_Evidence]:
        """The nearest pair of sentences; none where a mention is in no sentence."""
        of_subject, of_object = self._by_sentence(subjects), self._by_sentence(objects)
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
