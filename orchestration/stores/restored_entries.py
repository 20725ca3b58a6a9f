"""Search entries made again from parsed documents, and vectors from search entries.

Comes in: commits whose entries a store lost, and what cuts, embeds and parses. Leaves: the same documents
under new intents, written by the dual write and switched to in one transaction, so that an interrupted repair
has changed nothing. A document that a run commits meanwhile keeps the run's entries.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Final, TypeVar

import numpy as np

from orchestration.batching import batched
from orchestration.contracts import (
    Commit,
    CommitLog,
    DocumentStore,
    Extraction,
    IndexWriter,
    Outcome,
    SearchStore,
    SparseVectors,
    VectorRow,
    VectorStore,
    chunk_facets,
)
from orchestration.errors import MedkgError, StoreCorruptError
from orchestration.processes.child_process import own_identity
from orchestration.records import (
    Chunk,
    Document,
    DocumentKey,
    EmbeddingBatch,
    Float32Matrix,
    SparseMatrix,
    StageContext,
)

__all__ = ["DOCUMENTS_AT_ONCE", "ENCODED_AT_ONCE", "Means", "RestoredEntries", "context_of", "from_parsed"]

Made = TypeVar("Made")

ENCODED_AT_ONCE: Final = 64
"""Texts of one request to a model."""

DOCUMENTS_AT_ONCE: Final = 50
"""Documents of one intent."""

Encode = Callable[[Sequence[str]], tuple[Float32Matrix, str]]
"""Unit vectors of texts, float32 [n, d], and the model that made them."""


@dataclass(frozen=True, slots=True)
class Means:
    """What a repair computes with; each is called only when it is needed."""

    embed: Encode
    encode_sparse: Callable[[Sequence[str]], SparseVectors | None]
    """Term weights; None where there is no sparse model."""
    chunk: Callable[[str, Sequence[Document]], Sequence[Outcome[list[Chunk]]]]
    """Chunks of documents as a topology cuts them, one outcome per document."""
    fetch: Callable[[Sequence[Commit]], Sequence[Outcome[Document]]]
    """The committed documents from their sources, parsed, one outcome per commit."""
    extract: Callable[[str, Sequence[Document]], Sequence[Outcome[Extraction]]]
    """Mentions and claims of documents as a topology extracts them, one outcome per document."""
    is_current: Callable[[Commit], bool]
    """Whether a run would index the document as it was indexed: with the same parser, chunker and models."""
    extracted_as: Callable[[Commit], tuple[str | None, str | None]]
    """Fingerprints of its parsed document and of what `extract` finds in it; None: not known."""


class RestoredEntries:
    """Makes lost entries of one data folder again."""

    def __init__(
        self,
        log: CommitLog,
        stores: tuple[SearchStore, VectorStore, DocumentStore],
        index: IndexWriter,
        means: Means,
    ) -> None:
        self._log = log
        self._search, self._vectors, self._documents = stores
        self._index = index
        self._means = means

    # --- search -------------------------------------------------------------------------------------

    def search_entries(self, commits: Sequence[Commit]) -> dict[DocumentKey, str]:
        """Index documents again from their parsed text; returns those that could not be, with the reason."""
        reasons: dict[DocumentKey, str] = {}
        by_pipeline: dict[tuple[str, str], list[Commit]] = defaultdict(list)
        for commit in commits:
            by_pipeline[(commit.pipeline, commit.namespace)].append(commit)
        for (pipeline, _), of_pipeline in by_pipeline.items():
            for some in batched(of_pipeline, DOCUMENTS_AT_ONCE):
                reasons |= self._index_again(pipeline, some)
        return reasons

    def _index_again(self, pipeline: str, commits: Sequence[Commit]) -> dict[DocumentKey, str]:
        cut, reasons = from_parsed(self._documents, partial(self._means.chunk, pipeline), commits)
        by_model: dict[str, list[tuple[Commit, EmbeddingBatch]]] = defaultdict(list)
        for commit, batch in self._embedded(cut):
            by_model[batch.model_ids["dense"]].append((commit, batch))
        for items in by_model.values():
            reasons |= self._switch(items)
        return reasons

    def _embedded(self, cut: Sequence[tuple[Commit, list[Chunk]]]) -> list[tuple[Commit, EmbeddingBatch]]:
        """Chunks with their vectors, those that are still held, else new ones; and with new term weights."""
        bodies = [chunk.body for _, chunks in cut for chunk in chunks]
        sparse = self._sparse(bodies)
        held = self._held_vectors(cut)
        batches = []
        row = 0
        for commit, chunks in cut:
            in_store = held.get(commit.key)
            dense, model = self._dense(chunks) if in_store is None else (in_store, commit.namespace)
            terms = None if sparse is None else sparse.rows.rows(row, row + len(chunks))
            models = {"dense": model} if sparse is None else {"dense": model, "sparse": sparse.model_id}
            batches.append((commit, EmbeddingBatch(tuple(chunks), dense, terms, models)))
            row += len(chunks)
        return batches

    def _held_vectors(self, cut: Sequence[tuple[Commit, list[Chunk]]]) -> dict[DocumentKey, Float32Matrix]:
        """Vectors that are held of exactly these chunks, float32 [n, d] by document; reads a segment once."""
        by_segment: dict[tuple[str, str, str], list[tuple[DocumentKey, list[Chunk]]]] = defaultdict(list)
        for commit, chunks in cut:
            if chunks and len(chunks) == commit.chunk_count and self._means.is_current(commit):
                segment = (commit.key.tenant_id, commit.namespace, commit.intent_id)
                by_segment[segment].append((commit.key, chunks))
        held: dict[DocumentKey, Float32Matrix] = {}
        for segment, documents in by_segment.items():
            try:
                refs, dense = self._vectors.vectors(*segment)
            except StoreCorruptError:
                continue
            row_of = {(ref.key, ref.chunk_id): row for row, ref in enumerate(refs)}
            for key, chunks in documents:
                rows = [row_of.get((key, chunk.chunk_id), -1) for chunk in chunks]
                if -1 not in rows:
                    held[key] = dense[rows]
        return held

    def _dense(self, chunks: Sequence[Chunk]) -> tuple[Float32Matrix, str]:
        encoded = [
            self._means.embed([chunk.body for chunk in some]) for some in batched(chunks, ENCODED_AT_ONCE)
        ]
        (model,) = {model for _, model in encoded}
        return np.concatenate([dense for dense, _ in encoded]), model

    def _sparse(self, bodies: Sequence[str]) -> SparseVectors | None:
        encoded = [self._means.encode_sparse(some) for some in batched(bodies, ENCODED_AT_ONCE)]
        parts = [each for each in encoded if each is not None]
        if not parts:
            return None
        return SparseVectors(parts[0].model_id, SparseMatrix.stacked([each.rows for each in parts]))

    def _switch(self, items: Sequence[tuple[Commit, EmbeddingBatch]]) -> dict[DocumentKey, str]:
        """Stage the entries and have the commits name them; what a run has committed meanwhile stays.

        Returns the documents that a store does not take, with its reason.
        """
        tenant_id = items[0][0].key.tenant_id
        outcomes = self._index.stage(
            tenant_id, own_identity(), [(context_of(commit), batch) for commit, batch in items]
        )
        reasons: dict[DocumentKey, str] = {}
        pairs: list[tuple[Commit, Commit]] = []
        for (commit, _), outcome in zip(items, outcomes, strict=True):
            if isinstance(outcome, MedkgError):
                reasons[commit.key] = outcome.message
                continue
            written = {
                "intent_id": outcome.intent_id,
                "chunk_count": outcome.chunk_count,
                "namespace": outcome.namespace,
            }
            pairs.append((commit, commit.model_copy(update=written)))
        done = {commit.key for commit in self._log.relabel(pairs)}
        self._index.clean([old if old.key in done else new for old, new in pairs])
        return reasons

    # --- vectors ------------------------------------------------------------------------------------

    def segment(self, tenant_id: str, intent_id: str) -> None:
        """Compute an intent's vectors again from the search entries of its visible documents."""
        commits = [commit for commit in self._log.committed(tenant_id) if commit.intent_id == intent_id]
        chunks: Sequence[tuple[DocumentKey, Chunk]] = [
            (commit.key, chunk)
            for commit in commits
            for chunk in self._search.document_chunks(commit.key, intent_id)
        ]
        if not chunks:
            return
        dense, namespace = self._dense([chunk for _, chunk in chunks])
        self._vectors.discard(tenant_id, intent_id)
        rows = [VectorRow(key, chunk.chunk_id, chunk_facets(key, chunk)) for key, chunk in chunks]
        self._vectors.write(tenant_id, namespace, intent_id, rows, dense)
        self._log.relabel(
            [
                (commit, commit.model_copy(update={"namespace": namespace}))
                for commit in commits
                if commit.namespace != namespace
            ]
        )

    # --- parsed documents ---------------------------------------------------------------------------

    def parsed_documents(self, commits: Sequence[Commit]) -> dict[DocumentKey, str]:
        """Fetch and parse documents again; returns those that could not be restored so, with the reason."""
        reasons: dict[DocumentKey, str] = {}
        for some in batched(commits, DOCUMENTS_AT_ONCE):
            fitting: list[tuple[StageContext, Document]] = []
            for commit, outcome in zip(some, self._means.fetch(some), strict=True):
                reason = self._unfit(commit, outcome)
                if reason is None and not isinstance(outcome, MedkgError):
                    fitting.append((context_of(commit), outcome))
                else:
                    reasons[commit.key] = reason or ""
            self._documents.put(fitting)
        return reasons

    def _unfit(self, commit: Commit, outcome: Outcome[Document]) -> str | None:
        """Why what a source has now is not the document that was committed; None if it is."""
        if isinstance(outcome, MedkgError):
            return outcome.message
        if outcome.version != commit.version:
            return "its source has another version of it now"
        chunks = self._search.document_chunks(commit.key, commit.intent_id)
        if len(chunks) == commit.chunk_count and chunks:
            fits = all(outcome.text[chunk.start_char : chunk.end_char] == chunk.body for chunk in chunks)
        else:
            fits = self._means.is_current(commit)
        return None if fits else "it is parsed in another way now than when it was indexed"


def from_parsed(
    store: DocumentStore,
    work: Callable[[Sequence[Document]], Sequence[Outcome[Made]]],
    commits: Sequence[Commit],
) -> tuple[list[tuple[Commit, Made]], dict[DocumentKey, str]]:
    """Work on the parsed documents of commits; returns what came of them, and why nothing came of others."""
    reasons: dict[DocumentKey, str] = {}
    documents: list[tuple[Commit, Document]] = []
    for commit in commits:
        try:
            document = store.get(commit.key, commit.version, commit.fingerprint)
        except StoreCorruptError as error:
            reasons[commit.key] = error.message
            continue
        if document is None:
            reasons[commit.key] = "its parsed document is lost too"
        else:
            documents.append((commit, document))
    results: list[tuple[Commit, Made]] = []
    outcomes = work([document for _, document in documents]) if documents else ()
    for (commit, _), outcome in zip(documents, outcomes, strict=True):
        if isinstance(outcome, MedkgError):
            reasons[commit.key] = outcome.message
        else:
            results.append((commit, outcome))
    return results, reasons


def context_of(
    commit: Commit, job_id: str = "repair", correlation_id: str | None = None, pipeline_version: str = ""
) -> StageContext:
    """Return the context under which stores keep a committed document."""
    return StageContext(
        tenant_id=commit.key.tenant_id,
        job_id=job_id,
        doc_id=commit.key.doc_id,
        correlation_id=correlation_id or f"{job_id}-{commit.key.doc_id}",
        metadata={
            "source": commit.key.source,
            "version": commit.version,
            "fingerprint": commit.fingerprint,
            **({"revision": commit.revision} if commit.revision is not None else {}),
        },
        pipeline_name=commit.pipeline,
        pipeline_version=pipeline_version,
    )
