"""The kg stage: stages the mentions and claims of a window's documents for the graph under one intent.

Input: a document's entities and claims. Output: a receipt. Nothing is visible to readers until the window's
commit, which happens once, after every sink of the topology has written.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Self

from orchestration.contracts import Extraction, GraphWriter, Isolation, Outcome, values_of
from orchestration.records import Claim, Entity, GraphWriteReceipt, StageContext
from orchestration.stages.services import StageServices


class Kg:
    """KGStage over the graph's writer."""

    version = "1"
    isolation = Isolation.INLINE

    def __init__(self, writer: GraphWriter, owner: str) -> None:
        self._writer = writer
        self._owner = owner

    @classmethod
    def from_services(cls, config: Mapping[str, Any], services: StageServices) -> Self:
        return cls(services.graph, services.owner, **config)

    def execute(self, ctx: StageContext, entities: list[Entity], claims: list[Claim]) -> GraphWriteReceipt:
        """Stage one document; raises UnavailableError when the store cannot be written."""
        (receipt,) = values_of(self.execute_batch([(ctx, (entities, claims))]))
        return receipt

    def execute_batch(
        self, items: Sequence[tuple[StageContext, Extraction]]
    ) -> Sequence[Outcome[GraphWriteReceipt]]:
        """All documents of one tenant under one intent."""
        if not items:
            return []
        return self._writer.stage(items[0][0].tenant_id, self._owner, items)
