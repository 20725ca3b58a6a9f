"""A tenant's graph as KGX files: nodes.jsonl and edges.jsonl, which tools of the Biolink world read.

Input: the parts of a data folder and a folder. Output: one node per concept, one edge per claim with its
quotes and their characters. Documents are read one by one, so memory holds the nodes alone. A document that a
run replaces meanwhile is exported as it is then. Files have their names when they are whole.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, TextIO

from orchestration.contracts import Commit, Extraction
from orchestration.errors import UsageError
from orchestration.operations.parts import Parts
from orchestration.records import Claim, Document, Entity

__all__ = ["Exported", "export_kgx"]

NODES: Final = "nodes.jsonl"
EDGES: Final = "edges.jsonl"
PARTIAL: Final = ".partial"
SOURCE: Final = "infores:medkg"

Observe = Callable[[int, int], None]
"""Receives the numbers of documents done and of all."""


@dataclass(slots=True)
class Exported:
    """What was written."""

    documents: int = 0
    nodes: int = 0
    edges: int = 0
    without_text: list[str] = field(default_factory=list)
    """Ids of documents whose parsed text is lost: their edges have characters and no quotes."""


def export_kgx(parts: Parts, folder: Path, observe: Observe) -> Exported:
    """Write the settings' tenant into an empty or new folder.

    What an interrupted export left there is replaced. Raises UsageError for a folder that holds anything
    else, OSError where it cannot be written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    partial = {name: folder / f"{name}{PARTIAL}" for name in (NODES, EDGES)}
    if any(path not in partial.values() for path in folder.iterdir()):
        raise UsageError(f"{folder} is not empty. Export into an empty or new folder.")
    done = Exported()
    nodes: dict[str, dict[str, Any]] = {}
    commits = [
        commit for commit in parts.ledger.commits.committed(parts.settings.tenant) if commit.graph_intent_id
    ]
    with partial[EDGES].open("w", encoding="utf-8") as edges:
        for commit in sorted(commits, key=lambda each: (each.key.source, each.key.doc_id)):
            if (visible := _visible(parts, commit)) is not None:
                _add_document(parts, *visible, nodes, edges, done)
            observe(done.documents, len(commits))
    with partial[NODES].open("w", encoding="utf-8") as file:
        for key in sorted(nodes):
            _write(file, nodes[key])
    for name, path in partial.items():
        path.replace(folder / name)
    done.nodes = len(nodes)
    return done


def _visible(parts: Parts, commit: Commit) -> tuple[Commit, Extraction] | None:
    """The document's extraction, or that of the commit that took its place; None if there is none."""
    for _ in range(2):
        intent_id = commit.graph_intent_id
        extraction = parts.ledger.graph.extraction(commit.key, intent_id) if intent_id else None
        if extraction is not None:
            return commit, extraction
        current = parts.ledger.commits.find(commit.key)
        if current is None:
            return None
        commit = current
    return None


def _add_document(
    parts: Parts,
    commit: Commit,
    extraction: Extraction,
    nodes: dict[str, dict[str, Any]],
    edges: TextIO,
    done: Exported,
) -> None:
    mentions, claims = extraction
    document = parts.stores.documents.get(commit.key, commit.version, commit.fingerprint)
    if document is None:
        done.without_text.append(commit.key.doc_id)
    by_id = {mention.entity_id: mention for mention in mentions}
    kinds = parts.graph_schema.kinds
    for mention in mentions:
        category = kinds[mention.kind].biolink if mention.kind in kinds else "NamedThing"
        _add_node(nodes, mention, category)
    for claim in claims:
        _write(edges, _edge(parts, commit, claim, by_id, document))
    done.documents += 1
    done.edges += len(claims)


def _add_node(nodes: dict[str, dict[str, Any]], mention: Entity, category: str) -> None:
    """Add a mention's concept; its first name is its name, others are synonyms."""
    node = nodes.setdefault(
        mention.concept,
        {"id": mention.concept, "category": [f"biolink:{category}"], "name": mention.name},
    )
    for name, values in (("xref", mention.identifiers), ("synonym", (mention.name,))):
        known = node.setdefault(name, [])
        known += [value for value in values if value not in known and value != node["name"]]
        if not known:
            del node[name]


def _edge(
    parts: Parts, commit: Commit, claim: Claim, by_id: Mapping[str, Entity], document: Document | None
) -> dict[str, Any]:
    predicates = parts.graph_schema.predicates
    biolink = predicates[claim.predicate].biolink if claim.predicate in predicates else "related_to"
    quotes = [
        {
            "start_char": span.start_char,
            "end_char": span.end_char,
            "exact": document.text[span.start_char : span.end_char] if document else None,
        }
        for span in claim.evidence
    ]
    edge: dict[str, Any] = {
        "id": claim.claim_id,
        "subject": by_id[claim.subject].concept,
        "predicate": f"biolink:{biolink}",
        "original_predicate": claim.predicate,
        "object": by_id[claim.object].concept,
        "category": ["biolink:Association"],
        "knowledge_level": claim.knowledge_level,
        "agent_type": claim.agent_type,
        "primary_knowledge_source": SOURCE,
        "negated": claim.negated,
        "source": commit.key.source,
        "document": commit.key.doc_id,
        "document_version": commit.version,
        "extraction": claim.extraction,
        "confidence": claim.confidence,
        "evidence": quotes,
    }
    if document is not None:
        edge["supporting_text"] = [quote["exact"] for quote in quotes]
    if claim.direction is not None:
        edge["object_direction_qualifier"] = claim.direction
    if claim.qualifiers:
        edge["qualifiers"] = [f"{each.kind}: {each.value}" for each in claim.qualifiers]
    return edge


def _write(file: TextIO, record: Mapping[str, Any]) -> None:
    file.write(json.dumps(record, ensure_ascii=False) + "\n")
