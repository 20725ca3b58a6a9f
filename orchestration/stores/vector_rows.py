"""What every vector store asks of the rows and vectors that it is to write."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from orchestration.contracts import VectorRow
from orchestration.errors import StageContractError
from orchestration.records import Float32Matrix

__all__ = ["check_vectors"]


def check_vectors(intent_id: str, rows: Sequence[VectorRow], dense: Float32Matrix) -> None:
    """Raises StageContractError unless there is a vector of finite numbers for each row."""
    if len(rows) != len(dense) or not np.isfinite(dense).all():
        raise StageContractError(
            f"intent {intent_id}: {len(rows)} chunks with {len(dense)} vectors, or vectors that are not "
            "finite numbers. This is a defect of the embed stage; please report it."
        )
