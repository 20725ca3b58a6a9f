"""The graph: mentions and claims of documents, and the store that holds them.

Input: what the extract stage found in a document. Output: concepts, claims and their evidence. Rows are held
per document and intent; a reader sees those whose intent the document's commit names, so they appear and
disappear with the document. Nothing is shared between documents: a concept is the set of its visible
mentions, so what a document alone supported goes with it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from typing import NamedTuple, Protocol

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


class Concept(Record):
    """A concept with visible mentions."""

    concept: str = Field(description="Its key: a CURIE, or local:HASH.")
    kind: str = Field(description="Its most frequent kind.")
    name: str = Field(description="The name that most mentions have.")
    mentions: int = Field(ge=1, description="Visible mentions.")
    documents: int = Field(ge=1, description="Documents with a visible mention.")


class Statement(Record):
    """A visible claim with the mentions that it joins."""

    key: DocumentKey = Field(description="The document that states it.")
    version: str = Field(description="Content hash of that document.")
    fingerprint: str = Field(description="Under which the document was committed.")
    claim: Claim = Field(description="The claim.")
    subject: Entity = Field(description="Its subject as mentioned.")
    object: Entity = Field(description="Its object as mentioned.")


class Neighbour(Record):
    """A concept that claims join to another one."""

    concept: Concept = Field(description="The neighbour.")
    predicate: str = Field(description="Of the claims.")
    outgoing: bool = Field(description="The neighbour is the object of the claims.")
    claims: int = Field(ge=1, description="Visible claims.")
    documents: int = Field(ge=1, description="Documents that state them.")


class GraphCounts(Record):
    """What is visible of a tenant's graph."""

    documents: int = Field(ge=0, description="Documents with an extraction, also one without any mention.")
    mentions: int = Field(ge=0, description="Mentions.")
    concepts: int = Field(ge=0, description="Concepts.")
    claims: int = Field(ge=0, description="Claims.")
    kinds: dict[str, int] = Field(description="Mentions by kind.")
    predicates: dict[str, int] = Field(description="Claims by predicate.")


class GraphStore(Protocol):
    """Mentions and claims per document and intent.

    Guarantees: a write is durable when it returns and replaces what its intent held of the same documents, so
    it may be repeated. Reads return only what is visible, as of one moment per call. Tenants are separate.
    Any number of processes may read and write at once. Every method may raise UnavailableError or
    StoreCorruptError. Thread-safe.
    """

    def write(self, intent_id: str, documents: Sequence[tuple[DocumentKey, Extraction]]) -> None:
        """Write the extractions of documents. Durable; idempotent; not yet visible."""
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

    def concepts(
        self,
        tenant_id: str,
        *,
        named: str | None = None,
        keys: Collection[str] | None = None,
        kind: str | None = None,
        limit: int = 100,
    ) -> list[Concept]:
        """Concepts, those of most documents first; `named`: with a mention that contains it, in any case."""
        ...

    def statements(
        self,
        tenant_id: str,
        *,
        concepts: Collection[str] | None = None,
        predicate: str | None = None,
        key: DocumentKey | None = None,
        claim_id: str | None = None,
        limit: int = 100,
    ) -> list[Statement]:
        """Claims that join one of these concepts, by document in order; all arguments narrow."""
        ...

    def neighbours(self, tenant_id: str, concept: str, limit: int = 100) -> list[Neighbour]:
        """Concepts that visible claims join to this one, those with most documents first."""
        ...

    def counts(self, tenant_id: str) -> GraphCounts:
        """What is visible of the tenant."""
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
