"""Predictions as annotated documents, and gold mentions as entities to give to a model.

Input: an Extraction, or gold. Output: annotated documents to score, entities to link or relate. An unlinked
mention is named by the local concept of its kind and name on both sides.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace

from orchestration.contracts import Extraction
from orchestration.extraction.findings import Findings
from orchestration.records import (
    LOCAL_PREFIX,
    AnnotatedDocument,
    AnnotatedMention,
    AnnotatedRelation,
    Claim,
    Document,
    Entity,
    Span,
    local_concept,
)

__all__ = ["aligned", "annotated", "on_gold_mentions"]


def annotated(gold: AnnotatedDocument, extraction: Extraction) -> AnnotatedDocument:
    """What an extractor found in a gold document.

    CURIEs that one mention joins (`concept` and `identifiers`) are of one concept throughout the document.
    """
    entities, claims = extraction
    concepts = _Concepts(entities)
    by_id = {entity.entity_id: entity for entity in entities}
    return AnnotatedDocument(
        doc_id=gold.doc_id,
        text=gold.text,
        title=gold.title,
        mentions=tuple(_mention(entity, concepts) for entity in entities),
        relations=tuple(
            _relation(claim, concepts.of(by_id[claim.subject]), concepts.of(by_id[claim.object]))
            for claim in claims
            if claim.subject in by_id and claim.object in by_id
        ),
    )


class _Concepts:
    """Keys of concepts, joined where a mention has several."""

    def __init__(self, entities: Sequence[Entity]) -> None:
        self._root: dict[str, str] = {}
        for entity in entities:
            first, *others = _written(entity)
            for other in others:
                self._root[self._found(other)] = self._found(first)
        self._members: dict[str, set[str]] = defaultdict(set)
        for entity in entities:
            for key in _written(entity):
                self._members[self._found(key)].add(key)

    def of(self, entity: Entity) -> tuple[str, ...]:
        """All keys of the concept of a mention, sorted."""
        return tuple(sorted(self._members[self._found(entity.concept)]))

    def _found(self, key: str) -> str:
        while (parent := self._root.get(key, key)) != key:
            key = parent
        return key


def _written(entity: Entity) -> list[str]:
    """The keys of a mention; an unlinked one also has that of its kind and name."""
    keys = [entity.concept, *entity.identifiers]
    if all(key.startswith(LOCAL_PREFIX) for key in keys):
        keys.append(local_concept(entity.kind, entity.name))
    return keys


def _mention(entity: Entity, concepts: _Concepts) -> AnnotatedMention:
    keys = tuple(key for key in concepts.of(entity) if not key.startswith(LOCAL_PREFIX))
    span = entity.span
    return AnnotatedMention(span.start_char, span.end_char, entity.kind, entity.name, keys)


def _relation(claim: Claim, subject: tuple[str, ...], object_: tuple[str, ...]) -> AnnotatedRelation:
    return AnnotatedRelation(
        claim.predicate,
        subject,
        object_,
        negated=claim.negated,
        direction=claim.direction,
        evidence=tuple((span.start_char, span.end_char) for span in claim.evidence),
    )


def aligned(gold: AnnotatedDocument, predicted: AnnotatedDocument) -> AnnotatedDocument:
    """The prediction with each concept named as the gold names it at mentions that are right.

    So relations are measured apart from linking: a concept is that of its mentions whose span and kind are
    those of the gold; one without any keeps its own keys.
    """
    of_place = {(each.start_char, each.end_char, each.kind): each.key for each in gold.mentions}
    named: dict[str, set[str]] = defaultdict(set)
    mentions = []
    for mention in predicted.mentions:
        key = of_place.get((mention.start_char, mention.end_char, mention.kind))
        if key is not None:
            for own in mention.key:
                named[own].update([own] if own in key else key)
        concepts = tuple(each for each in key or mention.concepts if not each.startswith(LOCAL_PREFIX))
        mentions.append(replace(mention, concepts=concepts))

    def renamed(keys: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(sorted({new for key in keys for new in named.get(key, ())})) or keys

    relations = tuple(
        replace(each, subject=renamed(each.subject), object=renamed(each.object))
        for each in predicted.relations
    )
    return replace(predicted, mentions=tuple(mentions), relations=relations)


def on_gold_mentions(gold: AnnotatedDocument, document: Document, *, linked: bool) -> list[Entity]:
    """The gold's mentions as entities of a document, for a model that links or relates given mentions.

    `linked`: with the gold's concepts, as a relation model takes them; else unlinked, as a linker does. A
    composite mention ("ovarian and breast cancer") is then a mention of each of its concepts.
    """
    findings = Findings(document, "gold")
    for mention in gold.mentions:
        span = Span(start_char=mention.start_char, end_char=mention.end_char)
        keys = mention.concepts if linked else ()
        for identifiers in [[key] for key in keys] if mention.composite and keys else [keys]:
            findings.mention(mention.kind, span, identifiers=identifiers)
    return findings.extraction()[0]
