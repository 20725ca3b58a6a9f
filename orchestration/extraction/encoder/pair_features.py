"""Evidence that a drug caused a condition: how the sentences with both are worded, and where both stand.

Input: the text, its sentences, and the mentions of each concept. Output: per pair of concepts numbers by name
for the claim model, and the sentences that have both. A sentence is judged by its nearest two mentions: words
of cause or of treatment between them, other mentions between them, and words around them.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Final

from orchestration.contracts import CharRange
from orchestration.extraction.encoder.wording import Between, are_listed, had_already, speaks_of_harm
from orchestration.records import Span

__all__ = ["ConceptPlaces", "Pair", "Shared"]

FARTHEST: Final = 12
"""Sentences between two mentions; more count as many."""
APART: Final = 400
"""Characters between two mentions that no sentence has together."""

Mentions = Sequence[CharRange]
"""Of one concept."""
BySentence = Mapping[int, Sequence[CharRange]]
"""Mentions of one concept by the number of their sentence."""


@dataclass(frozen=True, slots=True)
class Shared:
    """A sentence that has both, with its nearest two mentions."""

    sentence: int
    subject: CharRange
    object: CharRange
    direct: bool
    """Nothing but words of cause stand between the two."""
    causes: bool
    """Words of cause stand between the two, and neither other mentions nor words against it."""
    treats: bool
    counters: bool
    rivals: int
    """Other drugs and conditions between the two, members of the lists of both apart."""
    harm: bool
    """The sentence speaks of harm."""
    patients: bool
    """The condition is one that patients had already."""
    touching: bool
    denial: CharRange | None
    """Characters that deny the words of cause between the two."""

    @property
    def distance(self) -> int:
        """Characters between the two."""
        return max(0, _gap((self.subject, self.object)))


class ConceptPlaces:
    """The drugs and conditions of a document in its sentences."""

    def __init__(
        self, text: str, sentences: Sequence[Span], drugs: Sequence[Mentions], conditions: Sequence[Mentions]
    ) -> None:
        """`sentences`: in order. A concept is given by its mentions, at least one."""
        self.text, self.sentences = text, sentences
        self._starts = [each.start_char for each in sentences]
        self.drugs, self.conditions = drugs, conditions
        self.drug_places = [self._by_sentence(each) for each in drugs]
        self.condition_places = [self._by_sentence(each) for each in conditions]
        self.most_drug_mentions = max(map(len, drugs), default=1)
        self.most_condition_mentions = max(map(len, conditions), default=1)
        self.drugs_in = _by_sentence(self.drug_places)
        self.conditions_in = _by_sentence(self.condition_places)

    def _by_sentence(self, mentions: Mentions) -> dict[int, list[CharRange]]:
        places: dict[int, list[CharRange]] = {}
        for place in mentions:
            at = bisect_right(self._starts, place[0]) - 1
            if at >= 0 and place[1] <= self.sentences[at].end_char:
                places.setdefault(at, []).append(place)
        return places

    def shared(self, drug: int, condition: int) -> list[Shared]:
        """The sentences that have both, in order."""
        first, second = self.drug_places[drug], self.condition_places[condition]
        return [
            self._shared(at, drug, condition, *min(product(first[at], second[at]), key=_gap))
            for at in sorted(first.keys() & second.keys())
        ]

    def _shared(self, at: int, drug: int, condition: int, subject: CharRange, object_: CharRange) -> Shared:
        start, end = min(subject[1], object_[1]), max(subject[0], object_[0])
        between = Between(self.text[start:end], drug_first=subject[0] < object_[0])
        inside = sorted(
            place
            for places, own in ((self.drugs_in[at], drug), (self.conditions_in[at], condition))
            for place, number in places
            if number != own and start <= place[0] and place[1] <= end
        )
        rivals = len(inside) - self._listed(start, inside, end)
        direct, counters = between.is_direct, between.counters
        causes = between.causes(frozenset({0, *(place[1] - start for place in inside)}))
        sentence, denial = self.sentences[at], between.denial
        return Shared(
            sentence=at,
            subject=subject,
            object=object_,
            direct=direct,
            causes=direct or (causes and not rivals and not counters),
            treats=between.treats,
            counters=counters,
            rivals=rivals,
            harm=speaks_of_harm(self.text[sentence.start_char : sentence.end_char]),
            patients=had_already(self.text, object_[0]),
            touching=between.is_touching,
            denial=None if denial is None else (start + denial[0], start + denial[1]),
        )

    def _listed(self, start: int, inside: Sequence[CharRange], end: int) -> int:
        """How many of the mentions between two are in one list with the first or the second of these."""
        first = 0
        while first < len(inside) and are_listed(self.text[start : inside[first][0]]):
            start = inside[first][1]
            first += 1
        last = len(inside)
        while last > first and are_listed(self.text[inside[last - 1][1] : end]):
            end = inside[last - 1][0]
            last -= 1
        return first + len(inside) - last


class Pair:
    """A drug and a condition in the sentences of a document."""

    def __init__(self, places: ConceptPlaces, drug: int, condition: int) -> None:
        self._places, self._drug, self._condition = places, drug, condition
        self.shared = places.shared(drug, condition)

    @property
    def is_direct(self) -> bool:
        """Whether a sentence states the relation and nothing else between the two."""
        return any(each.direct for each in self.shared)

    @property
    def worded(self) -> list[Shared]:
        """The sentences that word the relation."""
        return [each for each in self.shared if each.causes]

    def features(self) -> dict[str, float]:
        """Numbers by name, those of claim_model.json."""
        return {**self._of_sentences(), **self._of_document()}

    def _of_sentences(self) -> dict[str, float]:
        shared = self.shared
        return {
            "same_sentence": float(bool(shared)),
            "sentences": math.log1p(len(shared)),
            "causes": float(bool(self.worded)),
            "direct": float(self.is_direct),
            "cause_sentences": math.log1p(len(self.worded)),
            "treats": float(any(each.treats for each in shared)),
            "counters": float(any(each.counters and not each.direct for each in shared)),
            "only_treats": float(bool(shared) and all(each.treats and not each.causes for each in shared)),
            "rivals": min((math.log1p(each.rivals) for each in shared), default=0.0),
            "harm": float(any(each.harm for each in shared)),
            "patients": float(bool(shared) and all(each.patients for each in shared)),
            "touching": float(any(each.touching for each in shared)),
            "title": float(any(each.sentence == 0 for each in shared)),
            "nearest": math.log1p(min((each.distance for each in shared), default=APART)),
        }

    def _of_document(self) -> dict[str, float]:
        places = self._places
        drug, condition = places.drug_places[self._drug], places.condition_places[self._condition]
        drug_mentions = len(places.drugs[self._drug])
        condition_mentions = len(places.conditions[self._condition])
        apart = min((abs(first - second) for first, second in product(drug, condition)), default=FARTHEST)
        return {
            "apart": math.log1p(min(apart, FARTHEST)),
            "drug_in_title": float(0 in drug),
            "condition_in_title": float(0 in condition),
            "drug_mentions": math.log1p(drug_mentions),
            "condition_mentions": math.log1p(condition_mentions),
            "drug_share": drug_mentions / places.most_drug_mentions,
            "condition_share": condition_mentions / places.most_condition_mentions,
            "drugs": math.log1p(len(places.drugs)),
            "conditions": math.log1p(len(places.conditions)),
            "condition_with_others": float(_with_others(condition, places.drugs_in, self._drug)),
            "drug_with_others": float(_with_others(drug, places.conditions_in, self._condition)),
        }


def _with_others(own: BySentence, others: Mapping[int, Sequence[tuple[CharRange, int]]], number: int) -> bool:
    """Whether a sentence of a concept has another concept of the other kind than the given one."""
    return any(each != number for at in own for _, each in others.get(at, ()))


def _by_sentence(concepts: Sequence[BySentence]) -> dict[int, list[tuple[CharRange, int]]]:
    """Mentions with the number of their concept, by sentence."""
    by_sentence: dict[int, list[tuple[CharRange, int]]] = {}
    for number, of_concept in enumerate(concepts):
        for at, places in of_concept.items():
            by_sentence.setdefault(at, []).extend((place, number) for place in places)
    return by_sentence


def _gap(pair: tuple[CharRange, CharRange]) -> int:
    return max(pair[0][0], pair[1][0]) - min(pair[0][1], pair[1][1])
