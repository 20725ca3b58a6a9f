"""Do the commit table, the search store, the vectors and the document store agree? And their repair.

Comes in: the stores and the commit log. Leaves: differences, each a document, a store and a kind. Repair
uses what is durable: leftovers are removed, lost vectors are computed again from the search rows, and a
document whose rows or text are lost is withdrawn and made due for its source's next run.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Final

import numpy as np
from pydantic import Field

from orchestration.batching import batched
from orchestration.contracts import (
    Commit,
    CommitLog,
    DocumentStore,
    Holding,
    SearchStore,
    VectorRow,
    VectorStore,
    chunk_facets,
)
from orchestration.records import Chunk, DocumentKey, Float32Matrix, Record

__all__ = ["Difference", "Verification"]

Entry = tuple[DocumentKey, str]
"""A document under an intent."""

EVERY: Final = "*"
"""Stands for all documents where a store is damaged as a whole."""

ENCODED_AT_ONCE: Final = 64
"""Texts of one request to the encoder."""

Encode = Callable[[Sequence[str]], tuple[Float32Matrix, str]]
"""Unit vectors of texts, float32 [n, d], and the model that made them."""


class Difference(Record):
    """One disagreement."""

    key: DocumentKey = Field(description="The document; source and id '*' for a store as a whole.")
    intent_id: str = Field(description="Intent whose entries are wrong.")
    store: str = Field(description="search, vectors or documents.")
    kind: str = Field(description="missing, incomplete, leftover or damaged.")


class Verification:
    """Compares and repairs the stores of one data folder."""

    def __init__(
        self,
        log: CommitLog,
        search: SearchStore,
        vectors: VectorStore,
        documents: DocumentStore,
        is_alive: Callable[[str], bool],
    ) -> None:
        self._log = log
        self._search = search
        self._vectors = vectors
        self._documents = documents
        self._is_alive = is_alive

    def differences(self, tenant_id: str) -> list[Difference]:
        """Every disagreement, by document; what live writers are at is none.

        Writers go on meanwhile, so only what is there at two looks counts.
        """
        differences = self._look(tenant_id)
        if differences:
            differences &= self._look(tenant_id)
        return sorted(
            differences,
            key=lambda difference: (
                difference.key.source,
                difference.key.doc_id,
                difference.store,
                difference.intent_id,
            ),
        )

    def _look(self, tenant_id: str) -> set[Difference]:
        damaged = self._damaged_stores(tenant_id)
        in_search = [] if "search" in damaged else list(self._search.holdings(tenant_id))
        in_vectors = list(self._vectors.holdings(tenant_id))
        of_model = {
            namespace: list(self._vectors.holdings(tenant_id, namespace=namespace))
            for namespace in self._log.namespaces(tenant_id)
        }
        at_work = self._at_work(tenant_id)  # after the holdings: what was started since is not among them
        commits = {(commit.key, commit.intent_id): commit for commit in self._log.committed(tenant_id)}
        differences = [_of_store(tenant_id, store) for store in damaged]
        if "search" not in damaged:
            differences += _wanting("search", commits, in_search)
            differences += _leftovers("search", commits, in_search, at_work)
        differences += self._wanting_vectors(tenant_id, commits, of_model)
        differences += self._leftover_vectors(tenant_id, commits, in_vectors, at_work)
        if "documents" not in damaged:
            differences += self._of_documents(tenant_id, commits.values())
        return set(differences)

    def repair(
        self,
        tenant_id: str,
        encode: Encode,
        requeue: Callable[[Sequence[DocumentKey]], Sequence[Commit]],
    ) -> list[DocumentKey]:
        """Repair every difference; returns the documents that are due again.

        Vectors are made by the model that `encode` has, which their commits then name. Safe to interrupt and
        repeat: a document is withdrawn before its entries go.
        """
        self._repair_stores(tenant_id)
        differences = self.differences(tenant_id)
        for difference in differences:
            if difference.kind == "leftover":
                self._discard(difference)
        lost = sorted(
            {each.key for each in differences if each.store != "vectors" and each.kind != "leftover"},
            key=lambda key: (key.source, key.doc_id),
        )
        for commit in requeue(lost):
            self._search.discard(tenant_id, commit.intent_id, [commit.key])
            self._vectors.discard(tenant_id, commit.intent_id, [commit.key])
        rebuilt = {
            each.intent_id for each in differences if each.store == "vectors" and each.kind != "leftover"
        }
        for intent_id in sorted(rebuilt):
            self._rebuild_segment(tenant_id, intent_id, encode)
        return lost

    # --- comparing ----------------------------------------------------------------------------------

    def _damaged_stores(self, tenant_id: str) -> list[str]:
        problems = {"search": self._search.damage(tenant_id), "documents": self._documents.damage()}
        return [store for store, problem in problems.items() if problem is not None]

    def _at_work(self, tenant_id: str) -> set[str]:
        """Intents of live writers."""
        return {intent.intent_id for intent in self._log.intents(tenant_id) if self._is_alive(intent.owner)}

    def _wanting_vectors(
        self,
        tenant_id: str,
        commits: Mapping[Entry, Commit],
        of_model: Mapping[str, Sequence[Holding]],
    ) -> list[Difference]:
        """What is not held under the model that its commit names; more models may stand beside that."""
        differences: list[Difference] = []
        for namespace in {commit.namespace for commit in commits.values()}:
            mine = {entry: commit for entry, commit in commits.items() if commit.namespace == namespace}
            damaged = self._vectors.damaged(tenant_id, namespace)
            differences += [
                difference.model_copy(update={"kind": "damaged"})
                if difference.intent_id in damaged
                else difference
                for difference in _wanting("vectors", mine, of_model.get(namespace, ()))
            ]
        return differences

    def _leftover_vectors(
        self,
        tenant_id: str,
        commits: Mapping[Entry, Commit],
        holdings: Sequence[Holding],
        at_work: set[str],
    ) -> list[Difference]:
        """Vectors of any model that belong to no commit, damaged segments too."""
        wanted = {intent_id for _, intent_id in commits}
        key = DocumentKey(tenant_id=tenant_id, source=EVERY, doc_id=EVERY)
        return _leftovers("vectors", commits, holdings, at_work) + [
            Difference(key=key, intent_id=intent_id, store="vectors", kind="leftover")
            for intent_id in self._vectors.damaged(tenant_id)
            if intent_id not in wanted | at_work
        ]

    def _of_documents(self, tenant_id: str, commits: Iterable[Commit]) -> list[Difference]:
        held = set(self._documents.held(tenant_id))
        return [
            Difference(key=commit.key, intent_id=commit.intent_id, store="documents", kind="missing")
            for commit in commits
            if (commit.key, commit.version, commit.fingerprint) not in held
        ]

    # --- repair -------------------------------------------------------------------------------------

    def _repair_stores(self, tenant_id: str) -> None:
        damaged = self._damaged_stores(tenant_id)
        if "search" in damaged:
            self._search.repair(tenant_id)
        if "documents" in damaged:
            self._documents.repair()

    def _discard(self, leftover: Difference) -> None:
        tenant_id, intent_id = leftover.key.tenant_id, leftover.intent_id
        if leftover.key.doc_id == EVERY:
            self._vectors.discard(tenant_id, intent_id)
        elif leftover.store == "vectors":
            self._vectors.discard(tenant_id, intent_id, [leftover.key])
        else:
            self._search.discard(tenant_id, intent_id, [leftover.key])

    def _rebuild_segment(self, tenant_id: str, intent_id: str, encode: Encode) -> None:
        """Compute an intent's vectors again from the search rows of its visible documents."""
        commits = [commit for commit in self._log.committed(tenant_id) if commit.intent_id == intent_id]
        chunks: list[tuple[DocumentKey, Chunk]] = [
            (commit.key, chunk)
            for commit in commits
            for chunk in self._search.document_chunks(commit.key, intent_id)
        ]
        if not chunks:
            self._vectors.discard(tenant_id, intent_id)
            return
        bodies = [chunk.body for _, chunk in chunks]
        encoded = [encode(part) for part in batched(bodies, ENCODED_AT_ONCE)]
        (namespace,) = {model_id for _, model_id in encoded}
        self._vectors.discard(tenant_id, intent_id)
        rows = [VectorRow(key, chunk.chunk_id, chunk_facets(key, chunk)) for key, chunk in chunks]
        self._vectors.write(
            tenant_id, namespace, intent_id, rows, np.concatenate([dense for dense, _ in encoded])
        )
        self._log.relabel(
            [
                (commit, commit.model_copy(update={"namespace": namespace}))
                for commit in commits
                if commit.namespace != namespace
            ]
        )


def _wanting(store: str, commits: Mapping[Entry, Commit], holdings: Iterable[Holding]) -> list[Difference]:
    """What is visible and not held, or not whole."""
    held: dict[Entry, int] = defaultdict(int)
    for holding in holdings:
        held[(holding.key, holding.intent_id)] += holding.chunk_count
    differences: list[Difference] = []
    for (key, intent_id), commit in commits.items():
        count = held.get((key, intent_id), 0)
        if count != commit.chunk_count:
            kind = "incomplete" if count else "missing"
            differences.append(Difference(key=key, intent_id=intent_id, store=store, kind=kind))
    return differences


def _leftovers(
    store: str, commits: Mapping[Entry, Commit], holdings: Iterable[Holding], at_work: set[str]
) -> list[Difference]:
    """What is held and neither visible nor a live writer's."""
    nobodys = {(holding.key, holding.intent_id) for holding in holdings} - commits.keys()
    return [
        Difference(key=key, intent_id=intent_id, store=store, kind="leftover")
        for key, intent_id in nobodys
        if intent_id not in at_work
    ]


def _of_store(tenant_id: str, store: str) -> Difference:
    key = DocumentKey(tenant_id=tenant_id, source=EVERY, doc_id=EVERY)
    return Difference(key=key, intent_id=EVERY, store=store, kind="damaged")
