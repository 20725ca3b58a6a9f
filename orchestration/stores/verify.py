"""Do the commit table, the search store, the vectors, the document store and the graph agree?

Comes in: the stores and the commit log. Leaves: differences, each a document, a store and a kind. What each
means and how it is repaired: `repair_plan`.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import Final

from pydantic import Field

from orchestration.contracts import (
    Commit,
    CommitLog,
    DocumentStore,
    GraphHolding,
    GraphStore,
    Holding,
    SearchStore,
    VectorStore,
)
from orchestration.records import DocumentKey, Record

__all__ = ["EVERY", "LACKING", "Difference", "Verification", "documents_with"]

Entry = tuple[DocumentKey, str]
"""A document under an intent."""

EVERY: Final = "*"
"""Stands for all documents where a store is damaged as a whole."""

LACKING: Final = ("missing", "incomplete", "damaged")
"""Kinds of differences where a store lacks what is visible."""


class Difference(Record):
    """One disagreement."""

    key: DocumentKey = Field(description="The document; source and id '*' for a store as a whole.")
    intent_id: str = Field(description="Intent whose entries are wrong.")
    store: str = Field(description="ledger, search, vectors, documents, graph or projection.")
    kind: str = Field(
        description="missing, incomplete or damaged; leftover: entries of a write that was not committed; "
        "unrecorded: entries of a write that the ledger does not know, where it names others; derived: a "
        "concept of the projection whose counts do not follow from its claims."
    )


def documents_with(
    differences: Iterable[Difference], store: str, kinds: Sequence[str] = LACKING
) -> list[DocumentKey]:
    """List the documents with such a difference, each once, in order; not a store damaged as a whole."""
    whole_store = (EVERY, "damaged")
    return list(
        dict.fromkeys(
            each.key
            for each in differences
            if each.store == store and each.kind in kinds and (each.key.doc_id, each.kind) != whole_store
        )
    )


class Verification:
    """Compares the stores of one data folder."""

    def __init__(
        self,
        log: CommitLog,
        search: SearchStore,
        vectors: VectorStore,
        documents: DocumentStore,
        graph: GraphStore,
        is_alive: Callable[[str], bool],
        expects_graph: Callable[[Commit], bool],
    ) -> None:
        """`expects_graph`: whether a run would now commit this very document with a part of the graph."""
        self._log = log
        self._search = search
        self._vectors = vectors
        self._documents = documents
        self._graph = graph
        self._is_alive = is_alive
        self._expects_graph = expects_graph

    def differences(self, tenant_id: str) -> list[Difference]:
        """Every disagreement, by document; what live writers are at is none.

        Writers go on meanwhile, so only what is there at two looks counts.
        """
        damaged = self._damaged_stores(tenant_id)
        differences = self._look(tenant_id, damaged)
        if differences:  # finding damage reads a whole store: only reported damage is looked for again
            differences &= self._look(tenant_id, self._damaged_stores(tenant_id) if damaged else ())
        return sorted(
            differences,
            key=lambda difference: (
                difference.key.source,
                difference.key.doc_id,
                difference.store,
                difference.intent_id,
            ),
        )

    def _look(self, tenant_id: str, damaged: Collection[str]) -> set[Difference]:
        in_search = [] if "search" in damaged else list(self._search.holdings(tenant_id))
        in_vectors = list(self._vectors.holdings(tenant_id))
        of_model = {
            namespace: list(self._vectors.holdings(tenant_id, namespace=namespace))
            for namespace in self._log.namespaces(tenant_id)
        }
        in_graph = list(self._graph.holdings(tenant_id))
        at_work = self._at_work(tenant_id)  # after the holdings: what was started since is not among them
        commits = {(commit.key, commit.intent_id): commit for commit in self._log.committed(tenant_id)}
        differences = [_of_store(tenant_id, store) for store in damaged]
        leftovers: list[Difference] = []
        if "search" not in damaged:
            differences += _wanting("search", commits, in_search)
            leftovers += _leftovers("search", commits, in_search, at_work)
        differences += self._wanting_vectors(tenant_id, commits, of_model)
        leftovers += self._leftover_vectors(tenant_id, commits, in_vectors, at_work)
        if "documents" not in damaged:
            differences += self._of_documents(tenant_id, commits.values())
        differences += self._of_graph(commits.values(), in_graph, at_work)
        return set(self._with_unrecorded(differences, leftovers, commits))

    def _with_unrecorded(
        self,
        differences: Sequence[Difference],
        leftovers: Sequence[Difference],
        commits: Mapping[Entry, Commit],
    ) -> list[Difference]:
        """All differences; entries under intents that the ledger does not know may be its own loss.

        It lacks the document, or names a write whose entries are gone: then it was lost, or is an older copy.
        """
        recorded = self._log.recorded({each.intent_id for each in leftovers})
        unrecorded = [
            each for each in leftovers if each.intent_id not in recorded and each.key.doc_id != EVERY
        ]
        unknown = set(unrecorded)
        gone = {each.key for each in differences if (each.store, each.kind) == ("search", "missing")}
        whole = {key for key, _ in commits} - gone
        lacking = {each.key for each in unrecorded} - whole
        return (
            [each for each in differences if each.key not in lacking]
            + [each for each in leftovers if each not in unknown]
            + [_unrecorded(each, lacking) for each in unrecorded]
        )

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
        wanted = at_work | {intent_id for _, intent_id in commits}
        key = DocumentKey(tenant_id=tenant_id, source=EVERY, doc_id=EVERY)
        return _leftovers("vectors", commits, holdings, at_work) + [
            Difference(key=key, intent_id=intent_id, store="vectors", kind="leftover")
            for intent_id in self._vectors.damaged(tenant_id)
            if intent_id not in wanted
        ]

    def _of_graph(
        self, commits: Collection[Commit], holdings: Sequence[GraphHolding], at_work: set[str]
    ) -> list[Difference]:
        """Parts of the graph that commits name and the store lacks, and parts that no commit names."""
        whole = set(holdings)
        held = {(holding.key, holding.intent_id) for holding in holdings}
        named = {(commit.key, commit.graph_intent_id) for commit in commits}
        differences = [
            Difference(key=key, intent_id=intent_id, store="graph", kind="leftover")
            for key, intent_id in held - named
            if intent_id not in at_work
        ]
        without = [commit for commit in commits if commit.graph_intent_id is None]
        alike = {_as_made(commit): commit for commit in without}
        expected = {origin: self._expects_graph(commit) for origin, commit in alike.items()}
        for commit in commits:
            intent_id = commit.graph_intent_id
            if intent_id is None:
                kind = "missing" if expected[_as_made(commit)] else None
            elif (commit.key, intent_id) not in held:
                kind = "missing"
            else:
                wanted = GraphHolding(commit.key, intent_id, commit.entity_count, commit.claim_count)
                kind = None if wanted in whole else "incomplete"
            if kind is not None:
                differences.append(
                    Difference(key=commit.key, intent_id=intent_id or "", store="graph", kind=kind)
                )
        return differences

    def _of_documents(self, tenant_id: str, commits: Iterable[Commit]) -> list[Difference]:
        held = set(self._documents.held(tenant_id))
        return [
            Difference(key=commit.key, intent_id=commit.intent_id, store="documents", kind="missing")
            for commit in commits
            if (commit.key, commit.version, commit.fingerprint) not in held
        ]


def _as_made(commit: Commit) -> tuple[str, str, str]:
    """What documents that were made alike share."""
    return commit.pipeline, commit.namespace, commit.fingerprint


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


def _unrecorded(leftover: Difference, lacking: set[DocumentKey]) -> Difference:
    """What a leftover under an unknown intent says of the ledger."""
    if leftover.key in lacking:
        return leftover.model_copy(update={"store": "ledger", "kind": "missing"})
    return leftover.model_copy(update={"kind": "unrecorded"})
