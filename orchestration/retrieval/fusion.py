"""Fusion: several legs' candidates as one ranking.

Comes in: candidates by leg. Leaves: chunks with one score each, best first.

Reciprocal rank fusion: Cormack, Clarke, Buettcher, SIGIR 2009, https://doi.org/10.1145/1571941.1572114:
the sum of 1 / (k + rank), k = 60. Sum of z-scores: CombSUM (Fox, Shaw, TREC-2 1994) over scores that are
standardised in each leg (Montague, Aslam, CIKM 2001, https://doi.org/10.1145/502585.502657).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Final

import numpy as np

from orchestration.contracts import Candidate, ChunkRef

__all__ = ["CANDIDATES", "DEFAULT_FUSION", "FUSIONS", "Fusion", "reciprocal_rank", "z_scores"]

CANDIDATES: Final = 100
"""Candidates a leg gives to the fusion; a leg that gives fewer has found everything it can."""

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
    """Sum of each leg's standardised scores; what a leg did not find has its floor."""
    answered = [candidates for candidates in legs.values() if candidates]
    fused = dict.fromkeys((candidate.ref for leg in answered for candidate in leg), 0.0)
    for candidates in answered:
        scores, floor = _standardised(candidates, len(fused))
        for ref in fused:
            fused[ref] += scores.get(ref, floor)
    return _ranked(fused)


FUSIONS: Final[Mapping[str, Fusion]] = {"rrf": reciprocal_rank, "zscore": z_scores}

DEFAULT_FUSION: Final[Fusion] = z_scores
"""Chosen by measuring: docs/decisions/0009-fusion.md."""


def _standardised(candidates: Sequence[Candidate], found_by_any: int) -> tuple[dict[ChunkRef, float], float]:
    """Standardised scores by chunk, and that of a chunk the leg did not find.

    A full list goes on below its end, so its last score is the floor. A short one is all that matches: the
    rest scored nothing, and counts, or a single match (an identifier) would be worth no more than a miss.
    """
    scores = [candidate.score for candidate in candidates]
    floor = min(scores)
    spread = scores
    if len(candidates) < CANDIDATES:
        floor = min(0.0, floor)
        spread = scores + [floor] * (found_by_any - len(scores))
    mean, deviation = float(np.mean(spread)), float(np.std(spread)) or 1.0
    of_ref = {candidate.ref: (candidate.score - mean) / deviation for candidate in candidates}
    return of_ref, (floor - mean) / deviation


def _ranked(fused: Mapping[ChunkRef, float]) -> list[tuple[ChunkRef, float]]:
    return sorted(fused.items(), key=lambda pair: (-pair[1], pair[0].chunk_id))
