"""What is projected of a document: its properties, its mentions by concept, and its claims.

Input: a visible document's mentions and claims. Output: rows of plain values, the same whenever they are
made. No text of the document goes along but its title, the names of mentions and the values of qualifiers;
evidence is character offsets, which `medkg graph evidence` shows in context.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Any, Final

from orchestration.contracts.projection import ProjectedDocument, Row, VisibleGraph
from orchestration.records import Claim, Entity

__all__ = ["LOADED", "digest", "projected"]

LOADED: Final = 25
"""Documents that are read from the ledger together."""


def projected(visible: VisibleGraph) -> ProjectedDocument:
    """The document as it is to be projected: concepts as aliases merge them, with the mentions' own keys."""
    commit, (mentions, claims) = visible.commit, visible.extraction
    by_id = {mention.entity_id: mention for mention in mentions}
    properties = {
        "version": commit.version,
        "pipeline": commit.pipeline,
        "mentions": len(mentions),
        "claims": len(claims),
        **visible.facts,
    }
    return ProjectedDocument(
        commit.key,
        visible.stamp,
        properties,
        _mentions(mentions, visible.canonical),
        [_claim(claim, by_id, visible.canonical) for claim in claims],
    )


def digest(document: ProjectedDocument) -> str:
    """sha256 hex of the document's content, whatever the order of its rows."""
    content = [
        document.properties,
        sorted((row for row in document.mentions), key=lambda row: str(row["concept"])),
        sorted((row for row in document.claims), key=lambda row: str(row["claim_id"])),
    ]
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def _mentions(mentions: Sequence[Entity], canonical: Mapping[str, str]) -> list[Row]:
    """One row per concept: parallel lists, in the order of the text."""
    of_concept: dict[str, list[Entity]] = {}
    for mention in mentions:
        of_concept.setdefault(canonical.get(mention.concept, mention.concept), []).append(mention)
    rows: list[Row] = []
    for concept, same in of_concept.items():
        same.sort(key=lambda mention: (mention.span.start_char, mention.span.end_char, mention.entity_id))
        rows.append(
            {
                "concept": concept,
                "names": [mention.name for mention in same],
                "keys": [mention.concept for mention in same],
                "kinds": [mention.kind for mention in same],
                "starts": [mention.span.start_char for mention in same],
                "ends": [mention.span.end_char for mention in same],
                "confidences": [mention.confidence for mention in same],
                "extractions": [mention.extraction for mention in same],
                "identifiers": sorted({curie for mention in same for curie in mention.identifiers}),
            }
        )
    return rows


def _claim(claim: Claim, by_id: Mapping[str, Entity], canonical: Mapping[str, str]) -> Row:
    row: dict[str, Any] = {
        "claim_id": claim.claim_id,
        "predicate": claim.predicate,
        "negated": claim.negated,
        "qualifiers": [f"{each.kind}: {each.value}" for each in claim.qualifiers],
        "starts": [span.start_char for span in claim.evidence],
        "ends": [span.end_char for span in claim.evidence],
        "confidence": claim.confidence,
        "knowledge_level": claim.knowledge_level,
        "agent_type": claim.agent_type,
        "extraction": claim.extraction,
    }
    if claim.direction is not None:
        row["direction"] = claim.direction
    for end, mention in (("subject", by_id[claim.subject]), ("object", by_id[claim.object])):
        row[end] = canonical.get(mention.concept, mention.concept)
        row[f"{end}_key"] = mention.concept
        row[f"{end}_name"] = mention.name
        row[f"{end}_start"] = mention.span.start_char
        row[f"{end}_end"] = mention.span.end_char
    return row
