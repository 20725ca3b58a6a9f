"""Do the commit table, the search store, the vectors and the document store agree? And their repair.

Comes in: the stores and the commit log. Leaves: differences, each a document, a store and a kind. Repair
uses what is durable: leftovers are removed, lost vectors are computed anew from the search rows, and a
document whose rows or text are lost is withdrawn and made due for its source's next run.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence

from pydantic import Field

from orchestration.contracts import (
    Commit,
    CommitLog,
    DocumentStore,
    Holding,
    SearchStore,
    VectorRow,
    VectorStore,
)
from orchestration.records import Chunk, DocumentKey, Float32Matrix, Record

__all__ = ["Difference", "Verification"]

Entry = tuple[DocumentKey, str]
"""A document under an intent."""


class Difference(Record):
    """One disagreement."""

    key: DocumentKey = Field(description="The document.")
    intent_id: str = Field(description="Intent whose entries are wrong.")
    store: str = Field(description="search, vectors or documents.")
    kind: str = Field(description="missing, incomplete or leftover.")


class Verification:
    """Compares and mends the stores of one data folder."""

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
        """Every disagreement; what a live writer is at is none."""
        commits = {(commit.key, commit.intent_id): commit for commit in self._log.committed(tenant_id)}
        at_work = self._at_work(tenant_id)
        found = self._compared("search", commits, self._search.holdings(tenant_id), at_work)
        vectors = list(self._vectors.holdings(tenant_id))
        found += self._compared("vectors", commits, self._needed_segments(vectors, commits), at_work)
        found += [
            Difference(key=commit.key, intent_id=commit.intent_id, store="documents", kind="missing")
            for commit in commits.values()
            if self._documents.get(commit.key, commit.version, commit.fingerprint) is None
        ]
        return sorted(found, key=lambda one: (one.key.source, one.key.doc_id, one.store))

    def repair(
        self,
        tenant_id: str,
        encode: Callable[[Sequence[str]], Float32Matrix],
        namespace: str,
        requeue: Callable[[DocumentKey], object],
    ) -> list[DocumentKey]:
        """Mend every difference; returns the documents that are due again. `encode` gives unit vectors."""
        found = self.differences(tenant_id)
        lost = sorted(
            {one.key for one in found if one.store != "vectors" and one.kind != "leftover"},
            key=lambda key: (key.source, key.doc_id),
        )
        for one in found:
            if one.kind == "leftover":
                self._search.discard(tenant_id, one.intent_id, [one.key])
                if one.store == "vectors":
                    self._vectors.discard(tenant_id, one.intent_id)
        for key in lost:
            requeue(key)
        rebuilt = {one.intent_id for one in found if one.store == "vectors" and one.kind != "leftover"}
        for intent_id in sorted(rebuilt):
            self._rebuild_segment(tenant_id, intent_id, encode, namespace)
        for key in lost:
            for one in found:
                if one.key == key:
                    self._search.discard(tenant_id, one.intent_id, [key])
        return lost

    def _rebuild_segment(
        self,
        tenant_id: str,
        intent_id: str,
        encode: Callable[[Sequence[str]], Float32Matrix],
        namespace: str,
    ) -> None:
        """Compute an intent's vectors anew from the search rows of its visible documents."""
        chunks: list[tuple[DocumentKey, Chunk]] = [
            (commit.key, chunk)
            for commit in self._log.committed(tenant_id)
            if commit.intent_id == intent_id
            for chunk in self._search.document_chunks(commit.key, intent_id)
        ]
        self._vectors.discard(tenant_id, intent_id)
        if chunks:
            rows = [VectorRow(key, chunk.chunk_id, chunk.section) for key, chunk in chunks]
            dense = encode([chunk.body for _, chunk in chunks])
            self._vectors.write(tenant_id, namespace, intent_id, rows, dense)

    def _at_work(self, tenant_id: str) -> set[str]:
        """Intents of live writers."""
        return {intent.intent_id for intent in self._log.intents(tenant_id) if self._is_alive(intent.owner)}

    def _needed_segments(self, holdings: Sequence[Holding], commits: Mapping[Entry, Commit]) -> list[Holding]:
        """Holdings without superseded rows of segments that also hold visible ones: those cost nothing."""
        visible = {intent_id for _, intent_id in commits}
        return [
            holding
            for holding in holdings
            if holding.intent_id not in visible or (holding.key, holding.intent_id) in commits
        ]

    def _compared(
        self, store: str, commits: Mapping[Entry, Commit], holdings: Iterable[Holding], at_work: set[str]
    ) -> list[Difference]:
        held: dict[Entry, int] = defaultdict(int)
        for holding in holdings:
            held[(holding.key, holding.intent_id)] += holding.chunk_count
        found: list[Difference] = []
        for (key, intent_id), commit in commits.items():
            count = held.get((key, intent_id), 0)
            if count != commit.chunk_count:
                kind = "incomplete" if count else "missing"
                found.append(Difference(key=key, intent_id=intent_id, store=store, kind=kind))
        for key, intent_id in held.keys() - commits.keys():
            if intent_id not in at_work:
                found.append(Difference(key=key, intent_id=intent_id, store=store, kind="leftover"))
        return found
