"""The write of a window's mentions and claims: rows under an intent, invisible until the commit names it.

A crash in between leaves rows of an intent without a commit, which no reader sees and DualWrite.recover
removes with what other stores hold of it.
"""

from __future__ import annotations

from collections.abc import Sequence

from orchestration.contracts import (
    CommitLog,
    DocumentFacts,
    DocumentStore,
    Extraction,
    GraphStore,
    Outcome,
    document_facts,
)
from orchestration.records import DocumentKey, GraphWriteReceipt, StageContext
from orchestration.tracing import span

__all__ = ["GraphWrite"]


class GraphWrite:
    """GraphWriter over a graph store; facts of documents come from the parsed ones."""

    def __init__(self, log: CommitLog, graph: GraphStore, documents: DocumentStore) -> None:
        self._log = log
        self._graph = graph
        self._documents = documents

    def stage(
        self, tenant_id: str, owner: str, items: Sequence[tuple[StageContext, Extraction]]
    ) -> list[Outcome[GraphWriteReceipt]]:
        """Write the extractions under one intent; see GraphWriter.stage."""
        if not items:
            return []
        intent = self._log.open_intent(tenant_id, owner, [ctx.key for ctx, _ in items])
        written = [(ctx.key, extraction) for ctx, extraction in items]
        with span("write graph", {"medkg.store": "ledger", "medkg.documents": len(items)}, kind="client"):
            self._graph.write(intent.intent_id, written, self._facts([ctx for ctx, _ in items]))
        return [
            GraphWriteReceipt(
                key=ctx.key,
                version=ctx.version,
                fingerprint=ctx.fingerprint,
                intent_id=intent.intent_id,
                entity_count=len(entities),
                claim_count=len(claims),
            )
            for ctx, (entities, claims) in items
        ]

    def _facts(self, contexts: Sequence[StageContext]) -> dict[DocumentKey, DocumentFacts]:
        """Facts of the documents that are kept; a topology that keeps none has none."""
        facts = {}
        for ctx in contexts:
            document = self._documents.get(ctx.key, ctx.version, ctx.fingerprint)
            if document is not None:
                facts[ctx.key] = document_facts(document)
        return facts

    def lost(self, receipts: Sequence[GraphWriteReceipt]) -> list[GraphWriteReceipt]:
        """Receipts whose rows the store does not hold any more; see GraphWriter.lost."""
        held = {
            holding
            for tenant_id, intent_id in {(receipt.key.tenant_id, receipt.intent_id) for receipt in receipts}
            for holding in self._graph.holdings(tenant_id, intent_id)
        }
        return [
            receipt
            for receipt in receipts
            if (receipt.key, receipt.intent_id, receipt.entity_count, receipt.claim_count) not in held
        ]
