"""The encoder extractor: documents to the plane's tagger, and what it finds to mentions and claims.

Input: the documents of a window. Output: one extraction or error per document. Documents go to the tagger in
groups of a bounded number of characters, since the states of a group's tokens are in memory together.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import Final, NamedTuple, Self

from orchestration.contracts import (
    CharRange,
    EffectAnswer,
    EffectQuestion,
    EffectStatement,
    ExtractorServices,
    Found,
    Linker,
    Outcome,
    ReadDirection,
    TaggedText,
    TextTagger,
    TextToTag,
    sentence_spans,
)
from orchestration.errors import MedkgError
from orchestration.extraction.encoder.agreement import Mention, agreed_mentions
from orchestration.extraction.encoder.claim_directions import Extracted, directed
from orchestration.extraction.encoder.claim_model import shipped_claim_model_hash
from orchestration.extraction.encoder.claims import Draft, add_claims, drafts_of
from orchestration.extraction.encoder.effects import evidence_of
from orchestration.extraction.encoder.passages import passages
from orchestration.extraction.findings import Findings
from orchestration.records import LOCAL_PREFIX, Claim, Document, Entity, Span, local_concept

__all__ = ["EncoderExtractor"]

KINDS: Final = {"Chemical": "Drug", "Disease": "Condition"}
"""Kinds of graph.yaml by label of the model: the registry's, so that trials and articles share concepts."""
LABELS: Final = {kind: label for label, kind in KINDS.items()}
CHARACTERS_PER_CALL: Final = 300_000
"""Of documents whose states are in memory together: about 60 MB."""


class EncoderExtractor:
    """BatchExtractor over the plane's tagger; finds nothing where the profile has no extraction model."""

    name = "encoder"
    version = "3"

    def __init__(
        self, tagger: TextTagger, model: str | None, timeout_seconds: float, linker: Linker | None = None
    ) -> None:
        """`model`: its id with revision; None turns the extractor off.

        `linker`: what knows concepts of vocabularies; without one no mention counts as known, and fewer
        pairs become claims.
        """
        self._tagger = tagger
        self._model = model
        self._timeout_seconds = timeout_seconds
        self._linker = linker

    @classmethod
    def from_services(cls, services: ExtractorServices) -> Self:
        return cls(services.tagger, services.tagger_model, services.timeout_seconds, services.linker)

    @property
    def shape(self) -> Mapping[str, str]:
        """The models of mentions and of claims; see ShapedExtractor."""
        if self._model is None:
            return {"model": "none"}
        return {"model": self._model, "claims": shipped_claim_model_hash()}

    def extract_batch(self, documents: Sequence[Document]) -> Sequence[Outcome[Found]]:
        """What each document says; raises UnavailableError while the plane is unavailable."""
        if self._model is None:
            return [([], []) for _ in documents]
        outcomes: list[Outcome[Found]] = []
        for group in _groups(documents):
            read = [passages(document) for document in group]
            drafted = [
                tagged if isinstance(tagged, MedkgError) else self._drafted(document, ranges, tagged)
                for document, ranges, tagged in zip(group, read, self._tagged(group, read), strict=True)
            ]
            outcomes += [
                each if isinstance(each, MedkgError) else (list(each.entities), each.claims)
                for each in self._directed(self._claimed(drafted))
            ]
        return outcomes

    def relate(self, items: Sequence[tuple[Document, Sequence[Entity]]]) -> Sequence[Outcome[list[Claim]]]:
        """Claims between mentions that are given; see contracts.MentionRelator."""
        if self._model is None:
            return [[] for _ in items]
        outcomes: list[Outcome[list[Claim]]] = []
        mentions = iter([entities for _, entities in items])
        for group in _groups([document for document, _ in items]):
            read = [passages(document) for document in group]
            extractions: list[Outcome[Extracted]] = []
            for document, ranges, tagged in zip(group, read, self._tagged(group, read), strict=True):
                entities = next(mentions)
                extractions.append(
                    tagged
                    if isinstance(tagged, MedkgError)
                    else self._related(document, ranges, tagged, entities)
                )
            outcomes += [
                each if isinstance(each, MedkgError) else each.claims for each in self._directed(extractions)
            ]
        return outcomes

    def _related(
        self,
        document: Document,
        ranges: Sequence[CharRange],
        tagged: TaggedText,
        entities: Sequence[Entity],
    ) -> Extracted:
        """The claims between mentions that are given; each counts as known."""
        findings = self._findings(document)
        by_concept: dict[tuple[str, str], list[Entity]] = defaultdict(list)
        for entity in entities:
            if entity.kind in LABELS:
                by_concept[LABELS[entity.kind], entity.concept].append(entity)
        sentences = _sentences(document, ranges)
        drafts = drafts_of(document.text, sentences, tagged, by_concept)
        add_claims(findings, document.text, sentences, drafts, lambda _: True)
        return Extracted(document, entities, findings.extraction()[1])

    def _directed(self, extractions: Sequence[Outcome[Extracted]]) -> list[Outcome[Extracted]]:
        """The same with the directions of the claims."""
        read = [each for each in extractions if not isinstance(each, MedkgError)]
        claims = iter(directed(read, self._tagger, self._timeout_seconds))
        outcomes: list[Outcome[Extracted]] = []
        for each in extractions:
            if isinstance(each, MedkgError):
                outcomes.append(each)
                continue
            of_document = next(claims)
            outcomes.append(
                of_document if isinstance(of_document, MedkgError) else each._replace(claims=of_document)
            )
        return outcomes

    def answer(
        self, items: Sequence[tuple[Document, Sequence[EffectQuestion]]]
    ) -> Sequence[Outcome[list[EffectAnswer | None]]]:
        """Answers to questions about effects; see contracts.EffectReader."""
        if self._model is None:
            return [[None for _ in questions] for _, questions in items]
        evidence = [
            evidence_of(document.text, _sentences(document, passages(document)), questions)
            for document, questions in items
        ]
        statements = [
            EffectStatement(*question, document.text[span.start_char : span.end_char])
            for (document, questions), spans in zip(items, evidence, strict=True)
            for question, span in zip(questions, spans, strict=True)
            if span is not None
        ]
        read = iter(self._tagger.directions(statements, self._timeout_seconds) if statements else ())
        return [_answers(spans, read) for spans in evidence]

    def _tagged(
        self, documents: Sequence[Document], ranges: Sequence[Sequence[CharRange]]
    ) -> Sequence[Outcome[TaggedText]]:
        texts = [TextToTag(document.text, of) for document, of in zip(documents, ranges, strict=True)]
        return self._tagger.tag(texts, self._timeout_seconds)

    def _findings(self, document: Document) -> Findings:
        return Findings(
            document,
            f"{self.name}/{self.version} {self._model}",
            agent_type="text_mining_agent",
            knowledge_level="not_provided",
        )

    def _drafted(self, document: Document, ranges: Sequence[CharRange], tagged: TaggedText) -> _Drafted:
        findings = self._findings(document)
        by_concept: dict[tuple[str, str], list[Entity]] = defaultdict(list)
        for mention in agreed_mentions(document.text, ranges, tagged.spans):
            if mention.label in KINDS:
                by_concept[mention.concept].append(_entity(findings, mention))
        sentences = _sentences(document, ranges)
        drafts = drafts_of(document.text, sentences, tagged, by_concept)
        return _Drafted(document, findings, sentences, drafts)

    def _claimed(self, drafted: Sequence[Outcome[_Drafted]]) -> list[Outcome[Extracted]]:
        """The documents with those of their drafts that are claims."""
        linked = iter(self._linked([each for each in drafted if not isinstance(each, MedkgError)]))
        return [
            each if isinstance(each, MedkgError) else _with_claims(each, next(linked)) for each in drafted
        ]

    def _linked(self, drafted: Sequence[_Drafted]) -> list[Outcome[frozenset[Span]]]:
        """The mentions of each document that the linker gives a concept; none where there are no drafts."""
        asking = [number for number, each in enumerate(drafted) if each.drafts]
        linked: list[Outcome[frozenset[Span]]] = [frozenset() for _ in drafted]
        if self._linker is None or not asking:
            return linked
        outcomes = self._linker.link(
            [(drafted[number].document, (drafted[number].findings.extraction()[0], [])) for number in asking]
        )
        for number, outcome in zip(asking, outcomes, strict=True):
            linked[number] = (
                outcome
                if isinstance(outcome, MedkgError)
                else frozenset(mention.span for mention in outcome[0] if _has_concept(mention))
            )
        return linked


class _Drafted(NamedTuple):
    """A document with its mentions, and the pairs that may become claims."""

    document: Document
    findings: Findings
    sentences: Sequence[Span]
    drafts: Sequence[Draft]


def _with_claims(drafted: _Drafted, known: Outcome[frozenset[Span]]) -> Outcome[Extracted]:
    """The document with its claims. `known`: the mentions that have a concept of a vocabulary."""
    if isinstance(known, MedkgError):
        return known
    document, findings, sentences, drafts = drafted
    add_claims(findings, document.text, sentences, drafts, lambda mention: mention.span in known)
    return Extracted(document, *findings.extraction())


def _has_concept(mention: Entity) -> bool:
    return not mention.concept.startswith(LOCAL_PREFIX)


def _entity(findings: Findings, mention: Mention) -> Entity:
    kind = KINDS[mention.label]
    span = Span(start_char=mention.start_char, end_char=mention.end_char)
    concept = local_concept(kind, mention.name)
    return findings.mention(kind, span, concept=concept, confidence=min(1.0, mention.confidence))


def _sentences(document: Document, ranges: Sequence[CharRange]) -> list[Span]:
    return [each for start, end in ranges for each in sentence_spans(document.text, start, end)]


def _answers(
    evidence: Sequence[Span | None], read: Iterator[Outcome[ReadDirection]]
) -> Outcome[list[EffectAnswer | None]]:
    """The answers of one document, or the first error; takes as many directions as there is evidence."""
    answers: list[EffectAnswer | None] = []
    error: MedkgError | None = None
    for span in evidence:
        if span is None:
            answers.append(None)
            continue
        outcome = next(read)
        if isinstance(outcome, MedkgError):
            error = error or outcome
        else:
            answers.append(EffectAnswer(outcome.direction, (span,)))
    return error or answers


def _groups(documents: Sequence[Document]) -> Iterator[Sequence[Document]]:
    """Neighbouring documents of together at most CHARACTERS_PER_CALL, or one that is longer."""
    group: list[Document] = []
    size = 0
    for document in documents:
        if group and size + len(document.text) > CHARACTERS_PER_CALL:
            yield group
            group, size = [], 0
        group.append(document)
        size += len(document.text)
    if group:
        yield group
