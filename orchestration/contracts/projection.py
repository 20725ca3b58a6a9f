"""The projection of the graph: a copy for another engine, made again from the ledger at any time.

Input: what the ledger makes visible, in the order in which it became so. Output: the same documents, concepts
and claims in a graph server, with the number of the last change that it has. The ledger stays the truth: the
server adds no fact, and nothing that is read or committed waits for it.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from typing import Any, NamedTuple, Protocol

from pydantic import Field

from orchestration.contracts.commits import Commit
from orchestration.contracts.graph import Extraction
from orchestration.errors import StoreCorruptError
from orchestration.records import DocumentKey, Record

Row = Mapping[str, Any]
"""Property values as a graph server stores them: text, numbers, truth values and lists of these."""


class GraphChange(NamedTuple):
    """A document, or EVERYTHING, that became visible, changed or became invisible."""

    sequence: int
    key: DocumentKey


class VisibleGraph(NamedTuple):
    """A visible document with what was extracted from it."""

    commit: Commit
    extraction: Extraction
    stamp: str
    """Changes whenever any of the others does."""
    canonical: Mapping[str, str]
    """Canonical key by key, of concepts that aliases merge with others; keys without another are left out."""
    facts: Row
    """Of the document: `title`, `year` and `study_type` where known, and whether it is `retracted`."""


class GraphFeed(Protocol):
    """What a projection reads of the ledger.

    Guarantees: changes have numbers in the order in which they became visible, so a reader that asks for
    later numbers misses none; of a document only its newest change is listed. Each call reads one moment.
    Errors: those of the ledger.
    """

    def identity(self) -> str:
        """Return the id of this ledger, which no other one has, a restored or emptied one included."""
        ...

    def newest(self) -> dict[str, int]:
        """Return the number of the newest change by tenant, also of tenants without documents."""
        ...

    def changes(self, tenant_id: str, after: int, limit: int) -> list[GraphChange]:
        """Return changes with later numbers, oldest first."""
        ...

    def pending(self, tenant_id: str, after: int) -> int:
        """Return the number of documents whose newest change has a later number."""
        ...

    def page(self, tenant_id: str, after: DocumentKey | None, limit: int) -> list[tuple[DocumentKey, str]]:
        """Return visible documents that have a graph with their stamps, by key, those behind `after`.

        A stamp changes whenever what is to be projected of the document does.
        """
        ...

    def stamps(self, keys: Sequence[DocumentKey]) -> dict[DocumentKey, str]:
        """Return the stamps of those of the documents that are visible and have a graph."""
        ...

    def load(self, keys: Sequence[DocumentKey]) -> dict[DocumentKey, VisibleGraph | StoreCorruptError]:
        """Return mentions and claims of those of the documents that are visible and have a graph.

        A StoreCorruptError stands for a document whose rows the ledger lost. Holds all of them in memory.
        """
        ...


class ProjectedDocument(NamedTuple):
    """A document as it is projected, or as a server holds it."""

    key: DocumentKey
    stamp: str
    properties: Row
    """Of the document: its version, topology and counts."""
    mentions: Sequence[Row]
    """One per concept that it mentions: `concept`, and parallel lists, one value per mention."""
    claims: Sequence[Row]
    """One per claim: `subject`, `object` and `predicate`, and its own properties."""

    @property
    def rows(self) -> int:
        """Number of rows that writing it takes."""
        return 1 + len(self.mentions) + len(self.claims)


class ProjectionState(Record):
    """Where the projection of a tenant stands, as the server has it."""

    ledger: str = Field(description="Identity of the ledger that it is made from.")
    format: int = Field(ge=1, description="Version of the form that documents are projected in.")
    watermark: int | None = Field(description="Number of the last change that it has; None: to be compared.")
    clearing: bool = Field(description="Whether it is being emptied.")
    projected_at: float | None = Field(description="When the watermark was set, seconds since the epoch.")
    holder: str | None = Field(description="Process identity of the one that projects now.")


class ProjectionCounts(Record):
    """What a server holds of a tenant."""

    documents: int = Field(ge=0, description="Documents.")
    concepts: int = Field(ge=0, description="Concepts.")
    mentions: int = Field(ge=0, description="Mentions.")
    claims: int = Field(ge=0, description="Claims.")
    stated: int = Field(ge=0, description="Claims that the documents are to state.")
    edges: int = Field(ge=0, description="Edges between concepts, each of all claims with one predicate.")


class ProjectionLease(NamedTuple):
    """The right to write a tenant's projection. Writes of a lease that was taken over are refused."""

    tenant_id: str
    epoch: int


class GraphProjection(Protocol):
    """A graph server's copy of the visible graph.

    Guarantees. Every write is one transaction and durable when it returns: a document is there with all of
    its mentions, claims and the edges that follow from them, or as it was before. Writes are idempotent. One
    lease per tenant writes at a time; a write under an older one raises LeaseLostError and changes nothing.
    Tenants are separate. Errors: DagsterResourceUnavailableError, ConfigurationError (address, user),
    StoreUnwritableError (full or read-only), ServiceError for what may succeed when repeated.
    """

    @property
    def name(self) -> str:
        """The server, without passwords."""
        ...

    async def ask(self) -> str:
        """Return version and edition of the server; changes nothing."""
        ...

    async def prepare(self) -> None:
        """Create the constraints and indexes. Idempotent."""
        ...

    async def tenants(self) -> list[str]:
        """Return the tenants that have a projection."""
        ...

    async def state(self, tenant_id: str) -> ProjectionState | None:
        """Return where a tenant's projection stands; None if there is none."""
        ...

    async def acquire(
        self, tenant_id: str, ledger: str, owner: str, is_alive: Callable[[str], bool]
    ) -> ProjectionLease | None:
        """Take the lease of a tenant; None while another process that lives holds it.

        Creates an empty projection of the ledger where there is none.
        """
        ...

    async def release(self, lease: ProjectionLease) -> None:
        """Give the lease back. Idempotent."""
        ...

    async def set_watermark(self, lease: ProjectionLease, sequence: int | None) -> None:
        """Record that the projection has every change up to this number; None: it is to be compared."""
        ...

    async def apply(
        self,
        lease: ProjectionLease,
        documents: Sequence[ProjectedDocument],
        removed: Sequence[DocumentKey],
        watermark: int | None = None,
    ) -> None:
        """Replace documents by these and remove others, in one transaction; then set the watermark."""
        ...

    async def clear(self, lease: ProjectionLease, ledger: str) -> None:
        """Remove everything of the tenant, a bounded number of nodes per transaction.

        From then on it is the projection of `ledger`, to be compared. After an interruption call it again.
        """
        ...

    async def stamps(self, tenant_id: str, keys: Sequence[DocumentKey]) -> dict[DocumentKey, str]:
        """Return the stamps of those of the documents that are there."""
        ...

    def keys(self, tenant_id: str) -> AsyncIterator[DocumentKey]:
        """Iterate over the documents that are there; unordered."""
        ...

    async def documents(self, tenant_id: str, keys: Sequence[DocumentKey]) -> list[ProjectedDocument]:
        """Return documents as the server holds them, those of the keys that are there."""
        ...

    async def counts(self, tenant_id: str) -> ProjectionCounts:
        """Return what is there of a tenant."""
        ...

    def derived_differences(self, tenant_id: str) -> AsyncIterator[str]:
        """Iterate over concepts whose counts, names or edges do not follow from their mentions and claims."""
        ...

    async def derive_again(self, lease: ProjectionLease, concepts: Sequence[str]) -> None:
        """Set counts, names and edges of concepts from their mentions and claims; remove unmentioned ones."""
        ...

    async def close(self) -> None:
        """Close the connections."""
        ...
