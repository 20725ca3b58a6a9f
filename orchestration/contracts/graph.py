"""The graph: mentions and claims of documents, and the store that holds them.

Input: what the extract stage found in a document. Output: concepts, claims and their evidence. Rows are held
per document and intent; a reader sees those whose intent the document's commit names, so they appear and
disappear with the document. Nothing is shared between documents: a concept is the set of its visible
mentions, so what a document alone supported goes with it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Literal, NamedTuple, Protocol

from pydantic import Field

from orchestration.contracts.stages import Outcome
from orchestration.records import (
    Claim,
    DocumentKey,
    Entity,
    GraphWriteReceipt,
    Record,
    StageContext,
)

Extraction = tuple[list[Entity], list[Claim]]
"""What the extract stage found in one document."""


class GraphHolding(NamedTuple):
    """What the store holds of one document under one intent."""

    key: DocumentKey
    intent_id: str
    entity_count: int
    claim_count: int


class DocumentFacts(Record):
    """What readers of the graph show of a document, and what it states about retractions."""

    title: str | None = Field(default=None, description="Title; None: unknown.")
    year: int | None = Field(default=None, description="Of publication, or in which the trial started.")
    study_type: str | None = Field(default=None, description="interventional, Case Reports ...")
    retracted: bool = Field(default=False, description="Its own record states that it was retracted.")
    identifiers: tuple[str, ...] = Field(default=(), description="pmid:123, doi:10.1000/x, pmcid:pmc1.")
    retracts: tuple[str, ...] = Field(default=(), description="Identifiers of articles that it retracts.")


class Concept(Record):
    """A concept with visible mentions; those that aliases merge are one."""

    concept: str = Field(description="Its key: a CURIE, or local:HASH.")
    kind: str = Field(description="Its most frequent kind.")
    name: str = Field(description="The name that most mentions have.")
    mentions: int = Field(ge=1, description="Visible mentions.")
    documents: int = Field(ge=1, description="Documents with a visible mention.")
    retracted: bool = Field(default=False, description="All of these documents are retracted.")


class Statement(Record):
    """A visible claim with the mentions that it joins and facts of its document."""

    key: DocumentKey = Field(description="The document that states it.")
    version: str = Field(description="Content hash of that document.")
    fingerprint: str = Field(description="Under which the document was committed.")
    claim: Claim = Field(description="The claim.")
    subject: Entity = Field(description="Its subject as mentioned.")
    object: Entity = Field(description="Its object as mentioned.")
    subject_concept: str = Field(description="Concept of the subject, after aliases.")
    object_concept: str = Field(description="Concept of the object, after aliases.")
    title: str | None = Field(default=None, description="Of the document; None: unknown.")
    year: int | None = Field(default=None, description="Of the document.")
    study_type: str | None = Field(default=None, description="Of the document.")
    retracted: bool = Field(
        default=False, description="The document's record, or a notice among the documents, retracts it."
    )


class PlacedConcept(NamedTuple):
    """A mention of a concept of a question in a document."""

    concept: str
    """Canonical key."""
    weight: float
    """The rarer the concept, the larger; above 0."""
    start_char: int
    end_char: int
    in_claim: bool
    """A claim joins it to another concept of the question."""


class MentioningDocument(NamedTuple):
    """A document that mentions concepts of a question."""

    key: DocumentKey
    intent_id: str
    """Under which its index entries are visible."""
    places: tuple[PlacedConcept, ...]
    """Its visible mentions of them."""


class Neighbour(Record):
    """A concept that claims join to another one."""

    concept: Concept = Field(description="The neighbour.")
    predicate: str = Field(description="Of the claims.")
    outgoing: bool = Field(description="The neighbour is the object of the claims.")
    claims: int = Field(ge=1, description="Visible claims.")
    documents: int = Field(ge=1, description="Documents that state them.")
    retracted_documents: int = Field(default=0, ge=0, description="Retracted ones among these documents.")

    @property
    def retracted(self) -> bool:
        """Whether the claims rest on retracted documents alone."""
        return self.retracted_documents == self.documents


class Link(Record):
    """The claims of one predicate between two concepts of a path."""

    predicate: str = Field(description="Of the claims.")
    outgoing: bool = Field(description="From the concept that is first in the path to the next.")
    claims: int = Field(ge=1, description="Visible claims.")
    documents: int = Field(ge=1, description="Documents that state them.")
    retracted_documents: int = Field(default=0, ge=0, description="Retracted ones among these documents.")


class Path(Record):
    """Concepts from one end to the other, each joined to the next by claims."""

    concepts: tuple[Concept, ...] = Field(min_length=2, description="Both ends included.")
    links: tuple[tuple[Link, ...], ...] = Field(description="Between each concept and the next.")

    @property
    def retracted(self) -> bool:
        """Whether a step of it rests on retracted documents alone."""
        return any(all(link.retracted_documents == link.documents for link in step) for step in self.links)


class Paths(Record):
    """Paths between two concepts, the shortest and most specific first."""

    paths: tuple[Path, ...] = Field(description="Fewest steps first, then fewest documents in between.")
    hubs: tuple[Concept, ...] = Field(
        default=(),
        description="In too many documents, else they would join the ends in two steps.",
    )
    truncated: bool = Field(default=False, description="More concepts were met than are followed.")


class Position(Record):
    """What some documents say of a claim: whether it holds, and in which direction."""

    negated: bool = Field(description="They deny it.")
    direction: str | None = Field(description="increased, decreased, unchanged; None: not said.")
    statements: tuple[Statement, ...] = Field(description="By document in order; the first ones of many.")
    claims: int = Field(ge=1, description="All claims of this position.")
    documents: int = Field(ge=1, description="Documents that state them.")
    publications: int = Field(
        ge=1, description="The same, with documents that are records of one publication as one."
    )
    retracted_documents: int = Field(default=0, ge=0, description="Retracted ones among these documents.")


class Conflict(Record):
    """Claims of one predicate about the same two concepts that disagree."""

    subject: Concept = Field(description="What the claims are about.")
    predicate: str = Field(description="Of the claims.")
    object: Concept = Field(description="What they state of it.")
    positions: tuple[Position, ...] = Field(min_length=2, description="Most documents first.")


class Proposal(Record):
    """Something of the graph that a person should look at."""

    kind: Literal["unlinked", "same_name", "name_only", "low_confidence", "merged"] = Field(
        description="unlinked: a frequent name without a vocabulary's key. same_name: a name of several "
        "keys of vocabularies. name_only: concepts that share a name, at most one with a vocabulary's key. "
        "low_confidence: a claim. merged: aliases join several keys of one vocabulary."
    )
    name: str = Field(description="Name, or the claim as words.")
    concepts: tuple[Concept, ...] = Field(default=(), description="Concepts concerned, most documents first.")
    keys: tuple[str, ...] = Field(default=(), description="Keys concerned.")
    claim_id: str | None = Field(default=None, description="Claim concerned.")
    confidence: float | None = Field(default=None, description="Of that claim.")


class GraphCounts(Record):
    """What is visible of a tenant's graph."""

    documents: int = Field(ge=0, description="Documents with an extraction, also one without any mention.")
    mentions: int = Field(ge=0, description="Mentions.")
    concepts: int = Field(ge=0, description="Concepts; those that aliases merge count once.")
    claims: int = Field(ge=0, description="Claims.")
    kinds: dict[str, int] = Field(description="Mentions by kind.")
    predicates: dict[str, int] = Field(description="Claims by predicate.")
    retracted_documents: int = Field(default=0, ge=0, description="Retracted ones among the documents.")


def contradicts(claim: Claim, other: Claim) -> bool:
    """Whether two claims of one predicate about the same concepts cannot both hold.

    One denies what the other states, altogether or in its direction; or both state different directions.
    """
    if claim.negated and other.negated:
        return False
    if claim.negated or other.negated:
        denied, stated = (claim, other) if claim.negated else (other, claim)
        return denied.direction in (None, stated.direction)
    return None not in (claim.direction, other.direction) and claim.direction != other.direction


def agrees(claim: Claim, other: Claim) -> bool:
    """Whether the second of two claims about the same supports the first."""
    return claim.negated == other.negated and (claim.direction in (None, other.direction))


class GraphReader(Protocol):
    """Reads what is visible of the graph.

    Guarantees: reads return only what commits make visible, as of one moment per call. Aliases apply: keys
    that they merge are one concept under its canonical key, and any of the keys names it in an argument.
    Results are ordered, so that the same graph gives the same answer. Tenants are separate. Every method may
    raise UnavailableError or StoreCorruptError. Thread-safe.
    """

    def concepts(
        self,
        tenant_id: str,
        *,
        named: str | None = None,
        exactly: bool = False,
        keys: Collection[str] | None = None,
        kind: str | None = None,
        limit: int = 100,
    ) -> list[Concept]:
        """Concepts, those of most documents first.

        `named`: with a mention whose name contains it, in any case; `exactly`: whose name is it. `kind`: most
        frequent kind of the concept.
        """
        ...

    def statements(
        self,
        tenant_id: str,
        *,
        concepts: Collection[str] | None = None,
        subject: str | None = None,
        object_: str | None = None,
        predicate: str | None = None,
        key: DocumentKey | None = None,
        claim_id: str | None = None,
        limit: int = 100,
    ) -> list[Statement]:
        """Claims by document in order; all arguments narrow. `concepts`: joins one of them."""
        ...

    def mentioning(self, tenant_id: str, concepts: Collection[str]) -> frozenset[DocumentKey]:
        """Documents with a visible mention of one of these concepts."""
        ...

    def named(
        self, tenant_id: str, names: Collection[str], kinds: Collection[str]
    ) -> dict[str, tuple[str, ...]]:
        """Concepts of these kinds with a visible mention of exactly a name; names of none are left out."""
        ...

    def documents_on(self, tenant_id: str, concepts: Collection[str], limit: int) -> list[MentioningDocument]:
        """The documents that say most about these concepts: the more and the rarer ones, best first."""
        ...

    def neighbours(self, tenant_id: str, concept: str, limit: int = 100) -> list[Neighbour]:
        """Concepts that visible claims join to this one, those with most documents first."""
        ...

    def paths(
        self,
        tenant_id: str,
        start: str,
        end: str,
        *,
        max_hops: int = 2,
        predicates: Collection[str] | None = None,
        max_documents: int = 1000,
        limit: int = 20,
    ) -> Paths:
        """Paths of up to `max_hops` steps (1 to 4) between two concepts, in any direction of the claims.

        No path goes through a concept of more than `max_documents` documents: a phase or a status joins
        everything. The work is bounded; `truncated` where the bound was met.
        """
        ...

    def conflicts(
        self,
        tenant_id: str,
        *,
        concept: str | None = None,
        predicate: str | None = None,
        limit: int = 20,
    ) -> list[Conflict]:
        """Claims that disagree: stated and denied, or effects of different directions.

        Those of most documents first; each position with its first 100 statements.
        """
        ...

    def publications(self, keys: Collection[DocumentKey]) -> dict[DocumentKey, DocumentKey]:
        """The first document, by source and id, of the publication of each of these visible documents.

        Documents are records of one publication if they share a DOI, PMID, PMCID or OpenAlex id, directly or
        through other visible documents of the tenant.
        """
        ...

    def proposals(self, tenant_id: str, limit: int = 20) -> list[Proposal]:
        """Up to `limit` things of each kind that a person should look at, those of most documents first."""
        ...

    def counts(self, tenant_id: str) -> GraphCounts:
        """What is visible of the tenant."""
        ...


class GraphStore(GraphReader, Protocol):
    """Mentions and claims per document and intent: the truth that graph servers project.

    Guarantees: those of GraphReader; a write is durable when it returns and replaces what its intent held of
    the same documents, so it may be repeated. Any number of processes may read and write at once.
    """

    def write(
        self,
        intent_id: str,
        documents: Sequence[tuple[DocumentKey, Extraction]],
        facts: Mapping[DocumentKey, DocumentFacts] = {},
    ) -> None:
        """Write the extractions of documents, with facts of those that are known. Durable; idempotent.

        Visible once a commit names the intent.
        """
        ...

    def discard(self, tenant_id: str, intent_id: str, keys: Sequence[DocumentKey] | None) -> None:
        """Remove what an intent wrote, for some documents or for all (None). Idempotent."""
        ...

    def holdings(self, tenant_id: str, intent_id: str | None = None) -> Iterator[GraphHolding]:
        """What is held under all intents or one, visible or not; unordered."""
        ...

    def extraction(self, key: DocumentKey, intent_id: str) -> Extraction | None:
        """What an intent wrote of a document, as it was written; None if it wrote nothing of it."""
        ...

    def facts(self, key: DocumentKey, intent_id: str) -> DocumentFacts | None:
        """Facts as they were written; `retracted` also where a visible notice says so. None if unknown."""
        ...

    def recount(self, tenant_id: str) -> bool:
        """Make again what is derived from rows and commits; returns whether anything differed."""
        ...


class GraphWriter(Protocol):
    """Stages extractions under an intent. Guarantees as IndexWriter's: invisible until the commit."""

    def stage(
        self, tenant_id: str, owner: str, items: Sequence[tuple[StageContext, Extraction]]
    ) -> list[Outcome[GraphWriteReceipt]]:
        """Write the extractions of documents; one receipt per item, in order. Durable; not yet visible."""
        ...

    def lost(self, receipts: Sequence[GraphWriteReceipt]) -> list[GraphWriteReceipt]:
        """Receipts whose rows were removed meanwhile, so that they must not be committed."""
        ...
