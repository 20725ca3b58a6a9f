"""The dual write: search rows and vectors under one intent, both or neither; what crashes leave is cleaned.

intent row -> search rows -> vector segment -> (commit, by the ledger). Whatever dies in between leaves only
entries of an intent that is nobody's commit, which no reader sees and `recover` removes.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence

import numpy as np

from orchestration.contracts import Commit, CommitLog, SearchStore, VectorRow, VectorStore
from orchestration.errors import StageContractError
from orchestration.records import DocumentKey, EmbeddingBatch, IndexReceipt, StageContext

__all__ = ["DualWrite"]


class DualWrite:
    """IndexWriter over a search store and a vector store."""

    def __init__(self, log: CommitLog, search: SearchStore, vectors: VectorStore) -> None:
        self._log = log
        self._search = search
        self._vectors = vectors

    def stage(
        self, tenant_id: str, owner: str, items: Sequence[tuple[StageContext, EmbeddingBatch]]
    ) -> list[IndexReceipt]:
        """Write both stores under one intent; durable, and invisible until the commit."""
        namespace = _namespace(items)
        intent = self._log.open_intent(tenant_id, owner, [ctx.key for ctx, _ in items])
        chunks = [(ctx.key, chunk) for ctx, batch in items for chunk in batch.chunks]
        rows = [VectorRow(key, chunk.chunk_id, chunk.section) for key, chunk in chunks]
        self._search.write(tenant_id, intent.intent_id, chunks, None)
        dense = np.concatenate([batch.dense for _, batch in items])
        self._vectors.write(tenant_id, namespace, intent.intent_id, rows, dense)
        return [
            IndexReceipt(
                key=ctx.key,
                version=ctx.version,
                fingerprint=ctx.fingerprint,
                intent_id=intent.intent_id,
                chunk_count=len(batch.chunks),
            )
            for ctx, batch in items
        ]

    def clean(self, superseded: Sequence[Commit]) -> None:
        """Remove what former commits made visible; segments go when no document in them is visible."""
        by_intent: dict[tuple[str, str], list[DocumentKey]] = defaultdict(list)
        for commit in superseded:
            by_intent[(commit.key.tenant_id, commit.intent_id)].append(commit.key)
        for tenant_id in {tenant_id for tenant_id, _ in by_intent}:
            visible = {commit.intent_id for commit in self._log.committed(tenant_id)}
            for (owner, intent_id), keys in by_intent.items():
                if owner != tenant_id:
                    continue
                self._search.discard(tenant_id, intent_id, keys)
                if intent_id not in visible:
                    self._vectors.discard(tenant_id, intent_id)

    def recover(self, is_alive: Callable[[str], bool]) -> int:
        """Clean what dead writers left; returns how many intents. Idempotent; visible documents stay."""
        abandoned = [intent for intent in self._log.intents() if not is_alive(intent.owner)]
        visible = {
            (commit.key, commit.intent_id)
            for tenant_id in {intent.tenant_id for intent in abandoned}
            for commit in self._log.committed(tenant_id)
        }
        dead: list[str] = []
        for intent in abandoned:
            hidden = [key for key in intent.keys if (key, intent.intent_id) not in visible]
            self._search.discard(intent.tenant_id, intent.intent_id, hidden)
            if len(hidden) == len(intent.keys):
                self._vectors.discard(intent.tenant_id, intent.intent_id)
                dead.append(intent.intent_id)
        self._log.close_intents(dead)
        return len(dead)


def _namespace(items: Sequence[tuple[StageContext, EmbeddingBatch]]) -> str:
    """The dense model of all items; vectors of two models never share a segment."""
    models = {batch.model_ids.get("dense", "") for _, batch in items}
    if len(models) != 1 or "" in models:
        raise StageContractError(f"one index batch holds vectors of {sorted(models)}; it must be one model.")
    return models.pop()
