"""Checks what an extractor found against the document and the graph schema; drops and counts the rest.

Input: a document and an Extraction. Output: the part of it that is grounded: mentions that are the text of
their span, claims between such mentions, of kinds that the predicate may join, with evidence in the text.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from orchestration.contracts import Extraction
from orchestration.extraction.graph_schema import GraphSchema
from orchestration.records import Claim, Document, Entity, Span

__all__ = ["Grounded", "grounded"]


@dataclass(frozen=True, slots=True)
class Grounded:
    """What is grounded, and how much was dropped by reason."""

    extraction: Extraction
    dropped: Counter[str] = field(default_factory=Counter)


def grounded(document: Document, extraction: Extraction, schema: GraphSchema) -> Grounded:
    """The grounded part of an extraction."""
    entities, claims = extraction
    dropped: Counter[str] = Counter()
    mentions: dict[str, Entity] = {}
    for entity in entities:
        reason = _fault_of_mention(document, entity, schema)
        if reason is None and entity.entity_id in mentions:
            reason = "mention repeated"
        if reason is None:
            mentions[entity.entity_id] = entity
        else:
            dropped[reason] += 1
    stated: dict[str, Claim] = {}
    for claim in claims:
        reason = _fault_of_claim(document, claim, mentions, schema)
        if reason is None and claim.claim_id in stated:
            reason = "claim repeated"
        if reason is None:
            stated[claim.claim_id] = claim
        else:
            dropped[reason] += 1
    return Grounded((list(mentions.values()), list(stated.values())), dropped)


def _fault_of_mention(document: Document, entity: Entity, schema: GraphSchema) -> str | None:
    if (entity.tenant_id, entity.doc_id) != (document.tenant_id, document.doc_id):
        return "mention of another document"
    if entity.kind not in schema.kinds:
        return f"kind {entity.kind} not in the schema"
    if not entity.name or _text(document, entity.span) != entity.name:
        return "mention not in the text"
    return None


def _fault_of_claim(
    document: Document, claim: Claim, mentions: dict[str, Entity], schema: GraphSchema
) -> str | None:
    if (claim.tenant_id, claim.doc_id) != (document.tenant_id, document.doc_id):
        return "claim of another document"
    subject, object_ = mentions.get(claim.subject), mentions.get(claim.object)
    if subject is None or object_ is None:
        return "claim without its mentions"
    if not schema.allows(subject.kind, claim.predicate, object_.kind):
        return f"{claim.predicate} may not join {subject.kind} and {object_.kind}"
    if not all(_text(document, span) for span in claim.evidence):
        return "evidence not in the text"
    if any(_text(document, each.span) != each.value for each in claim.qualifiers):
        return "qualifier not in the text"
    return None


def _text(document: Document, span: Span) -> str:
    """The text of a span; "" for one that reaches beyond the text."""
    return document.text[span.start_char : span.end_char] if span.end_char <= len(document.text) else ""
