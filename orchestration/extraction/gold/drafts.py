"""Drafts of annotated documents, as a file has them, and their check.

Input: what a reader of one format found, with the line of each part. Output: an AnnotatedDocument, or
DraftError that names the first wrong part: an offset beyond the text, a span whose text differs, an id that
nothing has.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Final

from orchestration.extraction.gold.naming import Naming, curies
from orchestration.records import AnnotatedClaim, AnnotatedDocument, AnnotatedMention, AnnotatedRelation

__all__ = ["Draft", "DraftError", "DraftMention", "DraftRelation", "GoldFault", "Unmapped", "checked"]

SHOWN: Final = 60


@dataclass(frozen=True, slots=True)
class GoldFault:
    """Why a document of a gold file is left out."""

    file: str
    line: int | None
    doc_id: str
    reason: str

    def __str__(self) -> str:
        where = self.file if self.line is None else f"{self.file}, line {self.line}"
        return f"{where}: document {self.doc_id} is left out: {self.reason}"


class DraftError(ValueError):
    """A document's annotations are wrong."""

    def __init__(self, line: int | None, reason: str) -> None:
        super().__init__(reason)
        self.line = line
        self.reason = reason


@dataclass(slots=True)
class DraftMention:
    start_char: int
    end_char: int
    kind: str
    text: str
    concepts: str | tuple[str, ...] = ()
    """As written in the corpus, or CURIEs."""
    line: int | None = None
    mention_id: str | None = None
    composite: bool = False
    """Of CURIEs: they are several concepts. Ids as written in a corpus always are."""


@dataclass(slots=True)
class DraftRelation:
    """`subject` and `object` are ids of mentions, or ids of concepts as the mentions write them."""

    predicate: str
    subject: str
    object: str
    directed: bool = True
    negated: bool = False
    direction: str | None = None
    novel: bool | None = None
    evidence: tuple[tuple[int, int], ...] = ()
    line: int | None = None


@dataclass(slots=True)
class Draft:
    """One document as its file has it."""

    doc_id: str
    text: str
    line: int | None
    title: str = ""
    mentions: list[DraftMention] = field(default_factory=list)
    relations: list[DraftRelation] = field(default_factory=list)
    claims: list[AnnotatedClaim] = field(default_factory=list)
    record: str | None = None
    """A path, from the folder of the gold file."""
    error: DraftError | None = None
    """A fault that the reader found already."""


@dataclass(slots=True)
class Unmapped:
    """Kinds and relation types that the graph schema does not have, with how often each occurs."""

    kinds: Counter[str] = field(default_factory=Counter)
    predicates: Counter[str] = field(default_factory=Counter)


def checked(draft: Draft, naming: Naming, unmapped: Unmapped, origin: str) -> AnnotatedDocument:
    """The document in the terms of the graph; raises DraftError."""
    if draft.error is not None:
        raise draft.error
    if not draft.text.strip():
        raise DraftError(draft.line, "it has no text")
    mentions: list[AnnotatedMention] = []
    named: dict[str, tuple[str, ...]] = {}
    for each in draft.mentions:
        _check_span(draft.text, each)
        kind = naming.kind(each.kind)
        if kind is None:
            unmapped.kinds[each.kind] += 1
        concepts = curies(each.concepts, each.kind) if isinstance(each.concepts, str) else each.concepts
        mention = AnnotatedMention(
            each.start_char,
            each.end_char,
            kind or each.kind,
            each.text,
            concepts,
            composite=(each.composite or isinstance(each.concepts, str)) and len(concepts) > 1,
        )
        _name(named, each, mention)
        if kind is not None:
            mentions.append(mention)
    relations = []
    for relation in draft.relations:
        predicate = naming.predicate(relation.predicate)
        both = (_resolved(relation.subject, named, relation), _resolved(relation.object, named, relation))
        _check_evidence(draft.text, relation.evidence, relation.line)
        if predicate is None:
            unmapped.predicates[relation.predicate] += 1
        else:
            relations.append(_relation(predicate, *both, relation))
    for claim in draft.claims:
        spans = tuple((each.start_char, each.end_char) for each in claim.judgements)
        _check_evidence(draft.text, spans, draft.line)
    return AnnotatedDocument(
        doc_id=draft.doc_id,
        text=draft.text,
        title=draft.title,
        mentions=tuple(dict.fromkeys(mentions)),
        relations=tuple(dict.fromkeys(relations)),
        claims=tuple(draft.claims),
        origin=origin,
    )


def _name(named: dict[str, tuple[str, ...]], draft: DraftMention, mention: AnnotatedMention) -> None:
    """Keep under which keys relations may name a mention."""
    if draft.mention_id is not None:
        if draft.mention_id in named:
            raise DraftError(draft.line, f"two mentions have the id {draft.mention_id!r}")
        named[draft.mention_id] = mention.key
    written = draft.concepts if isinstance(draft.concepts, str) else ""
    parts = [each.strip() for each in written.replace("+", "|").replace(",", "|").split("|")]
    for part in dict.fromkeys([written.strip(), *parts]):
        if part and (key := curies(part, draft.kind)):
            named.setdefault(part, key)


def _resolved(name: str, named: dict[str, tuple[str, ...]], relation: DraftRelation) -> tuple[str, ...]:
    """The keys of a relation's argument: those of a mention, else its own id as a CURIE."""
    keys = named.get(name.strip()) or curies(name, "")
    if not keys:
        raise DraftError(relation.line, f"a relation {relation.predicate} has no concept ({name!r})")
    if name.strip() not in named and not all(":" in key for key in keys):
        raise DraftError(
            relation.line,
            f"a relation {relation.predicate} names {name!r}, neither a mention nor a concept's id",
        )
    return keys


def _relation(
    predicate: str, subject: tuple[str, ...], object_: tuple[str, ...], draft: DraftRelation
) -> AnnotatedRelation:
    return AnnotatedRelation(
        predicate,
        subject,
        object_,
        draft.directed,
        draft.negated,
        draft.direction,
        draft.novel,
        draft.evidence,
    )


def _check_span(text: str, mention: DraftMention) -> None:
    start, end = mention.start_char, mention.end_char
    if not 0 <= start < end <= len(text):
        raise DraftError(
            mention.line, f"characters {start}-{end} are not in its text of {len(text):,} characters"
        )
    if text[start:end] != mention.text:
        raise DraftError(
            mention.line,
            f"characters {start}-{end} are {text[start:end][:SHOWN]!r}, the mention says "
            f"{mention.text[:SHOWN]!r}",
        )


def _check_evidence(text: str, spans: tuple[tuple[int, int], ...], line: int | None) -> None:
    for start, end in spans:
        if not 0 <= start < end <= len(text):
            raise DraftError(line, f"evidence {start}-{end} is not in its text of {len(text):,} characters")
