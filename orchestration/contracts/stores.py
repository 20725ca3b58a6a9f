"""What stores hold and how readers tell what is visible; commits are the only truth about that."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol, Self

import numpy as np
import numpy.typing as npt
from pydantic import Field

from orchestration.contracts.filters import Facets, Filters
from orchestration.records import (
    Chunk,
    Document,
    DocumentKey,
    EmbeddingBatch,
    Float32Matrix,
    IndexReceipt,
    Record,
    SparseMatrix,
    StageContext,
)


@dataclass(frozen=True, slots=True)
class ChunkRef:
    """A chunk as one intent wrote it; visible only if that intent is the document's committed one."""

    key: DocumentKey
    intent_id: str
    chunk_id: str


@dataclass(frozen=True, slots=True)
class Candidate:
    """One hit of one leg; a higher score is better."""

    ref: ChunkRef
    score: float


EVERYTHING = "*"
"""In the place of source and doc_id: what is said is of all documents of the tenant."""


Visible = Callable[[ChunkRef], bool]
"""Whether a reader may see a chunk; made from the commit table."""


@dataclass(frozen=True, slots=True)
class VectorRow:
    """What a vector stands for."""

    key: DocumentKey
    chunk_id: str
    facets: Facets


@dataclass(frozen=True, slots=True)
class SparseVectors:
    """Term weights of one model, whose rows are compared only with rows of the same model."""

    model_id: str
    rows: SparseMatrix


@dataclass(frozen=True, slots=True)
class Holding:
    """What a store holds of one document under one intent."""

    key: DocumentKey
    intent_id: str
    chunk_count: int


class SearchStore(Protocol):
    """Chunks with their text, findable by words (BM25) and, where vectors exist, by sparse terms."""

    def write(
        self,
        tenant_id: str,
        intent_id: str,
        chunks: Sequence[tuple[DocumentKey, Chunk]],
        sparse: SparseVectors | None,
    ) -> None:
        """Durable when it returns; idempotent for the same intent and chunks; not yet visible.

        `sparse` has a row a chunk, in order.
        """
        ...

    def bm25(
        self, tenant_id: str, query: str, limit: int, filters: Filters, visible: Visible
    ) -> list[Candidate]:
        """The best visible chunks for the words of a query."""
        ...

    def sparse(
        self, tenant_id: str, query: SparseVectors, limit: int, filters: Filters, visible: Visible
    ) -> list[Candidate]:
        """The best visible chunks by inner product with the query's one row, above 0; exact up to fp16."""
        ...

    def chunks(self, tenant_id: str, refs: Sequence[ChunkRef]) -> list[Chunk | None]:
        """Stored chunks in the order of refs; None where the store lost one."""
        ...

    def document_chunks(self, key: DocumentKey, intent_id: str) -> list[Chunk]:
        """All chunks of a document in order."""
        ...

    def sparse_vectors(self, tenant_id: str, intent_id: str) -> tuple[list[ChunkRef], SparseVectors] | None:
        """The term weights of an intent's chunks, row i that of ref i, terms ascending; None without any.

        Weights are what the store kept of those it was given: writing them again changes nothing any more.
        A weight of 0 is no term; the vocabulary ends with the largest term.
        """
        ...

    def discard(self, tenant_id: str, intent_id: str, keys: Sequence[DocumentKey] | None) -> None:
        """Forget what an intent wrote (for some documents, or all). Idempotent."""
        ...

    def holdings(self, tenant_id: str, intent_id: str | None = None) -> Iterator[Holding]:
        """Everything held, or what one intent wrote."""
        ...

    def damage(self, tenant_id: str) -> str | None:
        """What is wrong with the tenant's index as a whole; None if it is sound."""
        ...

    def mend(self, tenant_id: str) -> None:
        """Make an index that is damaged as a whole usable again; chunks that cannot be read are lost."""
        ...

    def expunge(self, tenant_id: str) -> None:
        """Have what was discarded leave the disk: no file of ours holds a byte of it afterwards.

        Rewrites files, so it takes as long as reading and writing all that the tenant has. Idempotent.
        """
        ...


class VectorStore(Protocol):
    """Dense vectors in immutable, checksummed segments, one namespace for each model."""

    def write(
        self,
        tenant_id: str,
        namespace: str,
        intent_id: str,
        rows: Sequence[VectorRow],
        dense: Float32Matrix,
    ) -> None:
        """One segment for the intent, replacing one it wrote before. Durable; idempotent."""
        ...

    def search(
        self,
        tenant_id: str,
        namespace: str,
        query: npt.NDArray[np.float32],
        limit: int,
        filters: Filters,
        visible: Visible,
    ) -> list[Candidate]:
        """Best by inner product over the segments of visible intents."""
        ...

    def vectors(self, tenant_id: str, namespace: str, intent_id: str) -> tuple[list[ChunkRef], Float32Matrix]:
        """What an intent holds, row i that of ref i, bit by bit as written; no rows where it holds nothing.

        Raises StoreCorruptError naming what is damaged.
        """
        ...

    def discard(self, tenant_id: str, intent_id: str, keys: Sequence[DocumentKey] | None = None) -> None:
        """Forget what an intent wrote (for some documents, or all), under every model. Idempotent."""
        ...

    def discard_other_models(self, tenant_id: str, kept: Collection[str]) -> None:
        """Forget everything but the vectors of these models. Idempotent."""
        ...

    def holdings(
        self, tenant_id: str, intent_id: str | None = None, namespace: str | None = None
    ) -> Iterator[Holding]:
        """What is held of all intents or one, under all models or one; damaged segments are left out.

        Without a namespace an intent that has vectors of several models has a holding for each.
        """
        ...

    def damaged(self, tenant_id: str, namespace: str | None = None) -> dict[str, str]:
        """Intents with a damaged segment (of any model, or one), and what is wrong with it."""
        ...

    def compaction_due(self, tenant_id: str) -> bool:
        """Whether `compact` has something to do. Cheap: reads no vectors."""
        ...

    def compact(self, tenant_id: str) -> int:
        """Build the indexes that are due, of each of the tenant's models; how many were built.

        May take minutes; searches and writes go on meanwhile. Idempotent.
        """
        ...

    def expunge(self, tenant_id: str) -> None:
        """Have what was discarded leave the disk: no file of ours holds a byte of it afterwards.

        Rewrites files, so it takes as long as reading and writing all that the tenant has. Idempotent.
        """
        ...


class DocumentStore(Protocol):
    """Parsed documents, so that citations can be shown in context."""

    def put(self, documents: Sequence[tuple[StageContext, Document]]) -> None:
        """Keyed by document, version and fingerprint. Durable when it returns; idempotent."""
        ...

    def get(self, key: DocumentKey, version: str, fingerprint: str) -> Document | None: ...

    def titles(self, documents: Sequence[tuple[DocumentKey, str]]) -> list[str | None]:
        """Titles of (document, version) pairs, same order; None where the store has none."""
        ...

    def copy(self, documents: Sequence[tuple[DocumentKey, str, str, str]]) -> None:
        """Keep each (document, version, fingerprint) under another fingerprint, the fourth, as well.

        Durable when it returns; idempotent. One that is not there is left out.
        """
        ...

    def discard(self, key: DocumentKey, keep: tuple[str, str] | None) -> None:
        """Forget a document, or all but one (version, fingerprint) of it. Idempotent."""
        ...

    def forget(self, documents: Sequence[tuple[DocumentKey, str, str]]) -> None:
        """Forget (document, version, fingerprint) triples. Idempotent."""
        ...

    def held(self, tenant_id: str) -> Iterator[tuple[DocumentKey, str, str]]:
        """(document, version, fingerprint) of everything held, for verify; damaged ones are left out."""
        ...

    def damage(self) -> str | None:
        """What is wrong with the store as a whole; None if it is sound."""
        ...

    def mend(self) -> None:
        """Make a store that is damaged as a whole usable again; what cannot be read is lost."""
        ...

    def expunge(self) -> None:
        """Have what was discarded leave the disk: no file of ours holds a byte of it. Idempotent."""
        ...


class IndexWriter(Protocol):
    """Writes every index store together; what it staged stays invisible until the commit."""

    def stage(
        self, tenant_id: str, owner: str, items: Sequence[tuple[StageContext, EmbeddingBatch]]
    ) -> list[IndexReceipt]:
        """One receipt an item, same order. Durable when it returns; a crash leaves nothing visible."""
        ...

    def lost(self, receipts: Sequence[IndexReceipt]) -> list[IndexReceipt]:
        """Receipts whose entries were cleaned meanwhile, so that they must not be committed."""
        ...

    def clean(self, superseded: Sequence[Commit]) -> None:
        """Remove what these former commits made visible from the stores. Idempotent."""
        ...

    def recover(self, is_alive: Callable[[str], bool]) -> int:
        """Clean what writers that died left; how many intents. Idempotent; visible documents stay."""
        ...


class Commit(Record):
    """The mark that makes one version of a document visible."""

    key: DocumentKey = Field(description="The document.")
    version: str = Field(description="Content hash.")
    fingerprint: str = Field(description="Everything that shaped the output.")
    pipeline: str = Field(description="Topology that produced it.")
    intent_id: str = Field(description="Intent whose entries are visible.")
    chunk_count: int = Field(ge=0, description="Chunks every store must hold.")
    namespace: str = Field(description="Model that made the vectors every vector store must hold.")

    @classmethod
    def of(cls, ctx: StageContext, receipt: IndexReceipt) -> Self:
        """What makes a staged document visible."""
        return cls(
            key=ctx.key,
            version=ctx.version,
            fingerprint=ctx.fingerprint,
            pipeline=ctx.pipeline_name,
            intent_id=receipt.intent_id,
            chunk_count=receipt.chunk_count,
            namespace=receipt.namespace,
        )


class Intent(Record):
    """A dual write that was begun: which documents, where it stands."""

    intent_id: str = Field(description="Unique; names rows and segments.")
    tenant_id: str = Field(description="Tenant.")
    owner: str = Field(description="Process identity of the writer, to tell a crashed one.")
    keys: tuple[DocumentKey, ...] = Field(description="Documents it writes.")


class CommitLog(Protocol):
    """Intents and commits, kept by the ledger; the only truth about what is visible."""

    def open_intent(self, tenant_id: str, owner: str, keys: Sequence[DocumentKey]) -> Intent: ...

    def commit(self, new: Sequence[Commit]) -> list[Commit]:
        """Make documents visible in one transaction; returns the commits that these superseded."""
        ...

    def relabel(self, changes: Sequence[tuple[Commit, Commit]]) -> list[Commit]:
        """Put the second of each pair in the place of the first, which has another fingerprint and namespace.

        Only where the first is still the document's commit. One transaction, in which nothing becomes visible
        or invisible; returns those that took effect. A document made anew under the new fingerprint counts
        as unchanged from then on.
        """
        ...

    def namespaces(self, tenant_id: str) -> dict[str, int]:
        """Visible documents with chunks by the model of their vectors."""
        ...

    def tenants(self) -> list[str]:
        """Tenants that have visible documents, by name."""
        ...

    def committed(self, tenant_id: str) -> Iterable[Commit]:
        """Every visible document of a tenant."""
        ...

    def find(self, key: DocumentKey) -> Commit | None: ...

    def changes(self, tenant_id: str, after: int) -> tuple[int, list[tuple[DocumentKey, str | None]]]:
        """What became visible (intent id) or invisible (None) after a sequence number, with the newest
        number; lets readers keep a cache. One entry a document, oldest first; after 0: everything. An
        entry of EVERYTHING: what was known before is to be forgotten and read anew, after 0."""
        ...

    def intents(self, tenant_id: str | None = None) -> list[Intent]:
        """Intents not yet closed, oldest first."""
        ...

    def begin_cleaning(self, intent_ids: Sequence[str]) -> None:
        """From now on no document can be committed under these intents (LeaseLostError), so that their
        invisible entries can be removed; what is visible stays."""
        ...

    def close_intents(self, intent_ids: Sequence[str]) -> None:
        """Forget intents whose leftovers have been cleaned. An intent with visible documents stays."""
        ...
