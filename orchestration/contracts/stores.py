"""Stores of chunks, vectors and documents, and the commit log, which alone decides what is visible."""

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
"""Source and doc_id of an entry that is about all documents of a tenant."""


Visible = Callable[[ChunkRef], bool]
"""Returns whether a reader may see a chunk; made from the commits."""


@dataclass(frozen=True, slots=True)
class VectorRow:
    """The chunk that a vector belongs to."""

    key: DocumentKey
    chunk_id: str
    facets: Facets


@dataclass(frozen=True, slots=True)
class SparseVectors:
    """Term weights of one model; rows of two models are never compared."""

    model_id: str
    rows: SparseMatrix


@dataclass(frozen=True, slots=True)
class Holding:
    """Number of chunks that a store holds of one document under one intent."""

    key: DocumentKey
    intent_id: str
    chunk_count: int


class SearchStore(Protocol):
    """Chunks with their text, found by words (BM25) and, where vectors exist, by sparse terms.

    Guarantees. Durable: what was written or discarded survives a crash once the call returns. Idempotent:
    every call may be repeated. Isolated: what an intent wrote is found only by readers whose `visible`
    admits it. Hits are ordered by score, best first. Errors: StoreUnwritableError, StoreCorruptError,
    DagsterResourceUnavailableError for a server that does not answer. Thread-safe.
    """

    def write(
        self,
        tenant_id: str,
        intent_id: str,
        chunks: Sequence[tuple[DocumentKey, Chunk]],
        sparse: SparseVectors | None,
    ) -> None:
        """Durable when it returns; idempotent for the same intent and chunks; not yet visible.

        `sparse` has one row per chunk, in order.
        """
        ...

    def bm25(
        self, tenant_id: str, query: str, limit: int, filters: Filters, visible: Visible
    ) -> list[Candidate]:
        """Return the best visible chunks for the words of a query."""
        ...

    def sparse(
        self, tenant_id: str, query: SparseVectors, limit: int, filters: Filters, visible: Visible
    ) -> list[Candidate]:
        """Return the best visible chunks by inner product with the row of `query`; exact up to fp16."""
        ...

    def chunks(self, tenant_id: str, refs: Sequence[ChunkRef]) -> list[Chunk | None]:
        """Return chunks in the order of `refs`; None where the store lost one."""
        ...

    def document_chunks(self, key: DocumentKey, intent_id: str) -> list[Chunk]:
        """Return all chunks of a document in order."""
        ...

    def sparse_vectors(self, tenant_id: str, intent_id: str) -> tuple[list[ChunkRef], SparseVectors] | None:
        """Return the term weights of the chunks of an intent: row i is that of ref i, terms ascending.

        None for an intent without any. Weights are as the store keeps them (it may round them): writing them
        again changes nothing. A weight of 0 is no term; the vocabulary ends with the largest term.
        """
        ...

    def discard(self, tenant_id: str, intent_id: str, keys: Sequence[DocumentKey] | None) -> None:
        """Remove what an intent wrote, for some documents or all. Idempotent."""
        ...

    def holdings(self, tenant_id: str, intent_id: str | None = None) -> Iterator[Holding]:
        """Iterate over everything in the store, or over what one intent wrote."""
        ...

    def damage(self, tenant_id: str) -> str | None:
        """Return what is wrong with the index of the tenant as a whole; None if it is sound."""
        ...

    def mend(self, tenant_id: str) -> None:
        """Make a damaged index usable again; chunks that cannot be read are lost."""
        ...

    def expunge(self, tenant_id: str) -> None:
        """Remove discarded entries from the disk: afterwards no file of the store holds a byte of them.

        Rewrites files, so it takes as long as reading and writing everything of the tenant. Idempotent.
        """
        ...


class VectorStore(Protocol):
    """Dense vectors in immutable, checksummed segments, one namespace per model.

    Guarantees. Durable: a segment survives a crash once `write` returns. Idempotent: every call may be
    repeated. Isolated: vectors of two models are never compared, and segments of invisible intents are not
    found. Hits are ordered by inner product, best first. Errors: StoreCorruptError for a damaged segment,
    StoreUnwritableError, DagsterResourceUnavailableError. Thread-safe; any number of processes may write.
    """

    def write(
        self,
        tenant_id: str,
        namespace: str,
        intent_id: str,
        rows: Sequence[VectorRow],
        dense: Float32Matrix,
    ) -> None:
        """Write the segment of the intent, replacing a previous one; `dense` is float32 [n, d]."""
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
        """Return the best chunks by inner product over the segments of visible intents; `query` is [d]."""
        ...

    def vectors(self, tenant_id: str, namespace: str, intent_id: str) -> tuple[list[ChunkRef], Float32Matrix]:
        """Return the vectors of an intent: row i is that of ref i, bit by bit as written; possibly no rows.

        Raises StoreCorruptError naming what is damaged.
        """
        ...

    def discard(self, tenant_id: str, intent_id: str, keys: Sequence[DocumentKey] | None = None) -> None:
        """Remove what an intent wrote, for some documents or all, under every model. Idempotent."""
        ...

    def discard_other_models(self, tenant_id: str, kept: Collection[str]) -> None:
        """Remove the vectors of all models but these. Idempotent."""
        ...

    def holdings(
        self, tenant_id: str, intent_id: str | None = None, namespace: str | None = None
    ) -> Iterator[Holding]:
        """Iterate over the holdings of all intents or one, under all models or one, without damaged segments.

        Without a namespace, an intent with vectors of several models has one holding per model.
        """
        ...

    def damaged(self, tenant_id: str, namespace: str | None = None) -> dict[str, str]:
        """Return intents with a damaged segment (of any model, or one), and what is wrong with it."""
        ...

    def compaction_due(self, tenant_id: str) -> bool:
        """Return whether `compact` has work. Cheap: reads no vectors."""
        ...

    def compact(self, tenant_id: str) -> int:
        """Build the indexes that need it, of each model of the tenant; returns the number built.

        May take minutes; searches and writes continue meanwhile. Idempotent.
        """
        ...

    def expunge(self, tenant_id: str) -> None:
        """Remove discarded entries from the disk: afterwards no file of the store holds a byte of them.

        Rewrites files, so it takes as long as reading and writing everything of the tenant. Idempotent.
        """
        ...


class DocumentStore(Protocol):
    """Parsed documents, so that citations can be shown in context.

    Guarantees. Keyed by document, version and fingerprint. Durable when a call returns; idempotent. Errors:
    StoreUnwritableError, StoreCorruptError, DagsterResourceUnavailableError. Thread-safe.
    """

    def put(self, documents: Sequence[tuple[StageContext, Document]]) -> None:
        """Write documents, replacing those of the same document, version and fingerprint."""
        ...

    def get(self, key: DocumentKey, version: str, fingerprint: str) -> Document | None:
        """Return the document; None if the store has none under this version and fingerprint."""
        ...

    def titles(self, documents: Sequence[tuple[DocumentKey, str]]) -> list[str | None]:
        """Return the titles of (document, version) pairs, in the same order; None where it has none."""
        ...

    def copy(self, documents: Sequence[tuple[DocumentKey, str, str, str]]) -> None:
        """Store each (document, version, fingerprint) under the fourth value, another fingerprint, as well.

        Documents that the store does not have are left out.
        """
        ...

    def discard(self, key: DocumentKey, keep: tuple[str, str] | None) -> None:
        """Remove a document, or all of it but one (version, fingerprint). Idempotent."""
        ...

    def forget(self, documents: Sequence[tuple[DocumentKey, str, str]]) -> None:
        """Remove (document, version, fingerprint) triples. Idempotent."""
        ...

    def held(self, tenant_id: str) -> Iterator[tuple[DocumentKey, str, str]]:
        """Iterate over (document, version, fingerprint) of everything stored, without damaged documents."""
        ...

    def damage(self) -> str | None:
        """Return what is wrong with the store as a whole; None if it is sound."""
        ...

    def mend(self) -> None:
        """Make a damaged store usable again; what cannot be read is lost."""
        ...

    def expunge(self) -> None:
        """Remove discarded documents from the disk: no file of the store holds a byte of them. Idempotent."""
        ...


class IndexWriter(Protocol):
    """Writes all index stores together; staged entries stay invisible until the commit.

    Guarantees. Atomic to readers: a document is seen whole in its old or its new version, in all stores.
    Durable: staged entries survive a crash; those of a writer that died are removed by `recover`. Idempotent:
    ids are deterministic, so staging again replaces. Errors: what the stores and the commit log raise.
    """

    def stage(
        self, tenant_id: str, owner: str, items: Sequence[tuple[StageContext, EmbeddingBatch]]
    ) -> list[IndexReceipt]:
        """Write the items under a new intent; returns one receipt per item, in the same order."""
        ...

    def lost(self, receipts: Sequence[IndexReceipt]) -> list[IndexReceipt]:
        """Return the receipts whose entries were cleaned meanwhile, which must not be committed."""
        ...

    def clean(self, superseded: Sequence[Commit]) -> None:
        """Remove the entries of previous commits from the stores. Idempotent."""
        ...

    def recover(self, is_alive: Callable[[str], bool]) -> int:
        """Remove entries of writers that died; returns the number of intents. Visible documents stay."""
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
        """Return the commit of a staged document."""
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
    """A started dual write and its documents."""

    intent_id: str = Field(description="Unique; names rows and segments.")
    tenant_id: str = Field(description="Tenant.")
    owner: str = Field(description="Process identity of the writer, by which a dead writer is found.")
    keys: tuple[DocumentKey, ...] = Field(description="Documents it writes.")


class CommitLog(Protocol):
    """Intents and commits: a part of the ledger, which alone decides what is visible.

    Guarantees. Every call is one transaction, durable when it returns. Changes are numbered in the order in
    which they became visible, without gaps that fill later; a reader that asks for later numbers misses
    none. Idempotent, except `open_intent`. Errors: LeaseLostError for a commit under a cleaned intent.
    """

    def open_intent(self, tenant_id: str, owner: str, keys: Sequence[DocumentKey]) -> Intent:
        """Record that `owner` starts to write these documents."""
        ...

    def commit(self, new: Sequence[Commit]) -> list[Commit]:
        """Make documents visible in one transaction; returns the commits that these superseded."""
        ...

    def relabel(self, changes: Sequence[tuple[Commit, Commit]]) -> list[Commit]:
        """Replace the first commit of each pair by the second, which has another fingerprint and namespace.

        Only where the first is still the commit of the document; returns the commits that took effect.
        Nothing becomes visible or invisible. From then on the document counts as produced under the new
        fingerprint.
        """
        ...

    def namespaces(self, tenant_id: str) -> dict[str, int]:
        """Return the number of visible documents with chunks, by the model of their vectors."""
        ...

    def tenants(self) -> list[str]:
        """Return the tenants that have visible documents, sorted by name."""
        ...

    def committed(self, tenant_id: str) -> Iterable[Commit]:
        """Iterate over the commits of a tenant, as of one moment."""
        ...

    def find(self, key: DocumentKey) -> Commit | None:
        """Return the commit of a document; None if it is not visible."""
        ...

    def changes(self, tenant_id: str, after: int) -> tuple[int, list[tuple[DocumentKey, str | None]]]:
        """Return the newest sequence number, and what changed after number `after`, oldest first.

        One entry per document: the intent id under which it became visible, or None if it became invisible.
        `after` 0 returns everything. An entry of EVERYTHING invalidates a cache: read again from 0.
        """
        ...

    def intents(self, tenant_id: str | None = None) -> list[Intent]:
        """Return the open intents, oldest first."""
        ...

    def begin_cleaning(self, intent_ids: Sequence[str]) -> None:
        """Refuse commits under these intents from now on (LeaseLostError), so that their invisible entries
        can be removed; visible documents stay."""
        ...

    def close_intents(self, intent_ids: Sequence[str]) -> None:
        """Remove intents whose entries were cleaned. An intent with visible documents stays."""
        ...
