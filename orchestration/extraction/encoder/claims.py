"""Pairs of a drug and a condition that become claims, chosen by the claim model.

Input: a document's mentions by concept, and the margins of the relation model. Output: drafts, the pairs that
would be claims if all concepts were known; then, once it is known which are, claims in Findings. Two steps,
since concepts are linked for many documents at once.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from orchestration.contracts import CharRange, ConceptSpans, TaggedText
from orchestration.extraction.encoder.claim_model import Known, shipped_claim_model
from orchestration.extraction.encoder.pair_features import ConceptPlaces, Pair, Shared
from orchestration.extraction.encoder.statements import Statements, denial
from orchestration.extraction.findings import Findings
from orchestration.records import Entity, Span

__all__ = ["Concepts", "Draft", "add_claims", "drafts_of"]

DRUG, CONDITION = "Chemical", "Disease"
"""Labels of the model."""
PREDICATES: Final = {"induces": "causes"}
ALL_KNOWN: Final = Known(drug=True, condition=True)

Concepts = Mapping[tuple[str, str], Sequence[Entity]]
"""Mentions by label and key of their concept."""


@dataclass(frozen=True, slots=True)
class Draft:
    """A pair that is a claim if its concepts are known."""

    drug: Sequence[Entity]
    predicate: str
    condition: Sequence[Entity]
    pair: Pair
    probability: float
    is_denied: bool
    """A sentence words the relation and denies it."""

    @property
    def shared(self) -> Sequence[Shared]:
        return self.pair.shared


def drafts_of(text: str, sentences: Sequence[Span], tagged: TaggedText, concepts: Concepts) -> list[Draft]:
    """The drafts of a document, in the order of its concepts."""
    drugs = [mentions for (label, _), mentions in concepts.items() if label == DRUG]
    conditions = [mentions for (label, _), mentions in concepts.items() if label == CONDITION]
    if not drugs or not conditions:
        return []
    spans_of_concepts = [
        ConceptSpans(label, _spans(mentions))
        for label, group in ((DRUG, drugs), (CONDITION, conditions))
        for mentions in group
    ]
    places = ConceptPlaces(text, sentences, [*map(_spans, drugs)], [*map(_spans, conditions)])
    model = shipped_claim_model()
    drafts = []
    for relation in tagged.relations(spans_of_concepts):
        predicate = PREDICATES.get(relation.predicate)
        if predicate is None:
            continue
        drug, condition = relation.subject, relation.object - len(drugs)
        pair = Pair(places, drug, condition)
        if not pair.shared and relation.margin < 0:
            continue
        probability = model.probability(pair.features(), relation.margin)
        is_denied = any(denial(text, sentences[each.sentence], each) for each in pair.worded)
        if is_denied or model.accepts(pair, probability, ALL_KNOWN):
            drafts.append(Draft(drugs[drug], predicate, conditions[condition], pair, probability, is_denied))
    return drafts


def add_claims(
    findings: Findings,
    text: str,
    sentences: Sequence[Span],
    drafts: Sequence[Draft],
    is_known: Callable[[Entity], bool],
) -> None:
    """Add the claims of drafts. `is_known`: whether a mention has a concept of a vocabulary."""
    statements = Statements(findings, text, sentences)
    model = shipped_claim_model()
    for draft in drafts:
        known = Known(
            drug=any(map(is_known, draft.drug)),
            condition=any(map(is_known, draft.condition)),
            drug_confidence=max(each.confidence for each in draft.drug),
            condition_confidence=max(each.confidence for each in draft.condition),
        )
        accepted = model.accepts(draft.pair, draft.probability, known)
        if accepted or (draft.is_denied and known.is_plausible):
            confidence = draft.probability if accepted else None
            statements.add(draft.drug, draft.predicate, draft.condition, confidence, draft.shared)


def _spans(mentions: Sequence[Entity]) -> list[CharRange]:
    return [(each.span.start_char, each.span.end_char) for each in mentions]
