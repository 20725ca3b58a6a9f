"""What the rooms promise each other: stages, sources, parsers, the plane, the stores and the ledger.

Rooms never import one another; they are written against these protocols and put together by
`assembly`. Comes in and leaves: only what `records` describes. tests/conformance holds one suite a
protocol that every implementation, ours or a plugin's, runs through.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, BinaryIO, Generic, Protocol, TypeAlias, TypeVar, runtime_checkable

import numpy as np
import numpy.typing as npt
from pydantic import Field

from orchestration.errors import MedkgError, StageContractError, StageFailedError
from orchestration.records import (
    AdapterRequest,
    Chunk,
    Claim,
    Document,
    DocumentKey,
    EmbeddingBatch,
    Entity,
    Float32Matrix,
    GraphWriteReceipt,
    IndexReceipt,
    Locator,
    RawPayload,
    Record,
    SourceItem,
    SparseMatrix,
    StageContext,
)

T = TypeVar("T")
In = TypeVar("In")
Out = TypeVar("Out")
In_contra = TypeVar("In_contra", contravariant=True)
Out_co = TypeVar("Out_co", covariant=True)

Outcome: TypeAlias = T | MedkgError
"""The result for one item of a batch: a value, or the error that this item alone met."""


# --- stages ----------------------------------------------------------------------------------------


@runtime_checkable
class IngestStage(Protocol):
    """Fetches the bytes of one document from its source."""

    def execute(self, ctx: StageContext, request: AdapterRequest) -> list[RawPayload]: ...


@runtime_checkable
class DownloadStage(Protocol):
    """Replaces or completes payloads, e.g. a record by the PDF that it links to."""

    def execute(self, ctx: StageContext, payloads: list[RawPayload]) -> list[RawPayload]: ...


@runtime_checkable
class ParseStage(Protocol):
    """Turns bytes into a document with structure and exact offsets."""

    def execute(self, ctx: StageContext, payloads: list[RawPayload]) -> Document: ...


@runtime_checkable
class ValidateStage(Protocol):
    """Checks or completes a document; returns it or raises what is wrong with it."""

    def execute(self, ctx: StageContext, document: Document) -> Document: ...


@runtime_checkable
class ChunkStage(Protocol):
    """Cuts a document into chunks whose bodies are exact slices of its text."""

    def execute(self, ctx: StageContext, document: Document) -> list[Chunk]: ...


@runtime_checkable
class EmbedStage(Protocol):
    """Computes the vectors of a document's chunks."""

    def execute(self, ctx: StageContext, chunks: list[Chunk]) -> EmbeddingBatch: ...


@runtime_checkable
class IndexStage(Protocol):
    """Stages a document's chunks and vectors in the stores; idempotent; visible only after commit."""

    def execute(self, ctx: StageContext, batch: EmbeddingBatch) -> IndexReceipt: ...


@runtime_checkable
class ExtractStage(Protocol):
    """Finds entities and claims, each anchored to spans of the document."""

    def execute(self, ctx: StageContext, document: Document) -> tuple[list[Entity], list[Claim]]: ...


@runtime_checkable
class KGStage(Protocol):
    """Stages entities and claims for the graph; idempotent; visible only after commit."""

    def execute(
        self, ctx: StageContext, entities: list[Entity], claims: list[Claim]
    ) -> GraphWriteReceipt: ...


class BatchStage(Protocol[In_contra, Out_co]):
    """The form in which the runner calls every stage."""

    def execute_batch(self, items: Sequence[tuple[StageContext, In_contra]]) -> Sequence[Outcome[Out_co]]:
        """One outcome an item, same order; raises only when nothing was tried."""
        ...


class Isolation(StrEnum):
    """Where a stage runs, and so how its time-out is enforced.

    A stage class sets `isolation`; without it, PROCESS, since unknown code may hang.
    """

    PROCESS = "process"
    """In a worker process that is killed when the time-out passes: parsers, plugin code."""
    PLANE = "plane"
    """It waits for the actor plane, which enforces the time-out for each micro-batch."""
    INLINE = "inline"
    """In a thread of the window worker: short I/O of our own on local files and databases."""


@dataclass(frozen=True, slots=True)
class LiftedStage(Generic[In, Out]):
    """A one-document stage in batch form: each item's error stays with that item."""

    execute: Callable[[StageContext, In], Out]

    def execute_batch(self, items: Sequence[tuple[StageContext, In]]) -> Sequence[Outcome[Out]]:
        return [self._one(ctx, value) for ctx, value in items]

    def _one(self, ctx: StageContext, value: In) -> Outcome[Out]:
        try:
            return self.execute(ctx, value)
        except MedkgError as error:
            return error
        except Exception as error:  # noqa: BLE001 - a plugin may raise anything; the document keeps it
            return StageFailedError(
                f"{ctx.doc_id}: the stage raised {type(error).__name__}: {error}. "
                "Fix the stage or the record, then `medkg dlq replay`."
            )


def lift(stage: Any) -> BatchStage[Any, Any]:
    """Give a stage its batch form: its own `execute_batch` if it has one, else item by item."""
    if callable(getattr(stage, "execute_batch", None)):
        return stage  # type: ignore[no-any-return]
    if callable(getattr(stage, "execute", None)):
        return LiftedStage(stage.execute)
    raise StageContractError(
        f"{type(stage).__name__} has neither execute nor execute_batch; "
        "implement one of the stage protocols of orchestration.contracts."
    )


# --- sources and parsers ---------------------------------------------------------------------------


class SourceRequest(Record):
    """What a user asked a source for."""

    source: str = Field(description="Name of the source plugin, e.g. files.")
    paths: tuple[str, ...] = Field(default=(), description="Files and folders, for sources that read them.")
    query: str | None = Field(default=None, description="Query, for sources that search.")
    limit: int | None = Field(default=None, ge=1, description="At most so many documents.")


class Source(Protocol):
    """Where documents come from. Plugins: entry point group `medkg.sources`."""

    name: str

    def enumerate(self, request: SourceRequest) -> Iterator[SourceItem]:
        """Every document the request means, in a stable order; a broken one as an item with an error.

        Streams: memory does not grow with the number of documents. Raises UsageError when the request
        itself is wrong (no such path, a query to a source that takes none).
        """
        ...

    def fetch(self, requests: Sequence[AdapterRequest]) -> Sequence[Outcome[RawPayload]]:
        """The bytes of enumerated documents, one outcome a request, same order."""
        ...


@dataclass(frozen=True, slots=True)
class RecordLocation:
    """One record inside a file: its id, its bytes, its content hash, or the error that it is."""

    doc_id: str | None
    start: int
    length: int
    version: str | None = None
    error: MedkgError | None = None


class Parser(Protocol):
    """One format: recognises it, finds records in a file, turns a record into a Document.

    Plugins: entry point group `medkg.parsers`. Stateless; `parse` runs in worker processes.
    """

    format: str
    """Registered name, e.g. ctgov-v2."""
    version: str
    """Changes whenever the output for the same bytes changes; part of the fingerprint."""
    source: str
    """Where records of this format come from: clinicaltrials, pmc, pubmed, files."""

    def recognises(self, head: bytes, name: str) -> int:
        """How surely the content is of this format: 0 not at all, 100 certain.

        `head` is up to 64 KiB from the file's start, `name` its file name (a hint, never proof).
        """
        ...

    def records(self, stream: BinaryIO, uri: str, max_record_bytes: int) -> Iterator[RecordLocation]:
        """Every record of a file in order; a broken one as a location with its error. Streams.

        A record larger than `max_record_bytes` is a location with DocumentTooLargeError, and is never
        held in memory whole.
        """
        ...

    def parse(self, payload: RawPayload, tenant_id: str) -> Document:
        """The document; raises MalformedDocumentError, EmptyDocumentError, UnsafeXmlError ..."""
        ...


# --- the plane -------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class DenseVectors:
    """Rows in input order: float32 [n, d]; a failed row is zeros and named in `errors`."""

    dense: Float32Matrix
    errors: Mapping[int, MedkgError] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class PlaneUse:
    """What a call cost the plane: CPU seconds by component, tokens, seconds in the model."""

    cpu_seconds: Mapping[str, float]
    tokens: int
    model_seconds: float


class Plane(Protocol):
    """The actor pools that hold the models. Thread-safe; raises UnavailableError when it is away."""

    @property
    def profile(self) -> str: ...

    @property
    def model_ids(self) -> Mapping[str, str]: ...

    def chunk(
        self, documents: Sequence[Document], profiles: Sequence[str], timeout_seconds: float
    ) -> Sequence[Outcome[list[Chunk]]]:
        """Chunks of each document under its chunk profile; time-out for each micro-batch."""
        ...

    def embed(self, texts: Sequence[str], timeout_seconds: float) -> DenseVectors:
        """Unit vectors of the texts; nothing is truncated: a too-long text is an error of its row."""
        ...

    def use(self) -> PlaneUse:
        """Totals of this client since it attached."""
        ...


# --- stores ----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Filters:
    """What hits must match; None means any."""

    source: str | None = None
    section: str | None = None


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
"""Whether a reader may see a chunk; made from the commit table."""


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
        sparse: SparseMatrix | None,
    ) -> None:
        """Durable when it returns; idempotent for the same intent and chunks; not yet visible."""
        ...

    def bm25(
        self, tenant_id: str, query: str, limit: int, filters: Filters, visible: Visible
    ) -> list[Candidate]: ...

    def chunks(self, tenant_id: str, refs: Sequence[ChunkRef]) -> list[Chunk | None]:
        """Stored chunks in the order of refs; None where the store lost one."""
        ...

    def document_chunks(self, key: DocumentKey, intent_id: str) -> list[Chunk]:
        """All chunks of a document in order."""
        ...

    def discard(self, tenant_id: str, intent_id: str, keys: Sequence[DocumentKey] | None) -> None:
        """Forget what an intent wrote (for some documents, or all). Idempotent."""
        ...

    def holdings(self, tenant_id: str) -> Iterator[Holding]:
        """Everything held, for verify."""
        ...


class VectorStore(Protocol):
    """Dense vectors in immutable, checksummed segments, one namespace for each model."""

    def write(
        self,
        tenant_id: str,
        namespace: str,
        intent_id: str,
        rows: Sequence[tuple[DocumentKey, str]],
        dense: Float32Matrix,
    ) -> None:
        """One segment for the intent, rows being (document, chunk_id). Durable; idempotent."""
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

    def discard(self, tenant_id: str, intent_id: str) -> None:
        """Remove an intent's segments. Idempotent."""
        ...

    def holdings(self, tenant_id: str) -> Iterator[Holding]:
        """Everything held, for verify; a damaged segment raises StoreCorruptError naming it."""
        ...


class DocumentStore(Protocol):
    """Parsed documents, so that citations can be shown in context."""

    def put(self, documents: Sequence[tuple[StageContext, Document]]) -> None:
        """Keyed by document, version and fingerprint. Durable when it returns; idempotent."""
        ...

    def get(self, key: DocumentKey, version: str, fingerprint: str) -> Document | None: ...

    def discard(self, key: DocumentKey, keep: tuple[str, str] | None) -> None:
        """Forget a document, or all but one (version, fingerprint) of it. Idempotent."""
        ...


class IndexWriter(Protocol):
    """Writes every index store together; what it staged stays invisible until the commit."""

    def stage(
        self, tenant_id: str, owner: str, items: Sequence[tuple[StageContext, EmbeddingBatch]]
    ) -> list[IndexReceipt]:
        """One receipt an item, same order. Durable when it returns; a crash leaves nothing visible."""
        ...


# --- commits ---------------------------------------------------------------------------------------


class Commit(Record):
    """The mark that makes one version of a document visible."""

    key: DocumentKey = Field(description="The document.")
    version: str = Field(description="Content hash.")
    fingerprint: str = Field(description="Everything that shaped the output.")
    pipeline: str = Field(description="Topology that produced it.")
    intent_id: str = Field(description="Intent whose entries are visible.")
    chunk_count: int = Field(ge=0, description="Chunks every store must hold.")


class Intent(Record):
    """A dual write that was begun: which documents, where it stands."""

    intent_id: str = Field(description="Unique; names rows and segments.")
    tenant_id: str = Field(description="Tenant.")
    owner: str = Field(description="Process identity of the writer, to tell a crashed one.")
    keys: tuple[DocumentKey, ...] = Field(description="Documents it writes.")


class CommitLog(Protocol):
    """Intents and commits, kept by the ledger; the only truth about what is visible."""

    def open_intent(self, tenant_id: str, owner: str, keys: Sequence[DocumentKey]) -> Intent: ...

    def commit(self, commits: Sequence[Commit]) -> list[Commit]:
        """Make documents visible in one transaction; returns the commits that these superseded."""
        ...

    def withdraw(self, keys: Sequence[DocumentKey]) -> list[Commit]:
        """Make documents invisible (delete) in one transaction; returns their former commits."""
        ...

    def committed(self, tenant_id: str) -> Iterable[Commit]:
        """Every visible document of a tenant."""
        ...

    def find(self, key: DocumentKey) -> Commit | None: ...

    def changes(self, tenant_id: str, after: int) -> tuple[int, list[tuple[DocumentKey, str | None]]]:
        """What became visible (intent id) or invisible (None) after a sequence number, with the newest
        number; lets readers keep a cache."""
        ...

    def intents(self, tenant_id: str | None = None) -> list[Intent]:
        """Intents not yet closed, oldest first."""
        ...

    def close_intents(self, intent_ids: Sequence[str]) -> None:
        """Forget intents whose leftovers have been cleaned. An intent with visible documents stays."""
        ...


# --- the ledger, as the runner and the windows see it ------------------------------------------------


class WindowDocument(Record):
    """One leased document of a window."""

    ctx: StageContext = Field(description="Context of the document in this job.")
    source_plugin: str = Field(description="Source plugin that fetches it.")
    locator: Locator = Field(description="Where its bytes are.")


class Window(Record):
    """The documents of one Dagster run."""

    window_id: str = Field(description="Also the owner of the leases.")
    job_id: str = Field(description="Submission the documents came in with.")
    pipeline_name: str = Field(description="Topology.")
    pipeline_version: str = Field(description="Version of that topology.")
    documents: tuple[WindowDocument, ...] = Field(description="Leased documents.")


class Failure(Record):
    """A document that a stage gave up on; becomes a dead letter."""

    ctx: StageContext = Field(description="The document.")
    stage: str = Field(description="Stage that failed.")
    code: str = Field(description="Error code.")
    message: str = Field(description="What went wrong and what to do.")
    attempts: int = Field(ge=0, description="Attempts made, the first included.")


class StageReport(Record):
    """What one stage did for one window."""

    job_id: str = Field(description="Submission.")
    window_id: str = Field(description="Window.")
    stage: str = Field(description="Stage name.")
    documents_in: int = Field(ge=0, description="Documents handed to the stage.")
    documents_out: int = Field(ge=0, description="Documents it passed on.")
    failed: int = Field(ge=0, description="Documents it dead-lettered.")
    retried: int = Field(ge=0, description="Repeated item attempts.")
    items_out: int = Field(ge=0, description="Chunks, vectors or documents it produced.")
    seconds: float = Field(ge=0, description="Wall seconds.")
    cpu_seconds: float = Field(ge=0, description="CPU seconds of the worker, its children and the plane.")


class WindowLedger(Protocol):
    """What a window run needs of the ledger. Every call is one transaction."""

    def window(self, window_id: str, owner: str) -> Window:
        """Lease the window's unfinished documents to `owner` (a process identity) and return them.

        Documents that finished, or that another live owner holds, are left out.
        """
        ...

    def renew(self, window_id: str, owner: str) -> None:
        """Push the lease's end; raises LeaseLostError if another owner took it."""
        ...

    def fetched(self, contexts: Sequence[StageContext]) -> list[StageContext]:
        """Record versions set by ingest; returns the contexts that still need work (the others are
        unchanged since their commit and become skipped)."""
        ...

    def advance(
        self,
        window_id: str,
        stage: str,
        survivors: Sequence[StageContext],
        failures: Sequence[Failure],
        retries: Mapping[str, int],
    ) -> None:
        """Record a stage's outcome for a batch: current_stage, dead letters, retries by doc_id."""
        ...

    def finish(self, window_id: str, commits: Sequence[Commit]) -> list[Commit]:
        """Commit the window's documents: visibility and status in one transaction; returns what they
        superseded. Raises LeaseLostError for documents that this window no longer holds."""
        ...

    def release(self, window_id: str, reason: str) -> int:
        """Hand unfinished documents back to queued; returns how many."""
        ...

    def report(self, report: StageReport) -> None: ...
