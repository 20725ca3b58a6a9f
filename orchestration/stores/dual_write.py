"""The dual write: search rows and vectors under one intent, both or neither; what crashes leave is cleaned.

intent row -> search rows -> vector segment -> (commit, by the ledger). A crash in between leaves only
entries of an intent without a commit, which no reader sees and `recover` removes. What a commit
supersedes goes from all stores by `clean`, or by `recover` if the process dies before that.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence

import numpy as np

from orchestration.contracts import (
    Commit,
    CommitLog,
    DocumentStore,
    GraphStore,
    Intent,
    Outcome,
    SearchStore,
    SparseVectors,
    VectorRow,
    VectorStore,
    chunk_facets,
)
from orchestration.errors import DocumentsRefusedError, StageContractError
from orchestration.records import DocumentKey, EmbeddingBatch, IndexReceipt, SparseMatrix, StageContext
from orchestration.stores.entry_limits import MOST_NAMED, NEXT_STEP
from orchestration.tracing import span

__all__ = ["DualWrite"]


class DualWrite:
    """IndexWriter over a search store and a vector store; documents and graph are cleaned along with them."""

    def __init__(
        self,
        log: CommitLog,
        search: SearchStore,
        vectors: VectorStore,
        documents: DocumentStore,
        graph: GraphStore,
    ) -> None:
        self._log = log
        self._search = search
        self._vectors = vectors
        self._documents = documents
        self._graph = graph

    def stage(
        self, tenant_id: str, owner: str, items: Sequence[tuple[StageContext, EmbeddingBatch]]
    ) -> list[Outcome[IndexReceipt]]:
        """Write both stores under one intent; durable, and invisible until the commit.

        What a store refuses leaves the intent: the others are written again without it, in both stores.
        """
        if not items:
            return []
        namespace = _model(items, "dense")
        intent = self._log.open_intent(tenant_id, owner, [ctx.key for ctx, _ in items])
        refused: dict[DocumentKey, str] = {}
        while error := self._refusal(
            intent, namespace, [item for item in items if item[0].key not in refused]
        ):
            refused |= error.reasons
        return [
            DocumentsRefusedError(
                f"{ctx.doc_id[:MOST_NAMED]}: {refused[ctx.key]}. {NEXT_STEP}", {ctx.key: refused[ctx.key]}
            )
            if ctx.key in refused
            else IndexReceipt(
                key=ctx.key,
                version=ctx.version,
                fingerprint=ctx.fingerprint,
                intent_id=intent.intent_id,
                chunk_count=len(batch.chunks),
                namespace=namespace,
            )
            for ctx, batch in items
        ]

    def _refusal(
        self, intent: Intent, namespace: str, items: Sequence[tuple[StageContext, EmbeddingBatch]]
    ) -> DocumentsRefusedError | None:
        """Write both stores, in place of what the intent wrote before; returns the error of refused items."""
        chunks = [(ctx.key, chunk) for ctx, batch in items for chunk in batch.chunks]
        if not chunks:
            if len(items) < len(intent.keys):  # all that had chunks are refused
                self._discard(intent.tenant_id, intent.intent_id, None)
            return None
        rows = [VectorRow(key, chunk.chunk_id, chunk_facets(key, chunk)) for key, chunk in chunks]
        dense = np.concatenate([batch.dense for _, batch in items if batch.chunks])
        try:
            counts = {"medkg.chunks": len(chunks), "medkg.documents": len(items)}
            with span("write search index", {"db.system": _system(self._search), **counts}, kind="client"):
                self._search.write(intent.tenant_id, intent.intent_id, chunks, _sparse(items))
            with span("write vectors", {"db.system": _system(self._vectors), **counts}, kind="client"):
                self._vectors.write(intent.tenant_id, namespace, intent.intent_id, rows, dense)
        except DocumentsRefusedError as error:
            if error.reasons.keys().isdisjoint(ctx.key for ctx, _ in items):
                raise
            return error
        return None

    def lost(self, receipts: Sequence[IndexReceipt]) -> list[IndexReceipt]:
        """Receipts whose entries a store does not hold any more, so that they must not be committed.

        A run that is executed again after its writer died may find that `recover` was faster.
        """
        held: dict[tuple[str, DocumentKey, str], int] = {}
        for tenant_id, intent_id, namespace in {
            (receipt.key.tenant_id, receipt.intent_id, receipt.namespace) for receipt in receipts
        }:
            in_search = self._search.holdings(tenant_id, intent_id)
            in_vectors = self._vectors.holdings(tenant_id, intent_id, namespace)
            for name, holdings in (("search", in_search), ("vectors", in_vectors)):
                for holding in holdings:
                    held[(name, holding.key, intent_id)] = holding.chunk_count
        return [
            receipt
            for receipt in receipts
            if any(
                held.get((name, receipt.key, receipt.intent_id), 0) != receipt.chunk_count
                for name in ("search", "vectors")
            )
        ]

    def clean(self, superseded: Sequence[Commit]) -> None:
        """Remove what previous commits made visible from all stores. Idempotent."""
        by_intent: dict[tuple[str, str], list[DocumentKey]] = defaultdict(list)
        in_graph: dict[tuple[str, str], list[DocumentKey]] = defaultdict(list)
        parsed: list[tuple[DocumentKey, str, str]] = []
        for previous in superseded:
            now = self._log.find(previous.key)
            if now is None or now.intent_id != previous.intent_id:
                by_intent[(previous.key.tenant_id, previous.intent_id)].append(previous.key)
            if previous.graph_intent_id and (now is None or now.graph_intent_id != previous.graph_intent_id):
                in_graph[(previous.key.tenant_id, previous.graph_intent_id)].append(previous.key)
            if now is None or (now.version, now.fingerprint) != (previous.version, previous.fingerprint):
                parsed.append((previous.key, previous.version, previous.fingerprint))
        for (tenant_id, intent_id), keys in by_intent.items():
            self._discard(tenant_id, intent_id, keys)
        for (tenant_id, intent_id), keys in in_graph.items():
            self._graph.discard(tenant_id, intent_id, keys)
        if parsed:
            self._documents.forget(parsed)

    def recover(self, is_alive: Callable[[str], bool], before: float = 0.0) -> int:
        """Clean what dead writers left; see IndexWriter.recover."""
        abandoned = [
            intent
            for intent in self._log.intents()
            if intent.created_at < before or not is_alive(intent.owner)
        ]
        incomplete = self._hidden(abandoned)
        self._log.begin_cleaning(list(incomplete))
        hidden = self._hidden(abandoned)  # again: a run that is executed again may have committed since
        dead: list[str] = []
        for intent in abandoned:
            keys = hidden.get(intent.intent_id, []) if intent.intent_id in incomplete else []
            self._recover(intent, keys)
            if len(keys) == len(intent.keys):
                dead.append(intent.intent_id)
        self._log.close_intents(dead)
        return len(dead)

    def _hidden(self, intents: Sequence[Intent]) -> dict[str, list[DocumentKey]]:
        """Documents of each intent that are not visible under it, where there are any."""
        visible = self._visible({intent.tenant_id for intent in intents})
        hidden = {
            intent.intent_id: [key for key in intent.keys if (key, intent.intent_id) not in visible]
            for intent in intents
        }
        return {intent_id: keys for intent_id, keys in hidden.items() if keys}

    def _recover(self, intent: Intent, hidden: Sequence[DocumentKey]) -> None:
        """Discard an intent's hidden documents, as far as a store still holds any of them."""
        if not hidden:
            return
        if len(hidden) == len(intent.keys):
            self._discard(intent.tenant_id, intent.intent_id, None)
            self._graph.discard(intent.tenant_id, intent.intent_id, None)
            return
        of_hidden = set(hidden)
        left = {
            holding.key
            for store in (self._search, self._vectors)
            for holding in store.holdings(intent.tenant_id, intent.intent_id)
            if holding.key in of_hidden
        }
        if left:
            self._discard(intent.tenant_id, intent.intent_id, sorted(left, key=lambda key: key.doc_id))
        self._graph.discard(intent.tenant_id, intent.intent_id, hidden)

    def _discard(self, tenant_id: str, intent_id: str, keys: Sequence[DocumentKey] | None) -> None:
        self._search.discard(tenant_id, intent_id, keys)
        self._vectors.discard(tenant_id, intent_id, keys)

    def _visible(self, tenants: Iterable[str]) -> set[tuple[DocumentKey, str]]:
        return {
            (commit.key, intent_id)
            for tenant_id in tenants
            for commit in self._log.committed(tenant_id)
            for intent_id in commit.intent_ids
        }


def _sparse(items: Sequence[tuple[StageContext, EmbeddingBatch]]) -> SparseVectors | None:
    """The term weights of all chunks; None where the plane has no sparse model."""
    full = [(ctx, batch) for ctx, batch in items if batch.chunks]
    parts = [batch.sparse for _, batch in full if batch.sparse is not None]
    if not parts:
        return None
    if len(parts) != len(full):
        raise StageContractError("one index batch holds documents with and without sparse vectors.")
    return SparseVectors(_model(full, "sparse"), SparseMatrix.stacked(parts))


def _model(items: Sequence[tuple[StageContext, EmbeddingBatch]], leg: str) -> str:
    """The one model of a leg that made all items' vectors; those of two models never share a segment."""
    models = {batch.model_ids.get(leg, "") for _, batch in items}
    if len(models) != 1 or "" in models:
        raise StageContractError(
            f"one index batch holds {leg} vectors of {sorted(models)}; the embed stage must name one model."
        )
    return models.pop()


def _system(store: object) -> str:
    """The database behind a store: the name of its room, e.g. `sqlite`, `faiss`, `opensearch`."""
    _, _, place = type(store).__module__.partition("orchestration.stores.")
    return place.partition(".")[0] or type(store).__module__.partition(".")[0]
