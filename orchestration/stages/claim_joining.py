"""Claims of one document that state the same, joined into one with the evidence of all.

Input: linked mentions and claims. Output: the same without repetitions. Two mentions that extractors hold
apart may be linked to one concept; what each of them states is then one claim.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence

from orchestration.contracts import Extraction
from orchestration.records import Claim, Entity, Qualifier, Span

__all__ = ["without_repetitions"]

READ_IN_PROSE = frozenset({"text_mining_agent", "computational_model"})
"""Agents whose claims of the same concepts are one, whatever their qualifiers. Records state results of the
same concepts with other qualifiers on purpose: one claim per analysis."""


def without_repetitions(extraction: Extraction) -> Extraction:
    """The mentions, and one claim per concepts, predicate and negation, where the first of these stood.

    Evidence and qualifiers are those of all of them in order of the text; confidence is the highest. Claims
    of different directions stay apart; one without a direction joins the first of them.
    """
    entities, claims = extraction
    concept_of = {each.entity_id: each for each in entities}
    groups: dict[Hashable, list[Claim]] = {}
    for claim in claims:
        groups.setdefault(_statement(claim, concept_of[claim.subject], concept_of[claim.object]), []).append(
            claim
        )
    return list(entities), [_joined(part) for group in groups.values() for part in _by_direction(group)]


def _statement(claim: Claim, subject: Entity, object_: Entity) -> Hashable:
    """Equal for claims that state the same."""
    stated = subject.kind, subject.concept, claim.predicate, object_.kind, object_.concept, claim.negated
    if claim.agent_type in READ_IN_PROSE:
        return *stated, "prose"
    qualifiers = tuple(sorted((each.kind, each.value) for each in claim.qualifiers))
    return *stated, claim.direction, qualifiers, claim.agent_type


def _by_direction(group: Sequence[Claim]) -> list[list[Claim]]:
    directions = [each for each in dict.fromkeys(claim.direction for claim in group) if each is not None]
    if len(directions) < 2:
        return [list(group)]
    return [
        [claim for claim in group if claim.direction == direction or (not number and not claim.direction)]
        for number, direction in enumerate(directions)
    ]


def _joined(group: Sequence[Claim]) -> Claim:
    first, *others = group
    if not others:
        return first
    return first.model_copy(
        update={
            "evidence": tuple(sorted({span for each in group for span in each.evidence}, key=_place)),
            "qualifiers": tuple(_qualifiers(group)),
            "confidence": max(each.confidence for each in group),
            "direction": next((each.direction for each in group if each.direction), None),
        }
    )


def _qualifiers(group: Sequence[Claim]) -> list[Qualifier]:
    """Each once; speculation only where every claim has it, since a claim without it asserts."""
    supposed = all(any(each.kind == "speculation" for each in claim.qualifiers) for claim in group)
    qualifiers = {
        (each.kind, each.value, _place(each.span)): each
        for claim in group
        for each in claim.qualifiers
        if supposed or each.kind != "speculation"
    }
    return sorted(qualifiers.values(), key=lambda each: (*_place(each.span), each.kind))


def _place(span: Span) -> tuple[int, int]:
    return span.start_char, span.end_char
