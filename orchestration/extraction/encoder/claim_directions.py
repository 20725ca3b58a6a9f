"""Directions of claims: what a drug did to a condition, read in the sentences that compare it with something.

Input: the claims of documents. Output: the same claims, those with a direction that the model is sure of.
A sentence is read where it is evidence of an asserted claim and names what the drug was compared with; the
model learnt to read comparisons, and would guess elsewhere.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final, Literal, NamedTuple, get_args

from orchestration.contracts import EffectStatement, Outcome, ReadDirection, TextTagger
from orchestration.errors import MedkgError
from orchestration.records import Claim, Document, Entity

__all__ = ["LEAST_CONFIDENCE", "Extracted", "directed"]

LEAST_CONFIDENCE: Final = 0.9
"""Of a direction. On the 292 judgements that the first training run held out: increased is right in 16 of 17,
decreased in 25 of 27, unchanged in 114 of 117; without a bound in 38 of 75, 53 of 63 and 141 of 154."""

Direction = Literal["increased", "decreased", "unchanged"]


class Extracted(NamedTuple):
    """A document with mentions, and the claims between them."""

    document: Document
    entities: Sequence[Entity]
    claims: list[Claim]


def directed(
    extracted: Sequence[Extracted], tagger: TextTagger, timeout_seconds: float
) -> list[Outcome[list[Claim]]]:
    """The claims of each document, in order, with directions; an error is that of its document.

    A claim has a direction where all of its comparing sentences that are read surely agree.
    """
    comparisons = [[_statements(each, claim) for claim in each.claims] for each in extracted]
    statements = [each for of_document in comparisons for of_claim in of_document for each in of_claim]
    if not statements or not tagger.reads_directions:
        return [each.claims for each in extracted]
    read = iter(tagger.directions(statements, timeout_seconds))
    return [
        _of_document(each.claims, [[next(read) for _ in of_claim] for of_claim in of_document])
        for each, of_document in zip(extracted, comparisons, strict=True)
    ]


def _of_document(
    claims: Sequence[Claim], read: Sequence[Sequence[Outcome[ReadDirection]]]
) -> Outcome[list[Claim]]:
    errors = (each for of_claim in read for each in of_claim if isinstance(each, MedkgError))
    return next(errors, None) or [
        claim.model_copy(update={"direction": _agreed(of_claim)}) if of_claim else claim
        for claim, of_claim in zip(claims, read, strict=True)
    ]


def _agreed(read: Sequence[Outcome[ReadDirection]]) -> Direction | None:
    sure = {
        each.direction
        for each in read
        if isinstance(each, ReadDirection) and each.confidence >= LEAST_CONFIDENCE
    }
    return next((each for each in get_args(Direction) if sure == {each}), None)


def _statements(extracted: Extracted, claim: Claim) -> list[EffectStatement]:
    """One per sentence of the evidence that names a comparator; none of a denied claim."""
    return [] if claim.negated else list(_comparisons(extracted, claim))


def _comparisons(extracted: Extracted, claim: Claim) -> Iterator[EffectStatement]:
    names = {each.entity_id: each.name for each in extracted.entities}
    for comparator in claim.qualifiers:
        if comparator.kind != "comparator":
            continue
        for span in claim.evidence:
            if span.start_char <= comparator.span.start_char and comparator.span.end_char <= span.end_char:
                yield EffectStatement(
                    names[claim.subject],
                    comparator.value,
                    names[claim.object],
                    extracted.document.text[span.start_char : span.end_char],
                )
