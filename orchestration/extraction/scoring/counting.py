"""Counts of one document: what is right, predicted and in the gold, by measure and kind.

Input: the gold and the predicted annotations of a document. Output: a Tally. Only kinds and predicates that
both sides annotate are judged. Items are sets, so a repeated one counts once. Measures:

- mentions: span and kind are those of the gold; mentions_overlap: kind, and spans that share a character,
  each mention matched once.
- links: of mentions that are right, those whose concept is one of the gold's; a linked mention that the gold
  leaves unlinked is predicted and not right, one left unlinked is missed.
- relations: predicate, concepts and negation; relation_pairs: the concepts alone; negations: those that
  either side denies; directions and relation_evidence: of relations that are right, where the gold has them.
- claims: direction of the answer to a question, that of most judgements; evidence: answers whose evidence
  overlaps that of a judgement; evidence_characters: characters of both.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Sequence
from functools import partial
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from orchestration.extraction.scoring.matching import matching
from orchestration.records import AnnotatedClaim, AnnotatedDocument, AnnotatedMention, AnnotatedRelation

__all__ = ["ALL", "Row", "Tally", "tally"]

ALL: Final = "all"
"""Kind of the row over all kinds (micro average)."""


class Row(NamedTuple):
    """A measure and the kind, predicate or direction that it is of."""

    measure: str
    kind: str


Tally = dict[Row, npt.NDArray[np.int64]]
"""(right, predicted, gold) of one document by row."""

RIGHT: Final = np.array([1, 0, 0])
PREDICTED: Final = np.array([0, 1, 0])
GOLD: Final = np.array([0, 0, 1])


class _Counts:
    def __init__(self) -> None:
        self.tally: Tally = defaultdict(lambda: np.zeros(3, np.int64))

    def add(self, measure: str, kind: str, what: npt.NDArray[np.int64], times: int = 1) -> None:
        for row in {Row(measure, kind), Row(measure, ALL)}:
            self.tally[row] = self.tally[row] + times * what


def tally(gold: AnnotatedDocument, predicted: AnnotatedDocument, undirected: Collection[str] = ()) -> Tally:
    """Counts of a document; relations with `undirected` predicates are compared in either order."""
    counts = _Counts()
    _count_mentions(
        counts, _judged_mentions(gold, gold, predicted), _judged_mentions(predicted, gold, predicted)
    )
    _count_relations(
        counts,
        _judged_relations(gold, gold, predicted, undirected),
        _judged_relations(predicted, gold, predicted, undirected),
    )
    _count_claims(counts, gold.claims, predicted.claims)
    return dict(counts.tally)


# --- mentions and links ----------------------------------------------------------------------------------


def _judged_mentions(
    of: AnnotatedDocument, gold: AnnotatedDocument, predicted: AnnotatedDocument
) -> dict[tuple[int, int, str], AnnotatedMention]:
    """The mentions by span and kind; one with concepts is preferred where a place has several."""
    places: dict[tuple[int, int, str], AnnotatedMention] = {}
    for mention in of.mentions:
        if all(side.kinds is None or mention.kind in side.kinds for side in (gold, predicted)):
            place = (mention.start_char, mention.end_char, mention.kind)
            if place not in places or not places[place].concepts:
                places[place] = mention
    return places


def _count_mentions(
    counts: _Counts,
    gold: dict[tuple[int, int, str], AnnotatedMention],
    predicted: dict[tuple[int, int, str], AnnotatedMention],
) -> None:
    for measure in ("mentions", "mentions_overlap"):
        for mentions, what in ((gold, GOLD), (predicted, PREDICTED)):
            for mention in mentions.values():
                counts.add(measure, mention.kind, what)
    both = [place for place in gold if place in predicted]
    for place in both:
        counts.add("mentions", place[2], RIGHT)
        _count_link(counts, gold[place], predicted[place])
    for kind in {place[2] for place in gold}:
        ours, theirs = ([place for place in side if place[2] == kind] for side in (gold, predicted))
        pairs = matching(ours, theirs, lambda ours, theirs: ours[0] < theirs[1] and theirs[0] < ours[1])
        counts.add("mentions_overlap", kind, RIGHT, len(pairs))


def _count_link(counts: _Counts, gold: AnnotatedMention, predicted: AnnotatedMention) -> None:
    if gold.concepts:
        counts.add("links", gold.kind, GOLD)
    if predicted.concepts:
        counts.add("links", gold.kind, PREDICTED)
    if not _keys(gold.concepts).isdisjoint(_keys(predicted.concepts)):
        counts.add("links", gold.kind, RIGHT)


def _keys(concepts: Iterable[str]) -> frozenset[str]:
    """CURIEs to compare: the case of prefixes differs between vocabularies."""
    return frozenset(concept.casefold() for concept in concepts)


# --- relations -------------------------------------------------------------------------------------------


class _Stated(NamedTuple):
    predicate: str
    subject: frozenset[str]
    object: frozenset[str]
    negated: bool
    either_order: bool


def _judged_relations(
    of: AnnotatedDocument, gold: AnnotatedDocument, predicted: AnnotatedDocument, undirected: Collection[str]
) -> dict[_Stated, AnnotatedRelation]:
    stated: dict[_Stated, AnnotatedRelation] = {}
    for relation in of.relations:
        if all(_is_judged(relation, side) for side in (gold, predicted)):
            either_order = relation.predicate in undirected
            ends = [_keys(relation.subject), _keys(relation.object)]
            subject, object_ = sorted(ends, key=sorted) if either_order else ends
            key = _Stated(relation.predicate, subject, object_, relation.negated, either_order)
            stated.setdefault(key, relation)
    return stated


def _is_judged(relation: AnnotatedRelation, side: AnnotatedDocument) -> bool:
    """Whether a side looked for such relations."""
    if relation.negated and not side.negations:
        return False
    return side.predicates is None or relation.predicate in side.predicates


def _same(gold: _Stated, predicted: _Stated) -> bool:
    if (gold.predicate, gold.negated) != (predicted.predicate, predicted.negated):
        return False
    return _same_ends(gold, predicted, either_order=gold.either_order or predicted.either_order)


def _same_ends(gold: _Stated, predicted: _Stated, *, either_order: bool) -> bool:
    if gold.subject & predicted.subject and gold.object & predicted.object:
        return True
    return either_order and bool(gold.subject & predicted.object and gold.object & predicted.subject)


def _count_relations(
    counts: _Counts, gold: dict[_Stated, AnnotatedRelation], predicted: dict[_Stated, AnnotatedRelation]
) -> None:
    for relations, what in ((gold, GOLD), (predicted, PREDICTED)):
        for stated in relations:
            counts.add("relations", stated.predicate, what)
            if stated.negated:
                counts.add("negations", stated.predicate, what)
    ours, theirs = list(gold), list(predicted)
    for position, other in matching(ours, theirs, _same):
        stated = ours[position]
        counts.add("relations", stated.predicate, RIGHT)
        if stated.negated:
            counts.add("negations", stated.predicate, RIGHT)
        _count_details(counts, gold[stated], predicted[theirs[other]])
    _count_pairs(counts, ours, theirs)


def _count_pairs(counts: _Counts, gold: Sequence[_Stated], predicted: Sequence[_Stated]) -> None:
    sides = [{frozenset((each.subject, each.object)): each for each in side} for side in (gold, predicted)]
    ours, theirs = (list(side.values()) for side in sides)
    pairs = matching(ours, theirs, partial(_same_ends, either_order=True))
    for what, times in ((GOLD, len(ours)), (PREDICTED, len(theirs)), (RIGHT, len(pairs))):
        if times:
            counts.add("relation_pairs", ALL, what, times)


def _count_details(counts: _Counts, gold: AnnotatedRelation, predicted: AnnotatedRelation) -> None:
    """Direction and evidence of a relation that is right."""
    if gold.direction is not None:
        counts.add("directions", gold.direction, GOLD)
        if predicted.direction is not None:
            counts.add("directions", predicted.direction, PREDICTED)
        if gold.direction == predicted.direction:
            counts.add("directions", gold.direction, RIGHT)
    if gold.evidence:
        counts.add("relation_evidence", gold.predicate, GOLD)
        if predicted.evidence:
            counts.add("relation_evidence", gold.predicate, PREDICTED)
        if _overlap(gold.evidence, predicted.evidence):
            counts.add("relation_evidence", gold.predicate, RIGHT)


# --- claims ----------------------------------------------------------------------------------------------


def _count_claims(
    counts: _Counts, gold: Sequence[AnnotatedClaim], predicted: Sequence[AnnotatedClaim]
) -> None:
    """Questions of the gold alone; the answer to another question is not judged."""
    answers = {claim.claim_id: claim for claim in predicted}
    for claim in {claim.claim_id: claim for claim in gold}.values():
        right = _direction(claim)
        counts.add("claims", right, GOLD)
        counts.add("evidence", ALL, GOLD)
        evidence = _characters(claim)
        counts.add("evidence_characters", ALL, GOLD, len(evidence))
        answer = answers.get(claim.claim_id)
        if answer is None:
            continue
        counts.add("claims", _direction(answer), PREDICTED)
        if _direction(answer) == right:
            counts.add("claims", right, RIGHT)
        cited = _characters(answer)
        if cited:
            counts.add("evidence", ALL, PREDICTED)
            counts.add("evidence_characters", ALL, PREDICTED, len(cited))
            counts.add("evidence_characters", ALL, RIGHT, len(evidence & cited))
        if evidence & cited:
            counts.add("evidence", ALL, RIGHT)


def _direction(claim: AnnotatedClaim) -> str:
    """The direction of most judgements, the first in the alphabet of equally frequent ones."""
    votes = Counter(judgement.direction for judgement in claim.judgements)
    return min(votes, key=lambda direction: (-votes[direction], direction))


def _characters(claim: AnnotatedClaim) -> set[int]:
    return {place for each in claim.judgements for place in range(each.start_char, each.end_char)}


def _overlap(ours: Iterable[tuple[int, int]], theirs: Sequence[tuple[int, int]]) -> bool:
    return any(
        start < other_end and other_start < end for start, end in ours for other_start, other_end in theirs
    )
