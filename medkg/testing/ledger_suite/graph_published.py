"""Committed documents with claims between named concepts, for the suites of readers of the graph."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal, NamedTuple

from medkg.testing.builders import TENANT
from medkg.testing.ledger_suite.builders import a_commit, a_context, a_key
from orchestration.contracts import DocumentFacts, Ledger
from orchestration.records import Claim, DocumentKey, Entity, Span, local_concept

__all__ = ["KEYS", "Said", "publish"]

KEYS = {
    "aspirin": ("Drug", "MESH:D001241"),
    "acetylsalicylic acid": ("Drug", "CHEBI:15365"),
    "ASA": ("Drug", local_concept("Drug", "ASA")),
    "headache": ("Condition", "MESH:D006261"),
    "fever": ("Condition", "MESH:D005334"),
    "pain": ("Condition", "MESH:D010146"),
    "Phase 3": ("Phase", "local:phase3"),
}
"""Kind and key by name; any other name is a drug with the key TOY:NAME."""


class Said(NamedTuple):
    """A claim between two names of KEYS, or other names."""

    subject: str
    predicate: str
    object: str
    negated: bool = False
    direction: Literal["increased", "decreased", "unchanged"] | None = None
    confidence: float = 1.0


def publish(
    ledger: Ledger,
    doc_id: str,
    said: Sequence[Said | tuple[str, str, str]],
    facts: DocumentFacts | None = None,
    tenant_id: str = TENANT,
) -> DocumentKey:
    """Write the claims of a document and commit it."""
    key = a_key(doc_id).model_copy(update={"tenant_id": tenant_id})
    common: dict[str, Any] = {"tenant_id": tenant_id, "doc_id": doc_id, "extraction": "toy/1"}
    entities: list[Entity] = []
    claims: list[Claim] = []
    start = 0
    for number, each in enumerate(Said(*each) for each in said):
        ends = []
        for name in (each.subject, each.object):
            kind, concept = KEYS.get(name, ("Drug", f"TOY:{name}"))
            span = Span(start_char=start, end_char=start + len(name))
            entity_id = f"{doc_id}-{start}"
            ends.append(entity_id)
            entities.append(
                Entity(entity_id=entity_id, kind=kind, name=name, span=span, concept=concept, **common)
            )
            start += len(name) + 1
        claims.append(
            Claim(
                claim_id=f"{doc_id}-c{number}",
                subject=ends[0],
                predicate=each.predicate,
                object=ends[1],
                evidence=(Span(start_char=0, end_char=start),),
                negated=each.negated,
                direction=each.direction,
                confidence=each.confidence,
                **common,
            )
        )
    intent = f"g-{tenant_id}-{doc_id}"
    ledger.graph.write(intent, [(key, (entities, claims))], {} if facts is None else {key: facts})
    commit = a_commit(a_context(doc_id), f"i-{tenant_id}-{doc_id}")
    counts = {"entity_count": len(entities), "claim_count": len(claims)}
    ledger.commits.commit([commit.model_copy(update={"key": key, "graph_intent_id": intent, **counts})])
    return key
