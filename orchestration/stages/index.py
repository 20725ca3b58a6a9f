"""The index stage: stages a window's chunks and vectors in all stores under one intent.

Comes in: a document's embedding batch. Leaves: a receipt. Nothing is visible to readers until the
window's commit, which happens once, after every sink of the topology has written.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Self

from orchestration.contracts import IndexWriter, Isolation, Outcome
from orchestration.records import EmbeddingBatch, IndexReceipt, StageContext
from orchestration.stages.services import StageServices


class Index:
    """IndexStage over the dual write."""

    version = "1"
    isolation = Isolation.INLINE

    def __init__(self, writer: IndexWriter, owner: str) -> None:
        self._writer = writer
        self._owner = owner

    @classmethod
    def from_services(cls, config: Mapping[str, Any], services: StageServices) -> Self:
        return cls(services.index, services.owner, **config)

    def execute(self, ctx: StageContext, batch: EmbeddingBatch) -> IndexReceipt:
        """Stage one document; raises UnavailableError when a store cannot be written."""
        (receipt,) = self._writer.stage(ctx.tenant_id, self._owner, [(ctx, batch)])
        return receipt

    def execute_batch(
        self, items: Sequence[tuple[StageContext, EmbeddingBatch]]
    ) -> Sequence[Outcome[IndexReceipt]]:
        """All documents of one tenant under one intent: both stores are written, or neither counts."""
        tenant_id = items[0][0].tenant_id
        return self._writer.stage(tenant_id, self._owner, items)
