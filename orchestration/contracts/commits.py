"""Commits and intents: the part of the ledger that alone decides what is visible.

Comes in: what a dual write is about to write, then its receipts. Leaves: commits, which readers compare with
what they found. A writer opens an intent, stages its entries in the stores and commits: the commit names the
intent, and the document is visible.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from typing import Protocol, Self

from pydantic import Field

from orchestration.records import DocumentKey, GraphWriteReceipt, IndexReceipt, Record, StageContext

EVERYTHING = "*"
"""In the place of source and doc_id: stands for all documents of the tenant."""


class Commit(Record):
    """The mark that makes one version of a document visible."""

    key: DocumentKey = Field(description="The document.")
    version: str = Field(description="Content hash.")
    fingerprint: str = Field(
        description="Everything that shaped its chunks and vectors; its parsed document is kept under it."
    )
    pipeline: str = Field(description="Topology that produced it.")
    intent_id: str = Field(description="Intent whose entries are visible.")
    chunk_count: int = Field(ge=0, description="Chunks every store must hold.")
    namespace: str = Field(description="Model that made the vectors every vector store must hold.")
    revision: str | None = Field(default=None, description="Of its record; an older one never replaces it.")
    graph_intent_id: str | None = Field(
        default=None, description="Intent whose mentions and claims are visible; None: none were made."
    )
    entity_count: int = Field(default=0, ge=0, description="Mentions that the graph must hold.")
    claim_count: int = Field(default=0, ge=0, description="Claims that the graph must hold.")
    parse_fingerprint: str | None = Field(
        default=None, description="Everything that shaped the parsed document; None: not known."
    )
    graph_fingerprint: str | None = Field(
        default=None,
        description="Everything that shaped its mentions and claims; None: not known, or none were made.",
    )

    @property
    def intent_ids(self) -> tuple[str, ...]:
        """The intents whose entries it makes visible."""
        return (self.intent_id, *((self.graph_intent_id,) if self.graph_intent_id else ()))

    @classmethod
    def of(cls, ctx: StageContext, receipt: IndexReceipt, graph: GraphWriteReceipt | None = None) -> Self:
        """The commit that makes a staged document visible, with its part of the graph if it has one."""
        return cls(
            key=ctx.key,
            version=ctx.version,
            fingerprint=ctx.fingerprint,
            pipeline=ctx.pipeline_name,
            intent_id=receipt.intent_id,
            chunk_count=receipt.chunk_count,
            namespace=receipt.namespace,
            revision=ctx.revision,
            graph_intent_id=graph.intent_id if graph else None,
            entity_count=graph.entity_count if graph else 0,
            claim_count=graph.claim_count if graph else 0,
            parse_fingerprint=ctx.fingerprints.parse or None,
            graph_fingerprint=ctx.fingerprints.graph if graph else None,
        )


class Intent(Record):
    """A dual write that was started, and its documents."""

    intent_id: str = Field(description="Unique; names rows and segments.")
    tenant_id: str = Field(description="Tenant.")
    owner: str = Field(description="Process identity of the writer, to recognise a dead one.")
    keys: tuple[DocumentKey, ...] = Field(description="Documents it writes.")
    created_at: float = Field(default=0, ge=0, description="When it was opened, seconds since the epoch.")


class IntentCount(Record):
    """Visible documents with chunks that one intent wrote, under one model."""

    intent_id: str = Field(description="The intent.")
    namespace: str = Field(description="Model of their vectors.")
    documents: int = Field(gt=0, description="Their number.")
    chunks: int = Field(gt=0, description="Chunks of them, and vectors of the model.")


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
        """Replace the first commit of each pair by the second, of the same document, version and pipeline.

        Only where the first is still the commit of the document; returns the commits that took effect. The
        document stays visible: under the same entries, or under those of another intent, which are to be
        whole. From then on it counts as produced under the new fingerprint.
        """
        ...

    def namespaces(self, tenant_id: str) -> dict[str, int]:
        """Return the number of visible documents with chunks, by the model of their vectors."""
        ...

    def counts_by_intent(self, tenant_id: str) -> list[IntentCount]:
        """Return the counts of visible documents with chunks, one per intent and model; unordered."""
        ...

    def sources(self, tenant_id: str) -> list[str]:
        """Return the sources of the tenant's visible documents, sorted by name."""
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

    def find_all(self, keys: Sequence[DocumentKey]) -> list[Commit]:
        """Return the commits of those of the documents that are visible, as of one moment; unordered."""
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

    def recorded(self, intent_ids: Collection[str]) -> set[str]:
        """Return those of the intents that the log knows: open, visible or cleaned.

        A store's entries under any other intent were written after this log's state, or before it was lost.
        """
        ...

    def begin_cleaning(self, intent_ids: Sequence[str]) -> None:
        """Refuse commits under these intents from now on (LeaseLostError), so that their invisible entries
        can be removed; visible documents stay."""
        ...

    def close_intents(self, intent_ids: Sequence[str]) -> None:
        """Remove intents whose entries were cleaned. An intent with visible documents stays."""
        ...
