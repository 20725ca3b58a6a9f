"""Fusion: several legs' candidates as one ranking.

Reciprocal rank fusion: Cormack, Clarke, Buettcher (SIGIR 2009), score = sum of 1 / (k + rank), k = 60.
Sum of z-scores: each leg's scores standardised over its own candidates; what a leg did not find gets that
leg's lowest standardised score.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Final

import numpy as np

from orchestration.contracts import Candidate, ChunkRef

__all__ = ["DEFAULT_FUSION", "FUSIONS", "Fusion", "reciprocal_rank", "z_scores"]

RRF_K: Final = 60

Fusion = Callable[[Mapping[str, Sequence[Candidate]]], list[tuple[ChunkRef, float]]]
"""Candidates by leg to chunks with fused scores, best first; ties by chunk id."""


def reciprocal_rank(legs: Mapping[str, Sequence[Candidate]]) -> list[tuple[ChunkRef, float]]:
    """Reciprocal rank fusion with k = 60 and ranks from 1."""
    fused: dict[ChunkRef, float] = {}
    for candidates in legs.values():
        for rank, candidate in enumerate(candidates, start=1):
            fused[candidate.ref] = fused.get(candidate.ref, 0.0) + 1.0 / (RRF_K + rank)
    return _ranked(fused)


def z_scores(legs: Mapping[str, Sequence[Candidate]]) -> list[tuple[ChunkRef, float]]:
    """Sum of each leg's standardised scores."""
    standardised = [_standardised(candidates) for candidates in legs.values() if candidates]
    refs = {ref for scores in standardised for ref in scores}
    lowest = [min(scores.values()) for scores in standardised]
    return _ranked(
        {
            ref: sum(scores.get(ref, least) for scores, least in zip(standardised, lowest, strict=True))
            for ref in refs
        }
    )


FUSIONS: Final[Mapping[str, Fusion]] = {"rrf": reciprocal_rank, "zscore": z_scores}

DEFAULT_FUSION: Final[Fusion] = z_scores
"""Chosen by measuring: docs/decisions/0009-fusion.md."""


def _standardised(candidates: Sequence[Candidate]) -> dict[ChunkRef, float]:
    scores = np.array([candidate.score for candidate in candidates])
    deviation = float(scores.std()) or 1.0
    return {
        candidate.ref: float(score)
        for candidate, score in zip(candidates, (scores - scores.mean()) / deviation, strict=True)
    }


def _ranked(fused: Mapping[ChunkRef, float]) -> list[tuple[ChunkRef, float]]:
    return sorted(fused.items(), key=lambda pair: (-pair[1], pair[0].chunk_id))
