"""Semantic chunking: running text split where its topic shifts most, by Haystack's embedding-based splitter.

Input: a stretch of text as sentence groups, and the unit vector of each, which the embedder pool has
computed. Output: runs of groups that belong together, and the coherence of a run. topic_splitter.py calls
Haystack.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from gpu_actors.chunking.chunk_profiles import SemanticSplit
from orchestration.records import Float32Matrix

__all__ = ["Stretch", "coherence", "semantic_runs"]

Stretch = tuple[int, int]
"""Start and end of a piece of text, in characters."""


def semantic_runs(
    text: str, groups: Sequence[Stretch], vectors: Float32Matrix, split: SemanticSplit
) -> list[int]:
    """Return the number of groups in each run, in order; runs are split where neighbours are least similar.

    `vectors`: unit vectors of the groups, float32 [groups, d]. One run if all neighbours are equally similar.
    A run always begins at the start of a group, which the splitter's own offsets confirm.
    """
    from gpu_actors.chunking.topic_splitter import split_starts

    edges = [*(start for start, _ in groups), groups[-1][1]]
    known = {text[start:end]: vector for (start, end), vector in zip(groups, vectors, strict=True)}
    pieces = [text[start:end] for start, end in pairwise(edges)]
    starts = [edges.index(edges[0] + start) for start in split_starts(pieces, known, split)]
    return [end - start for start, end in pairwise([*starts, len(groups)])]


def coherence(vectors: Float32Matrix) -> float:
    """Return the mean cosine of neighbouring rows, unit vectors, in [-1, 1]; 1.0 for a single row."""
    if len(vectors) < 2:
        return 1.0
    cosine = float((vectors[1:] * vectors[:-1]).sum(axis=1).mean())
    return round(min(1.0, max(-1.0, cosine)), 4)
