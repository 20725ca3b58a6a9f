"""Stores of chunks, vectors and documents, and the dual write over them.

Comes in: records. Leaves: protocols that every store implements, each with its conformance suite in
medkg.testing. A store keeps entries per intent; a reader shows an entry only if the commit log (`commits`)
names its intent for the document.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

import numpy as np
import numpy.typing as npt

from orchestration.contracts.commits import Commit
from orchestration.contracts.filters import Facets, Filters
from orchestration.contracts.stages import Outcome
from orchestration.records import (
    Chunk,
    Document,
    DocumentKey,
    EmbeddingBatch,
    Float32Matrix,
    IndexReceipt,
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


Visible = Callable[[ChunkRef], bool]
"""Whether a reader may see a chunk, by the commit log."""


@dataclass(frozen=True, slots=True)
class VectorRow:
    """The chunk that a vector represents."""

    key: DocumentKey
    chunk_id: str
    facets: Facets


@dataclass(frozen=True, slots=True)
class SparseVectors:
    """Term weights of one model; rows of different models are never compared."""

    model_id: str
    rows: SparseMatrix


@dataclass(frozen=True, slots=True)
class Holding:
    """The number of chunks that a store holds of one document under one intent."""

    key: DocumentKey
    intent_id: str
    chunk_count: int


class SearchStore(Protocol):
    """Chunks with their text, searchable by words (BM25) and by sparse terms.

    Guarantees: a write is durable when it returns, and writing the same again changes nothing, so callers may
    repeat it after a crash. Nothing is visible by itself: searches return only chunks for which `visible` is
    true. Candidates come best first, those of equal score in no defined order. Tenants are separate: no call
    returns or removes entries of another one. Any number of processes may read and write at once. Every
    method may raise UnavailableError (repeat later) or StoreCorruptError (see `damage`). Thread-safe.
    """

    def write(
        self,
        tenant_id: str,
        intent_id: str,
        chunks: Sequence[tuple[DocumentKey, Chunk]],
        sparse: SparseVectors | None,
    ) -> None:
        """Write the chunks of an intent. Durable when it returns; idempotent; not yet visible.

        `sparse` has one row per chunk, in order. Raises DocumentsRefusedError for documents that the store
        cannot take; a write of the others under the same intent then replaces what was written.
        """
        ...

    def bm25(
        self, tenant_id: str, query: str, limit: int, filters: Filters, visible: Visible
    ) -> list[Candidate]:
        """The best `limit` visible chunks for the words of a query, by BM25.

        Any text is a query; words are those of `orchestration.formats.words` in every store.
        """
        ...

    def sparse(
        self, tenant_id: str, query: SparseVectors, limit: int, filters: Filters, visible: Visible
    ) -> list[Candidate]:
        """The best `limit` visible chunks by inner product with the query's row, above 0; exact to fp16."""
        ...

    def identified(
        self, tenant_id: str, identifiers: Sequence[str], limit: int, filters: Filters, visible: Visible
    ) -> list[ChunkRef]:
        """At most `limit` visible chunks of documents with one of these identifiers (`chunk_identifiers`).

        By identifier as given, each document's chunks in order.
        """
        ...

    def chunks(self, tenant_id: str, refs: Sequence[ChunkRef]) -> list[Chunk | None]:
        """Stored chunks in the order of refs; None where the store has none."""
        ...

    def document_chunks(self, key: DocumentKey, intent_id: str) -> list[Chunk]:
        """All chunks of a document in order."""
        ...

    def sparse_vectors(self, tenant_id: str, intent_id: str) -> tuple[list[ChunkRef], SparseVectors] | None:
        """Term weights of an intent's chunks, row i for ref i, terms ascending; None if there are none.

        Weights have the store's precision: writing them again changes nothing. Weights of 0 are left out; the
        vocabulary ends with the largest term.
        """
        ...

    def sparse_models(self, tenant_id: str) -> dict[str, str]:
        """Model of the term weights by intent; intents without any are left out. Reads no weights."""
        ...

    def discard(self, tenant_id: str, intent_id: str, keys: Sequence[DocumentKey] | None) -> None:
        """Remove what an intent wrote, for some documents or for all (None). Idempotent."""
        ...

    def holdings(self, tenant_id: str, intent_id: str | None = None) -> Iterator[Holding]:
        """Entries of all intents or of one; unordered."""
        ...

    def chunk_counts(self, tenant_id: str) -> dict[str, int]:
        """Chunks held, by intent. Cheap: reads no chunks, so it misses some damage."""
        ...

    def is_empty(self, tenant_id: str) -> bool:
        """Whether nothing of the tenant is held. Cheap."""
        ...

    def damage(self, tenant_id: str) -> str | None:
        """The defect of the tenant's index as a whole; None if it has none."""
        ...

    def repair(self, tenant_id: str) -> None:
        """Make an index with `damage` usable again; chunks that cannot be read are lost. Idempotent."""
        ...

    def repair_deletes(self, tenant_id: str) -> bool:
        """Whether `repair` would delete entries for good, instead of setting aside what it cannot read."""
        ...

    def expunge(self, tenant_id: str) -> None:
        """Remove discarded entries from the disk: afterwards no file of this store holds a byte of them.

        Rewrites files, so it takes as long as reading and writing all data of the tenant. Idempotent.
        """
        ...


class VectorStore(Protocol):
    """Dense vectors in immutable, checksummed segments, one namespace per model.

    Guarantees: a write is durable when it returns, and replaces what its intent wrote before under that
    model, so it may be repeated. Vectors are kept bit by bit, and those of two models are never compared.
    Searches return only chunks for which `visible` is true, best first; indexes that are
    built later may make them approximate, within the recall that docs/decisions states. Tenants are separate.
    Any number of processes may read and write at once. Every method may raise UnavailableError or
    StoreCorruptError. Thread-safe.
    """

    def write(
        self,
        tenant_id: str,
        namespace: str,
        intent_id: str,
        rows: Sequence[VectorRow],
        dense: Float32Matrix,
    ) -> None:
        """Write the intent's vectors, float32 [n, d], row i for rows[i]. Durable; idempotent.

        Raises DocumentsRefusedError as `SearchStore.write` does.
        """
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
        """The best `limit` visible chunks by inner product with the query, float32 [d]."""
        ...

    def vectors(self, tenant_id: str, namespace: str, intent_id: str) -> tuple[list[ChunkRef], Float32Matrix]:
        """Vectors of an intent, row i for ref i, bit by bit as written; no rows if it holds nothing.

        Raises StoreCorruptError naming the damaged file.
        """
        ...

    def discard(self, tenant_id: str, intent_id: str, keys: Sequence[DocumentKey] | None = None) -> None:
        """Remove what an intent wrote under every model, for some documents or all (None). Idempotent."""
        ...

    def discard_other_models(self, tenant_id: str, models: Collection[str]) -> None:
        """Remove the vectors of all models but these. Idempotent."""
        ...

    def holdings(
        self, tenant_id: str, intent_id: str | None = None, namespace: str | None = None
    ) -> Iterator[Holding]:
        """Entries of all intents or one, under all models or one; damaged segments are left out. Unordered.

        Without a namespace, an intent with vectors of several models has one holding per model.
        """
        ...

    def chunk_counts(self, tenant_id: str, namespace: str) -> dict[str, int]:
        """Vectors held under a model, by intent. Cheap: reads no vectors, so it misses some damage."""
        ...

    def models(self, tenant_id: str) -> list[str]:
        """Models whose vectors of the tenant are held, sorted; a very long name is left out."""
        ...

    def damaged(self, tenant_id: str, namespace: str | None = None) -> dict[str, str]:
        """Intents with a damaged segment (of any model, or one), with the defect."""
        ...

    def compaction_due(self, tenant_id: str) -> bool:
        """Whether `compact` would build an index. Cheap: reads no vectors."""
        ...

    def compact(self, tenant_id: str) -> int:
        """Build the indexes that are due, of each of the tenant's models; returns their number.

        May take minutes; searches and writes continue meanwhile. Idempotent.
        """
        ...

    def expunge(self, tenant_id: str) -> None:
        """Remove discarded entries from the disk: afterwards no file of this store holds a byte of them.

        Rewrites files, so it takes as long as reading and writing all data of the tenant. Idempotent.
        """
        ...


class Provenance(NamedTuple):
    """A parsed document in its store, and the topology that it was parsed for."""

    key: DocumentKey
    version: str
    fingerprint: str
    pipeline: str
    """Empty where the store does not know it."""
    pipeline_version: str
    revision: str | None
    """Of its record, where that states one."""


class DocumentStore(Protocol):
    """Parsed documents, so that citations can be shown in context.

    Guarantees: a write is durable when it returns, and writing the same again changes nothing. Documents are
    kept per (document, version, fingerprint), so a new version never replaces one that readers still see.
    Tenants are separate. Any number of processes may read and write at once. Every method may raise
    UnavailableError or StoreCorruptError. Thread-safe.
    """

    def put(self, documents: Sequence[tuple[StageContext, Document]]) -> None:
        """Write documents under document, version and fingerprint of their context. Durable; idempotent."""
        ...

    def get(self, key: DocumentKey, version: str, fingerprint: str) -> Document | None:
        """The document as it was written; None if the store has none. Raises StoreCorruptError."""
        ...

    def titles(self, documents: Sequence[tuple[DocumentKey, str]]) -> list[str | None]:
        """Titles of (document, version) pairs, in order; None where the store has none."""
        ...

    def copy(self, documents: Sequence[tuple[DocumentKey, str, str, str]]) -> None:
        """Also keep each (document, version, fingerprint) under another fingerprint, the fourth element.

        Durable when it returns; idempotent. Unknown ones are passed over.
        """
        ...

    def discard(self, key: DocumentKey, keep: tuple[str, str] | None) -> None:
        """Remove a document in all versions, or in all but one (version, fingerprint). Idempotent."""
        ...

    def forget(self, documents: Sequence[tuple[DocumentKey, str, str]]) -> None:
        """Remove (document, version, fingerprint) triples. Idempotent."""
        ...

    def held(self, tenant_id: str) -> Iterator[tuple[DocumentKey, str, str]]:
        """(document, version, fingerprint) of every document that is not damaged; unordered."""
        ...

    def provenance(self, tenant_id: str) -> Iterator[Provenance]:
        """What `held` lists, with the topology that each was parsed for; unordered."""
        ...

    def tenants(self) -> list[str]:
        """Tenants that have documents, sorted by name."""
        ...

    def damage(self) -> str | None:
        """The defect of the store as a whole; None if it has none."""
        ...

    def repair(self) -> None:
        """Make a store with `damage` usable again; documents that cannot be read are lost. Idempotent."""
        ...

    def expunge(self) -> None:
        """Remove discarded documents from the disk: no file of this store holds a byte of them."""
        ...


class IndexWriter(Protocol):
    """The dual write: one document's entries in every index store, or in none that a reader sees.

    Guarantees: what `stage` wrote is durable when it returns and invisible until its receipts are committed.
    A process that dies at any point leaves only invisible entries, which `recover` removes from every store.
    All methods are idempotent. Thread-safe.
    """

    def stage(
        self, tenant_id: str, owner: str, items: Sequence[tuple[StageContext, EmbeddingBatch]]
    ) -> list[Outcome[IndexReceipt]]:
        """Write the entries of documents; returns one receipt per item, in order, or why it is refused.

        A document that a store refuses has no entries in any; the others do. Durable when it returns; a
        crash leaves nothing visible. Raises StageContractError for items whose vectors are not of one model.
        """
        ...

    def lost(self, receipts: Sequence[IndexReceipt]) -> list[IndexReceipt]:
        """Receipts whose entries were removed meanwhile, so that they must not be committed."""
        ...

    def clean(self, superseded: Sequence[Commit]) -> None:
        """Remove the entries of superseded or withdrawn commits from all stores. Idempotent.

        Entries that the commit log names again are kept.
        """
        ...

    def recover(self, is_alive: Callable[[str], bool], before: float = 0.0) -> int:
        """Remove the entries of dead writers; returns the number of intents. Visible documents stay.

        So are those of writers that live on, of intents opened before that moment (seconds since the epoch).
        """
        ...
