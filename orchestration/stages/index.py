"""The index stage: stages a window's chunks and vectors in all stores under one intent.

Comes in: a document's embedding batch. Leaves: a receipt. Nothing is visible to readers until the
window's commit, which happens once, after every sink of the topology has written.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final, Self

from orchestration.contracts import IndexWriter, Isolation, Outcome, values_of
from orchestration.disk_space import unwritable_disk
from orchestration.errors import (
    ConfigurationError,
    PermanentError,
    StageContractError,
    StageFailedError,
    TransientError,
    UnavailableError,
)
from orchestration.records import EmbeddingBatch, IndexReceipt, StageContext
from orchestration.stages.services import StageServices

NO_DOCUMENTS_FAULT: Final = (TransientError, UnavailableError, ConfigurationError, StageContractError)
"""Errors of a store or of another stage, which no other documents would avoid."""


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
        (receipt,) = values_of(self._writer.stage(ctx.tenant_id, self._owner, [(ctx, batch)]))
        return receipt

    def execute_batch(
        self, items: Sequence[tuple[StageContext, EmbeddingBatch]]
    ) -> Sequence[Outcome[IndexReceipt]]:
        """All documents of one tenant under one intent: both stores are written, or neither counts.

        A document that a store refuses fails alone. Where a store fails without naming one, halves are
        staged, each under an intent, until the document that it fails on is alone.
        """
        try:
            return self._writer.stage(items[0][0].tenant_id, self._owner, items)
        except NO_DOCUMENTS_FAULT:
            raise
        except Exception as error:
            if (full := unwritable_disk(error)) is not None:
                raise full from error
            if len(items) == 1:
                raise
        middle = len(items) // 2
        return [*self._alone(items[:middle]), *self._alone(items[middle:])]

    def _alone(self, items: Sequence[tuple[StageContext, EmbeddingBatch]]) -> Sequence[Outcome[IndexReceipt]]:
        """The outcomes of a half; what a store raises for one document is its outcome."""
        try:
            return self.execute_batch(items)
        except NO_DOCUMENTS_FAULT:
            raise
        except PermanentError as error:
            return [error]
        except Exception as error:  # noqa: BLE001 - whatever a store raises for it is the document's failure
            ((ctx, _),) = items
            return [
                StageFailedError(
                    f"{ctx.doc_id}: a store raised {type(error).__name__}: {error}. Report it with the "
                    "document, then `medkg dlq replay`."
                )
            ]
