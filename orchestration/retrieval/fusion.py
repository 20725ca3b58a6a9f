"""Fusion: several legs' candidates as one ranking.

Comes in: candidates by leg. Leaves: chunks with one score each, best first. Each fusion has a name, by which
commands and pipelines choose it.

Reciprocal rank fusion: Cormack, Clarke, Buettcher, SIGIR 2009, https://doi.org/10.1145/1571941.1572114:
the sum of 1 / (k + rank), k = 60; weighted, each leg's term is multiplied by its weight
(https://www.elastic.co/docs/reference/elasticsearch/rest-apis/reciprocal-rank-fusion). Sum of z-scores:
CombSUM (Fox, Shaw, TREC-2 1994) over scores that are standardised in each leg (Montague, Aslam, CIKM 2001,
https://doi.org/10.1145/502585.502657). Distribution-based: Mazzeschi 2023,
https://github.com/atlantis-nova/hybrid-dbsf: scores scaled so that the mean - 3 deviations is 0 and the mean
+ 3 deviations is 1, then summed; so does https://qdrant.tech/documentation/concepts/hybrid-queries/.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Final

import numpy as np

from orchestration.contracts import Candidate, ChunkRef
from orchestration.errors import UsageError

__all__ = [
    "CANDIDATES",
    "DEFAULT_FUSION",
    "FUSIONS",
    "LEG_WEIGHTS",
    "Fusion",
    "distribution_based",
    "fusion_named",
    "reciprocal_rank",
    "weighted_reciprocal_rank",
    "z_scores",
]

CANDIDATES: Final = 100
"""Candidates per leg that are fused; a leg that returns fewer has no more."""

RRF_K: Final = 60

LEG_WEIGHTS: Final[Mapping[str, float]] = {"dense": 1.5}
"""Default weights of `weighted-rrf`; other legs have weight 1."""

Fusion = Callable[[Mapping[str, Sequence[Candidate]]], list[tuple[ChunkRef, float]]]
"""Takes candidates by leg; returns chunks with fused scores, best first, ties by chunk id."""


def reciprocal_rank(legs: Mapping[str, Sequence[Candidate]]) -> list[tuple[ChunkRef, float]]:
    """Reciprocal rank fusion with k = 60 and ranks from 1."""
    return weighted_reciprocal_rank(legs, {})


def weighted_reciprocal_rank(
    legs: Mapping[str, Sequence[Candidate]], weights: Mapping[str, float] = LEG_WEIGHTS
) -> list[tuple[ChunkRef, float]]:
    """Reciprocal rank fusion, each leg's terms multiplied by its weight (default 1)."""
    fused: dict[ChunkRef, float] = {}
    for leg, candidates in legs.items():
        weight = weights.get(leg, 1.0)
        for rank, candidate in enumerate(candidates, start=1):
            fused[candidate.ref] = fused.get(candidate.ref, 0.0) + weight / (RRF_K + rank)
    return _ranked(fused)


def z_scores(legs: Mapping[str, Sequence[Candidate]]) -> list[tuple[ChunkRef, float]]:
    """Sum of each leg's standardised scores; chunks that a leg did not find get the leg's floor."""
    answered = [candidates for candidates in legs.values() if candidates]
    fused = dict.fromkeys((candidate.ref for leg in answered for candidate in leg), 0.0)
    for candidates in answered:
        scores, floor = _standardised(candidates, len(fused))
        for ref in fused:
            fused[ref] += scores.get(ref, floor)
    return _ranked(fused)


def distribution_based(legs: Mapping[str, Sequence[Candidate]]) -> list[tuple[ChunkRef, float]]:
    """Sum of each leg's scores scaled by its mean +- 3 deviations; chunks that a leg did not find get 0.

    Scores are not clipped at the limits, so an outlier keeps its lead. Where all are equal, each gets 0.5.
    """
    fused: dict[ChunkRef, float] = {}
    for candidates in filter(None, legs.values()):
        scores = [candidate.score for candidate in candidates]
        mean, deviation = float(np.mean(scores)), float(np.std(scores)) or 1.0
        for candidate in candidates:
            scaled = 0.5 + (candidate.score - mean) / (6 * deviation)
            fused[candidate.ref] = fused.get(candidate.ref, 0.0) + scaled
    return _ranked(fused)


FUSIONS: Final[Mapping[str, Fusion]] = {
    "rrf": reciprocal_rank,
    "weighted-rrf": weighted_reciprocal_rank,
    "zscore": z_scores,
    "dbsf": distribution_based,
}

DEFAULT_FUSION: Final[Fusion] = z_scores
"""Chosen by measurement: docs/decisions/0009-fusion.md."""


def fusion_named(name: str) -> Fusion:
    """The fusion of that name; `weighted-rrf:bm25=1:dense=2` sets weights. Raises UsageError if unknown."""
    kind, *parts = name.split(":")
    if kind not in FUSIONS or (parts and kind != "weighted-rrf"):
        raise UsageError(
            f"no fusion {name!r}; available: {', '.join(FUSIONS)}, and weighted-rrf:LEG=WEIGHT:LEG=WEIGHT."
        )
    return partial(weighted_reciprocal_rank, weights=_weights(name, parts)) if parts else FUSIONS[kind]


def _weights(name: str, parts: Sequence[str]) -> dict[str, float]:
    """Weights by leg; raises UsageError unless each part is LEG=NUMBER with a number from 0 to 1000."""
    weights: dict[str, float] = {}
    for part in parts:
        leg, _, number = part.partition("=")
        try:
            weights[leg] = float(number)
        except ValueError:
            weights[leg] = -1.0
        if not leg or not 0 <= weights[leg] <= 1000:
            raise UsageError(
                f"fusion {name!r}: {part!r} is not a weight; write LEG=NUMBER with a number from 0 to 1000, "
                "as in weighted-rrf:bm25=1:dense=1.5."
            )
    return weights


def _standardised(candidates: Sequence[Candidate], fused_count: int) -> tuple[dict[ChunkRef, float], float]:
    """Standardised scores by chunk, and the score of a chunk that the leg did not find.

    A full list continues below its end, so its last score is the floor. A short list holds every match: the
    other chunks score 0 and count, or a single match (an identifier) would score no more than a miss.
    """
    scores = [candidate.score for candidate in candidates]
    floor = min(scores)
    spread = scores
    if len(candidates) < CANDIDATES:
        floor = min(0.0, floor)
        spread = scores + [floor] * (fused_count - len(scores))
    mean, deviation = float(np.mean(spread)), float(np.std(spread)) or 1.0
    of_ref = {candidate.ref: (candidate.score - mean) / deviation for candidate in candidates}
    return of_ref, (floor - mean) / deviation


def _ranked(fused: Mapping[ChunkRef, float]) -> list[tuple[ChunkRef, float]]:
    return sorted(fused.items(), key=lambda pair: (-pair[1], pair[0].chunk_id))
