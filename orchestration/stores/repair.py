"""The repair of a tenant's stores and commits, from what is whole; nothing is deleted that was not allowed.

Comes in: the ledger, the stores, and what cuts, embeds and fetches. Leaves: what was restored, removed and
deleted, and what is left with its reason. Order: commits from the stores, stores as a whole, parsed documents
from their sources, search entries from parsed documents, vectors from search entries, mentions and claims
from parsed documents. Safe to interrupt and repeat.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from orchestration.contracts import (
    Commit,
    DocumentStore,
    GraphWriter,
    IndexWriter,
    Ledger,
    Origin,
    SearchStore,
    VectorStore,
)
from orchestration.records import DocumentKey, Locator
from orchestration.stores.proof import UNKNOWN, PipelineOf, Proven, proven_commits
from orchestration.stores.restored_entries import Means, RestoredEntries
from orchestration.stores.restored_graph import RestoredGraph
from orchestration.stores.verify import EVERY, LACKING, Difference, Verification, documents_with

__all__ = ["Repair", "Repaired"]


@dataclass(slots=True)
class Repaired:
    """What a repair did."""

    restored: dict[str, int] = field(default_factory=dict)
    """Documents by store."""
    removed: int = 0
    """Documents of which entries were removed that no commit had named."""
    deleted: list[DocumentKey] = field(default_factory=list)
    """Documents that lost entries that were perhaps their last; only if that was allowed."""
    queued: list[DocumentKey] = field(default_factory=list)
    """Documents that the next run of their source processes again."""
    left: dict[DocumentKey, str] = field(default_factory=dict)
    """Documents that still differ, and why."""

    def note(self, store: str, count: int) -> None:
        if count:
            self.restored[store] = self.restored.get(store, 0) + count


class Repair:
    """Repairs one data folder; one process at a time."""

    def __init__(
        self,
        ledger: Ledger,
        stores: tuple[SearchStore, VectorStore, DocumentStore],
        index: IndexWriter,
        graph_writer: GraphWriter,
        verification: Verification,
        means: Means,
    ) -> None:
        self._ledger = ledger
        self._stores = stores
        self._search, self._vectors, self._documents = stores
        self._verification = verification
        self._entries = RestoredEntries(ledger.commits, stores, index, means)
        self._graph = RestoredGraph(
            ledger.commits, stores[2], index, graph_writer, means.extract, means.extracted_as
        )
        self._index = index

    def restore_commits(
        self, tenant_id: str, models: Sequence[str], pipeline_of: PipelineOf, restore_id: str
    ) -> int:
        """Commit again what only the stores know; returns the number of documents. See `proof`."""
        lacking = [
            (each.key, each.intent_id)
            for each in self._verification.differences(tenant_id)
            if each.store == "ledger" and each.key.doc_id != EVERY
        ]
        if not lacking:
            return 0
        known = list(dict.fromkeys([*models, *self._vectors.models(tenant_id)]))
        proven = proven_commits(tenant_id, lacking, self._stores, known, pipeline_of)
        taken = self._ledger.copies.restore_commits(
            restore_id, [(each.commit, _origin(each)) for each in proven]
        )
        self._index.clean(taken.superseded)
        return len(proven) - len(taken.not_replaced)

    def repair(self, tenant_id: str, *, delete: bool) -> Repaired:
        """Repair every difference but those of the ledger; `delete`: also by what the plan asks for."""
        done = Repaired()
        self._repair_stores(tenant_id, delete, done)
        differences = self._verification.differences(tenant_id)
        self._remove(differences, delete, done)
        lost = self._restore_documents(tenant_id, differences, done)
        lost |= self._restore_search(tenant_id, differences, done)
        self._restore_vectors(tenant_id, differences, done)
        lost |= self._restore_graph(tenant_id, differences, done)
        self._settle(tenant_id, lost, delete, done)
        return done

    # --- steps --------------------------------------------------------------------------------------

    def _repair_stores(self, tenant_id: str, delete: bool, done: Repaired) -> None:
        if self._search.damage(tenant_id) is not None:
            if delete or not self._search.repair_deletes(tenant_id):
                self._search.repair(tenant_id)
            else:
                key = DocumentKey(tenant_id=tenant_id, source=EVERY, doc_id=EVERY)
                done.left[key] = "the search index can only be deleted and made again, which was not allowed"
        if self._documents.damage() is not None:
            self._documents.repair()

    def _remove(self, differences: Sequence[Difference], delete: bool, done: Repaired) -> None:
        """Remove entries of writes that were not committed; those without a record only if allowed."""
        removed = [each for each in differences if each.kind == "leftover"]
        unrecorded = [each for each in differences if each.kind == "unrecorded"]
        for each in [*removed, *(unrecorded if delete else ())]:
            keys = None if each.key.doc_id == EVERY else [each.key]
            if each.store == "graph":
                self._ledger.graph.discard(each.key.tenant_id, each.intent_id, keys)
            elif each.store == "vectors":
                self._vectors.discard(each.key.tenant_id, each.intent_id, keys)
            else:
                self._search.discard(each.key.tenant_id, each.intent_id, keys)
        done.removed += len({each.key for each in removed})
        keys_of_unrecorded = list(dict.fromkeys(each.key for each in unrecorded))
        if delete:
            done.deleted += keys_of_unrecorded
        else:
            reason = "entries that the ledger has no record of are kept, since their deletion was not allowed"
            done.left |= dict.fromkeys(keys_of_unrecorded, reason)

    def _restore_documents(
        self, tenant_id: str, differences: Sequence[Difference], done: Repaired
    ) -> dict[DocumentKey, str]:
        commits = self._commits(tenant_id, set(documents_with(differences, "documents")))
        lost = self._entries.parsed_documents(commits) if commits else {}
        done.note("documents", len(commits) - len(lost))
        return lost

    def _restore_search(
        self, tenant_id: str, differences: Sequence[Difference], done: Repaired
    ) -> dict[DocumentKey, str]:
        commits = self._commits(tenant_id, set(documents_with(differences, "search")))
        lost = self._entries.search_entries(commits) if commits else {}
        done.note("search", len(commits) - len(lost))
        return lost

    def _restore_vectors(self, tenant_id: str, differences: Sequence[Difference], done: Repaired) -> None:
        """Restore vectors that lack after the other steps: documents that were indexed again have theirs."""
        if not all(_is_lacking_vectors(each) for each in differences):  # the other steps changed something
            differences = self._verification.differences(tenant_id)
        lacking = [each for each in differences if _is_lacking_vectors(each)]
        if not lacking:
            return
        for intent_id in sorted({each.intent_id for each in lacking}):
            self._entries.segment(tenant_id, intent_id)
        still = documents_with(self._verification.differences(tenant_id), "vectors")
        done.note("vectors", len(set(documents_with(lacking, "vectors")).difference(still)))

    def _restore_graph(
        self, tenant_id: str, differences: Sequence[Difference], done: Repaired
    ) -> dict[DocumentKey, str]:
        commits = self._commits(tenant_id, set(documents_with(differences, "graph")))
        lost = self._graph.extractions(commits) if commits else {}
        if commits:
            self._ledger.graph.recount(tenant_id)
        done.note("graph", len(commits) - len(lost))
        return lost

    def _settle(self, tenant_id: str, lost: dict[DocumentKey, str], delete: bool, done: Repaired) -> None:
        """What could not be restored is queued again, visible as it is; withdrawn if nothing is left."""
        if not lost:
            return
        remaining = self._verification.differences(tenant_id)
        without_text = set(documents_with(remaining, "documents"))
        withdrawn = lost.keys() & without_text & set(documents_with(remaining, "search"))
        gone = sorted(withdrawn, key=_place)
        queued = sorted(lost.keys() - withdrawn, key=_place)
        self._ledger.documents.queue_again(queued)
        done.queued += queued
        if delete and gone:
            self._index.clean(self._ledger.documents.requeue(gone))
            done.deleted += gone
            done.queued += gone
        done.left |= {key: reason for key, reason in lost.items() if not (delete and key in withdrawn)}

    def _commits(self, tenant_id: str, keys: set[DocumentKey]) -> list[Commit]:
        if not keys:
            return []
        commits = [commit for commit in self._ledger.commits.committed(tenant_id) if commit.key in keys]
        return sorted(commits, key=lambda commit: _place(commit.key))


def _is_lacking_vectors(difference: Difference) -> bool:
    return difference.store == "vectors" and difference.kind in LACKING


def _place(key: DocumentKey) -> tuple[str, str]:
    return key.source, key.doc_id


def _origin(proven: Proven) -> Origin:
    """What is known of a document whose row is lost: where its bytes are, its source's next listing says."""
    return Origin(
        pipeline_version=proven.pipeline_version,
        current_stage="index",
        missing_stages=(),
        source_plugin=UNKNOWN,
        locator=Locator(uri="", format=UNKNOWN),
        pdf_downloaded=False,
        pdf_ir_ready=False,
        created_at=0.0,
        updated_at=0.0,
    )
