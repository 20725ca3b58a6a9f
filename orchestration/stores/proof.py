"""Commits that the stores prove: which documents were visible, when the ledger was lost or is an older copy.

Comes in: the stores and the entries that the ledger does not know. Leaves: one commit per document, of the
write that most of the stores hold. Of two whole writes of a document nothing says which came later, so the
choice is only repeatable; the other's entries stay, and verification lists them as unrecorded.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from orchestration.contracts import Commit, DocumentStore, Holding, Provenance, SearchStore, VectorStore
from orchestration.records import DocumentKey

__all__ = ["UNKNOWN", "Proven", "proven_commits"]

UNKNOWN: Final = "unknown"
"""Pipeline or fingerprint that no store knows: the document is processed again by the next run."""

Entry = tuple[DocumentKey, str]
PipelineOf = Callable[[str, str], str | None]
"""The topology that gives documents this fingerprint with this dense model, if one does now."""


@dataclass(frozen=True, slots=True)
class Proven:
    """A commit and the version of its topology."""

    commit: Commit
    pipeline_version: str


@dataclass(frozen=True, slots=True)
class _Write:
    """What stores hold of one document under one intent."""

    intent_id: str
    in_search: int
    in_vectors: Mapping[str, int]
    """Vectors by model."""
    versions: Collection[str]
    parsed: Provenance | None

    @property
    def chunk_count(self) -> int:
        return self.in_search or max(self.in_vectors.values(), default=0)

    @property
    def namespace(self) -> str | None:
        """The model with a vector for each chunk."""
        whole = [model for model, count in self.in_vectors.items() if count == self.chunk_count]
        return min(whole, default=None)

    @property
    def rank(self) -> tuple[bool, bool, bool, int, str]:
        """Order of belief, the best last."""
        return (
            self.in_search > 0,
            self.namespace is not None,
            self.parsed is not None,
            self.chunk_count,
            self.intent_id,
        )


def proven_commits(
    tenant_id: str,
    lacking: Iterable[Entry],
    stores: tuple[SearchStore, VectorStore, DocumentStore],
    models: Sequence[str],
    pipeline_of: PipelineOf,
) -> list[Proven]:
    """Commits of the entries that the ledger lacks, one per document.

    `models`: dense models whose vectors may be held; the first one counts where there are none.
    """
    search, vectors, documents = stores
    intents = defaultdict(set)
    for key, intent_id in lacking:
        intents[key].add(intent_id)
    in_search = _counted(search.holdings(tenant_id))
    in_vectors = {model: _counted(vectors.holdings(tenant_id, namespace=model)) for model in models}
    parsed: dict[DocumentKey, list[Provenance]] = defaultdict(list)
    for document in documents.provenance(tenant_id):
        if document.key in intents:
            parsed[document.key].append(document)
    proven = []
    for key in sorted(intents, key=lambda each: (each.source, each.doc_id)):
        writes = [
            _write(
                (key, intent_id),
                in_search,
                in_vectors,
                {chunk.version for chunk in search.document_chunks(key, intent_id)},
                parsed[key],
            )
            for intent_id in intents[key]
        ]
        commit = _commit(key, max(writes, key=lambda write: write.rank), models[0], pipeline_of)
        if commit is not None:
            proven.append(commit)
    return proven


def _write(
    entry: Entry,
    in_search: Mapping[Entry, int],
    in_vectors: Mapping[str, Mapping[Entry, int]],
    versions: Collection[str],
    parsed: Sequence[Provenance],
) -> _Write:
    """What is held of an entry, with the parsed document that its chunks are of."""
    fitting = [document for document in parsed if not versions or document.version in versions]
    return _Write(
        entry[1],
        in_search.get(entry, 0),
        {model: counts[entry] for model, counts in in_vectors.items() if entry in counts},
        versions,
        max(fitting, key=lambda document: (document.pipeline, document.fingerprint), default=None),
    )


def _commit(key: DocumentKey, write: _Write, model: str, pipeline_of: PipelineOf) -> Proven | None:
    """The commit of a write; None where neither chunks nor a parsed document say which version it is."""
    version = write.parsed.version if write.parsed else next(iter(sorted(write.versions)), None)
    if version is None:
        return None
    namespace = write.namespace or model
    fingerprint = write.parsed.fingerprint if write.parsed else UNKNOWN
    pipeline = (write.parsed.pipeline if write.parsed else "") or pipeline_of(fingerprint, namespace)
    return Proven(
        Commit(
            key=key,
            version=version,
            fingerprint=fingerprint,
            pipeline=pipeline or UNKNOWN,
            intent_id=write.intent_id,
            chunk_count=write.chunk_count,
            namespace=namespace,
            revision=write.parsed.revision if write.parsed else None,
        ),
        write.parsed.pipeline_version if write.parsed else UNKNOWN,
    )


def _counted(holdings: Iterable[Holding]) -> dict[Entry, int]:
    counts: dict[Entry, int] = defaultdict(int)
    for holding in holdings:
        counts[(holding.key, holding.intent_id)] += holding.chunk_count
    return counts
