"""Mentions and claims made again from parsed documents, for commits whose part of the graph is lost.

Input: commits, and what extracts as a topology does. Output: the same documents under new intents that their
commits name, switched to in one transaction. A document that a run commits meanwhile keeps the run's part.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from functools import partial

from orchestration.batching import batched
from orchestration.contracts import (
    Commit,
    CommitLog,
    DocumentStore,
    Extraction,
    GraphWriter,
    IndexWriter,
    Outcome,
)
from orchestration.errors import MedkgError
from orchestration.processes.child_process import own_identity
from orchestration.records import Document, DocumentKey
from orchestration.stores.restored_entries import DOCUMENTS_AT_ONCE, context_of, from_parsed

__all__ = ["Extract", "RestoredGraph"]

Extract = Callable[[str, Sequence[Document]], Sequence[Outcome[Extraction]]]
"""Extractions of documents as a topology makes them, one outcome per document."""

ExtractedAs = Callable[[Commit], tuple[str | None, str | None]]
"""Fingerprints of a document's parsed form and of its extraction now; None: not known."""


class RestoredGraph:
    """Makes lost parts of one data folder's graph again."""

    def __init__(
        self,
        log: CommitLog,
        documents: DocumentStore,
        index: IndexWriter,
        writer: GraphWriter,
        extract: Extract,
        extracted_as: ExtractedAs,
    ) -> None:
        self._log = log
        self._documents = documents
        self._index = index
        self._writer = writer
        self._extract = extract
        self._extracted_as = extracted_as

    def extractions(self, commits: Sequence[Commit]) -> dict[DocumentKey, str]:
        """Extract documents again; returns those that could not be, with the reason."""
        reasons: dict[DocumentKey, str] = {}
        of_pipeline: dict[tuple[str, str], list[Commit]] = defaultdict(list)
        for commit in commits:
            of_pipeline[(commit.key.tenant_id, commit.pipeline)].append(commit)
        for (tenant_id, pipeline), of_one in of_pipeline.items():
            for some in batched(of_one, DOCUMENTS_AT_ONCE):
                reasons |= self._again(tenant_id, pipeline, some)
        return reasons

    def _again(self, tenant_id: str, pipeline: str, commits: Sequence[Commit]) -> dict[DocumentKey, str]:
        extracted, reasons = from_parsed(self._documents, partial(self._extract, pipeline), commits)
        self._switch(tenant_id, extracted)
        return reasons

    def _switch(self, tenant_id: str, extracted: Sequence[tuple[Commit, Extraction]]) -> None:
        """Stage the rows and have the commits name them; what a run has committed meanwhile stays."""
        items = [(context_of(commit), extraction) for commit, extraction in extracted]
        pairs: list[tuple[Commit, Commit]] = []
        receipts = self._writer.stage(tenant_id, own_identity(), items)
        for (commit, _), receipt in zip(extracted, receipts, strict=True):
            if isinstance(receipt, MedkgError):
                raise receipt
            parse, graph = self._extracted_as(commit)
            written = {
                "parse_fingerprint": parse,
                "graph_fingerprint": graph,
                "graph_intent_id": receipt.intent_id,
                "entity_count": receipt.entity_count,
                "claim_count": receipt.claim_count,
            }
            pairs.append((commit, commit.model_copy(update=written)))
        done = {commit.key for commit in self._log.relabel(pairs)}
        self._index.clean([old if old.key in done else new for old, new in pairs])
