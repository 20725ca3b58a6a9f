"""Builds the entities and claims of one document, so that each is grounded by construction.

Input: a document and the spans that an extractor found in it. Output: an Extraction whose ids are determined
by document, extraction and spans alone; of equal mentions and claims the first is kept.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any

from orchestration.contracts import Extraction
from orchestration.records import Claim, Document, Entity, Qualifier, Span, local_concept

__all__ = ["Findings"]


class Findings:
    """Append mentions, then claims between them."""

    def __init__(self, document: Document, extraction: str, **common: Any) -> None:
        """`common`: fields of every claim, e.g. agent_type."""
        self._document = document
        self._extraction = extraction
        self._common = common
        self._entities: dict[str, Entity] = {}
        self._claims: dict[str, Claim] = {}

    def mention(
        self,
        kind: str,
        span: Span,
        *,
        concept: str | None = None,
        identifiers: Sequence[str] = (),
        confidence: float = 1.0,
    ) -> Entity:
        """A mention of a concept; without one, of the local concept of its kind and name.

        Raises ValueError for a span that is empty or not in the text.
        """
        name = self._text(span)
        key = concept or next(iter(identifiers), None) or local_concept(kind, name)
        entity_id = self._id("e", kind, span.start_char, span.end_char, key)
        entity = Entity(
            entity_id=entity_id,
            tenant_id=self._document.tenant_id,
            doc_id=self._document.doc_id,
            kind=kind,
            name=name,
            span=span,
            concept=key,
            identifiers=tuple(each for each in identifiers if each != key),
            confidence=confidence,
            extraction=self._extraction,
        )
        return self._entities.setdefault(entity_id, entity)

    def from_line_start(self, span: Span) -> Span:
        """A span, and what stands before it in its line: words that say what it is to the record."""
        start = self._document.text.rfind("\n", 0, span.start_char) + 1
        return Span(start_char=start, end_char=span.end_char)

    def qualifier(self, kind: str, span: Span) -> Qualifier:
        """What stands at a span as a qualifier. Raises ValueError as `mention` does."""
        return Qualifier(kind=kind, value=self._text(span), span=span)

    def claim(
        self,
        subject: Entity,
        predicate: str,
        object_: Entity,
        evidence: Sequence[Span] = (),
        *,
        qualifiers: Sequence[Qualifier] = (),
        **fields: Any,
    ) -> Claim:
        """A claim between two mentions; without evidence, stated where its object stands.

        Raises ValueError for evidence that is empty or not in the text.
        """
        spans = tuple(evidence) or (object_.span,)
        for span in spans:
            self._text(span)
        stated = [subject.entity_id, predicate, object_.entity_id]
        stated += [f"{each.kind} {each.span.start_char} {each.span.end_char}" for each in qualifiers]
        claim_id = self._id("c", *stated, fields.get("negated", False))
        claim = Claim(
            claim_id=claim_id,
            tenant_id=self._document.tenant_id,
            doc_id=self._document.doc_id,
            subject=subject.entity_id,
            predicate=predicate,
            object=object_.entity_id,
            evidence=spans,
            qualifiers=tuple(qualifiers),
            extraction=self._extraction,
            **{**self._common, **fields},
        )
        return self._claims.setdefault(claim_id, claim)

    def extraction(self) -> Extraction:
        """What was found, mentions by their place in the text."""
        entities = sorted(
            self._entities.values(), key=lambda each: (each.span.start_char, each.span.end_char)
        )
        return entities, list(self._claims.values())

    def _text(self, span: Span) -> str:
        text = self._document.text[span.start_char : span.end_char]
        if not text or span.end_char > len(self._document.text):
            raise ValueError(f"characters {span.start_char}-{span.end_char} are not in the text")
        return text

    def _id(self, letter: str, *parts: object) -> str:
        document = self._document
        whole = [document.tenant_id, document.source, document.doc_id, document.version, self._extraction]
        content = "\0".join(map(str, [*whole, *parts]))
        return f"{letter}{hashlib.sha256(content.encode('utf-8', 'surrogatepass')).hexdigest()[:24]}"
