"""What every vector store asks of the rows and vectors that it is to write."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from orchestration.contracts import VectorRow
from orchestration.errors import StageContractError
from orchestration.records import Float32Matrix
from orchestration.stores.entry_limits import check_entries, refused

__all__ = ["check_vectors"]


def check_vectors(intent_id: str, rows: Sequence[VectorRow], dense: Float32Matrix) -> None:
    """Raises StageContractError unless there is a vector for each row.

    Raises DocumentsRefusedError for documents with a vector that is not finite numbers, or with an id or a
    facet that no store takes.
    """
    if len(rows) != len(dense):
        raise StageContractError(
            f"intent {intent_id}: {len(rows)} chunks with {len(dense)} vectors. This is a defect of the "
            "embed stage; please report it."
        )
    check_entries((row.key, row.chunk_id, row.facets) for row in rows)
    finite = np.asarray(np.isfinite(dense).all(axis=1))
    if not finite.all():
        raise refused(
            {
                row.key: f"the vector of {row.chunk_id} has values that are not finite"
                for row, is_finite in zip(rows, finite, strict=True)
                if not is_finite
            }
        )
