"""What the record of a publication states, and the registered trials that a text names.

Input: a document; parsers annotate what their records state (`parsing.publication_record.KINDS`). Output: the
article as a mention at its title, else at its identifiers, and a claim per predicate and concept, with all
places that state it as evidence. A record may state a claim of another article, which retracts or corrects
this one: then that article is the subject, so that both records state the same claim.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from orchestration.extraction.findings import Findings
from orchestration.extraction.registry.trial_numbers import TRIAL_REGISTRIES, trial_numbers
from orchestration.records import (
    Annotation,
    Block,
    BlockKind,
    Document,
    Entity,
    Qualifier,
    Section,
    Span,
    article_curies,
    local_concept,
)

__all__ = ["add_article"]

_PLAIN: Final = {
    "publication_type": ("PublicationType", "has_publication_type"),
    "substance": ("Substance", "indexed_with"),
    "keyword": ("Topic", "has_keyword"),
    "funder": ("Organization", "funded_by"),
    "reference": ("Article", "cites"),
}
"""Kind of the mention and predicate of values that the article simply has."""


def add_article(findings: Findings, document: Document) -> None:
    """Add what the record and the text state; nothing for a document without a title or identifiers."""
    place = _place(document)
    identifiers = _identifiers(document)
    statements = _Statements(findings, document)
    if place is None:
        return
    if not (statements.add() or identifiers):
        return
    unnamed = local_concept("Article", f"{document.source}/{document.doc_id}")
    article = findings.mention(
        "Article", place, concept=next(iter(identifiers), unnamed), identifiers=identifiers
    )
    statements.claim(article)


@dataclass(slots=True)
class _Statement:
    """A claim of the article before it is made."""

    other: Entity
    evidence: list[Span] = field(default_factory=list)
    qualifiers: list[Qualifier] = field(default_factory=list)
    is_of_record: bool = False
    """Whether the record states it, and not the text alone."""


class _Statements:
    """What a document states of its article, by predicate, concept, and whether that is the subject."""

    def __init__(self, findings: Findings, document: Document) -> None:
        self._findings = findings
        self._document = document
        self._statements: dict[tuple[str, str, bool], _Statement] = {}
        self._of: dict[str | None, list[Annotation]] = defaultdict(list)
        for annotation in document.annotations:
            self._of[annotation.of].append(annotation)

    def add(self) -> bool:
        """Collect all; returns whether there is any."""
        substances = {
            curie for each in self._of[None] if each.kind == "substance" for curie in each.identifiers
        }
        for annotation in self._of[None]:
            if annotation.kind in _PLAIN:
                self._add_value(annotation)
            elif annotation.kind == "heading":
                is_substance = bool(substances & set(annotation.identifiers))
                self._add_heading(annotation, "Substance" if is_substance else "Topic")
            elif annotation.kind == "accession":
                self._add_accession(annotation)
            elif annotation.kind == "related":
                self._add_related(annotation)
        for span, concept in trial_numbers(self._document.text):
            trial = self._findings.mention("Trial", span, concept=concept)
            self._state("mentions", trial, is_of_record=False)
        return bool(self._statements)

    def claim(self, article: Entity) -> None:
        """Make the claims of the article, but for those that join it to itself."""
        for (predicate, concept, is_subject), stated in self._statements.items():
            if concept == article.concept:
                continue
            subject, object_ = (stated.other, article) if is_subject else (article, stated.other)
            self._findings.claim(
                subject,
                predicate,
                object_,
                sorted(dict.fromkeys(stated.evidence), key=lambda span: (span.start_char, span.end_char)),
                qualifiers=stated.qualifiers,
                **({} if stated.is_of_record else {"agent_type": "automated_agent"}),
            )

    def _add_value(self, annotation: Annotation) -> None:
        kind, predicate = _PLAIN[annotation.kind]
        if kind == "Article" and not annotation.identifiers:
            return
        awards = [each for each in self._of[annotation.annotation_id] if each.kind == "award"]
        qualifiers = [self._findings.qualifier("award", _span(award)) for award in awards]
        self._state(predicate, self._mention(kind, annotation), qualifiers=qualifiers)

    def _add_heading(self, annotation: Annotation, kind: str) -> None:
        """A heading; that it is a main topic, and its subheadings, are qualifiers of the claim."""
        qualifiers = []
        for part in self._of[annotation.annotation_id]:
            is_major = any(each.kind == "major_topic" for each in self._of[part.annotation_id])
            name = f"major_{part.kind}" if is_major else part.kind
            qualifiers.append(self._findings.qualifier(name, _span(part)))
        self._state("indexed_with", self._mention(kind, annotation), qualifiers=qualifiers)

    def _add_accession(self, annotation: Annotation) -> None:
        """A trial by its registry number, else a data set."""
        span = _span(annotation)
        text = self._document.text[span.start_char : span.end_char]
        concept = next((key for _, key in trial_numbers(text)), next(iter(annotation.identifiers), ""))
        if concept.partition(":")[0] in TRIAL_REGISTRIES:
            self._state("mentions", self._findings.mention("Trial", span, concept=concept))
            return
        unnamed = local_concept("Dataset", f"{annotation.attributes.get('bank', '')}/{text}")
        data = self._findings.mention("Dataset", span, concept=concept or unnamed)
        self._state("has_data", data)

    def _add_related(self, annotation: Annotation) -> None:
        """Another article; the first words of its line say how it is related."""
        other = self._mention("Article", annotation)
        line = self._findings.from_line_start(other.span)
        is_subject = annotation.attributes["other"] == "subject"
        self._state(annotation.attributes["relation"], other, evidence=line, is_subject=is_subject)

    def _state(
        self,
        predicate: str,
        other: Entity,
        *,
        evidence: Span | None = None,
        qualifiers: Sequence[Qualifier] = (),
        is_subject: bool = False,
        is_of_record: bool = True,
    ) -> None:
        stated = self._statements.setdefault((predicate, other.concept, is_subject), _Statement(other))
        stated.evidence.append(evidence or other.span)
        stated.qualifiers.extend(qualifiers)
        stated.is_of_record |= is_of_record

    def _mention(self, kind: str, annotation: Annotation) -> Entity:
        return self._findings.mention(kind, _span(annotation), identifiers=annotation.identifiers)


def _span(annotation: Annotation) -> Span:
    return Span(start_char=annotation.start_char, end_char=annotation.end_char)


def _identifiers(document: Document) -> tuple[str, ...]:
    names = {"pmid": "pmid", "pmcid": "pmcid", "doi": "doi", "openalex": "openalex_id"}
    stated: dict[str, Any] = {name: document.metadata.get(key) for name, key in names.items()}
    return article_curies(**{name: value for name, value in stated.items() if isinstance(value, str)})


def _place(document: Document) -> Span | None:
    """Where the article is named: its title, else its identifiers in its record."""
    title = _title(document)
    if title is not None:
        return Span(start_char=title.start_char, end_char=title.end_char)
    return next((_span(each) for each in document.annotations if each.kind == "article"), None)


def _title(document: Document) -> Block | None:
    """The block of the title."""
    waiting: list[Section] = list(document.sections[:1])
    while waiting:
        section = waiting.pop()
        for block in section.blocks:
            if block.kind is BlockKind.TITLE:
                return block
        waiting.extend(section.sections[:1])
    return None
