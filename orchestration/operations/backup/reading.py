"""Documents out of the stores, whole: text, chunks, terms and vectors of the same commit.

Comes in: commits. Leaves: what stores and ledger hold of each, and the commits of which something is not
there. Writers go on meanwhile, so that may be because a newer version took its place; who asked looks again.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from orchestration.contracts import ChunkRef, Commit, Extraction, SparseVectors
from orchestration.errors import StoreCorruptError
from orchestration.operations.backup.columns import Copied
from orchestration.operations.parts import Parts
from orchestration.records import DocumentKey, EmbeddingBatch, Float32Matrix, SparseMatrix

__all__ = ["StoredDocuments", "by_intent", "damaged"]

Rows = Mapping[tuple[DocumentKey, str], int]
"""Row of a store's answer by document and chunk id."""


@dataclass(frozen=True, slots=True)
class _Held:
    """What the stores hold under one intent."""

    namespace: str
    dense_rows: Rows
    dense: Float32Matrix
    sparse_rows: Rows
    sparse: SparseVectors | None


class StoredDocuments:
    """Reads documents of one data folder, an intent at a time."""

    def __init__(self, parts: Parts, *, with_graph: bool) -> None:
        """`with_graph`: also read mentions and claims, which a copy of the ledger has anyway."""
        self._parts = parts
        self._with_graph = with_graph

    def read(self, commits: Sequence[Commit]) -> Iterator[Copied | Commit]:
        """What is held under an intent of its commits, in their order; a commit itself where something lacks.

        All of one tenant, intent and model. Raises StoreCorruptError naming a damaged segment or file.
        """
        tenant_id, intent_id = commits[0].key.tenant_id, commits[0].intent_id
        namespace = commits[0].namespace
        refs, dense = (
            self._parts.stores.vectors.vectors(tenant_id, namespace, intent_id)
            if namespace  # it is in no store where the commit is older than the notes of models
            else ([], np.empty((0, 0), np.float32))
        )
        sparse = self._parts.stores.search.sparse_vectors(tenant_id, intent_id)
        held = _Held(
            namespace,
            _places(refs),
            dense,
            _places(sparse[0]) if sparse else {},
            sparse[1] if sparse else None,
        )
        for commit, origin in zip(commits, self._parts.ledger.copies.origins(commits), strict=True):
            document = self._parts.stores.documents.get(commit.key, commit.version, commit.fingerprint)
            batch = self._batch(commit, held)
            extraction = self._extraction(commit)
            lacks_graph = self._with_graph and commit.graph_intent_id is not None and extraction is None
            if document is None or origin is None or batch is None or lacks_graph:
                yield commit
            else:
                yield Copied(commit, origin, document, batch, extraction)

    def _extraction(self, commit: Commit) -> Extraction | None:
        if not self._with_graph or commit.graph_intent_id is None:
            return None
        return self._parts.ledger.graph.extraction(commit.key, commit.graph_intent_id)

    def _batch(self, commit: Commit, held: _Held) -> EmbeddingBatch | None:
        """A document's chunks with their vectors; None where there are not as many as were committed."""
        chunks = self._parts.stores.search.document_chunks(commit.key, commit.intent_id)
        places = [(commit.key, chunk.chunk_id) for chunk in chunks]
        if len(chunks) != commit.chunk_count or any(place not in held.dense_rows for place in places):
            return None
        dense = held.dense[[held.dense_rows[place] for place in places]]
        models = {"dense": held.namespace} if held.namespace else {}
        if not chunks:
            return EmbeddingBatch((), np.empty((0, 0), np.float32), None, models)
        terms = held.sparse
        if terms is None or not all(place in held.sparse_rows for place in places):
            return EmbeddingBatch(tuple(chunks), dense, None, models)
        rows = [terms.rows.row(held.sparse_rows[place]) for place in places]
        last = max((int(indices[-1]) for indices, _ in rows if len(indices)), default=-1)
        models["sparse"] = terms.model_id
        return EmbeddingBatch(tuple(chunks), dense, SparseMatrix.of_rows(rows, last + 1), models)


def by_intent(commits: Sequence[Commit]) -> dict[str, list[list[Commit]]]:
    """Commits by intent, in the order of each one's first, and in it those of one model together."""
    intents: dict[str, dict[str, list[Commit]]] = {}
    for commit in commits:
        intents.setdefault(commit.intent_id, {}).setdefault(commit.namespace, []).append(commit)
    return {intent_id: list(models.values()) for intent_id, models in intents.items()}


def damaged(commit: Commit) -> StoreCorruptError:
    """What to raise when something of a document lacks though it is still the visible one."""
    return StoreCorruptError(
        f"{commit.key.doc_id} of {commit.key.source} (tenant {commit.key.tenant_id}) is not whole in the "
        "stores, so no copy was made. `medkg verify --repair` repairs it or makes it due again."
    )


def _places(refs: Sequence[ChunkRef]) -> Rows:
    return {(ref.key, ref.chunk_id): row for row, ref in enumerate(refs)}
