"""Semantic chunking: running text split where its topic shifts most, by Haystack's embedding-based splitter.

Comes in: a stretch of text as sentence groups, and a unit vector for each that the embedder pool has
computed. Leaves: runs of groups that belong together, and how coherent a run is. The splitter is given our
sentences (its own need NLTK's data, which it would download) and a document embedder that looks vectors up;
no model is here.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

import numpy as np
from haystack import Document, component
from haystack.components.preprocessors import EmbeddingBasedDocumentSplitter

from gpu_actors.chunking.chunk_profiles import SemanticSplit
from orchestration.records import Float32Matrix

__all__ = ["KnownVectors", "Stretch", "coherence", "semantic_runs"]

Stretch = tuple[int, int]


@component
class KnownVectors:
    """A Haystack document embedder that knows the vector of every text it will be asked for."""

    def __init__(self, vectors: Mapping[str, Float32Matrix]) -> None:
        self._vectors = vectors

    @component.output_types(documents=list[Document])
    def run(self, documents: list[Document]) -> dict[str, list[Document]]:
        """The documents with their embeddings; white space around a text does not count."""
        embedded = [
            replace(document, embedding=self._vectors[(document.content or "").strip()].tolist())
            for document in documents
        ]
        return {"documents": embedded}


@dataclass(frozen=True, slots=True)
class _Sentences:
    """In place of Haystack's sentence splitter: the groups, end to end."""

    pieces: Sequence[str]

    def split_sentences(self, text: str) -> list[dict[str, Any]]:
        """Every piece with its offsets; `text` is the pieces joined."""
        ends = np.cumsum([len(piece) for piece in self.pieces]).tolist()
        return [
            {"sentence": piece, "start": end - len(piece), "end": end}
            for piece, end in zip(self.pieces, ends, strict=True)
        ]


def semantic_runs(
    text: str, groups: Sequence[Stretch], vectors: Float32Matrix, split: SemanticSplit
) -> list[int]:
    """How many groups each run has, in order: parted where neighbours are less alike than elsewhere.

    `vectors`: unit vectors of the groups, float32 [groups, d]. One run if they are alike everywhere. The
    splitter's own offsets tell where runs begin, which is always at a group.
    """
    edges = [*(start for start, _ in groups), groups[-1][1]]
    known = {text[start:end]: vector for (start, end), vector in zip(groups, vectors, strict=True)}
    splitter = EmbeddingBasedDocumentSplitter(
        document_embedder=KnownVectors(known),
        sentences_per_group=1,
        percentile=split.percentile,
        min_length=split.least_characters,
        max_length=sys.maxsize,
    )
    sentences: Any = _Sentences([text[start:end] for start, end in pairwise(edges)])
    splitter.sentence_splitter = sentences
    parts = splitter.run([Document(content=text[edges[0] : edges[-1]])])["documents"]
    begins = [edges.index(edges[0] + int(part.meta["split_idx_start"])) for part in parts]
    return [stop - begin for begin, stop in pairwise([*begins, len(groups)])]


def coherence(vectors: Float32Matrix) -> float:
    """Mean cosine of neighbouring rows, unit vectors, in [-1, 1]; 1.0 where there is only one."""
    if len(vectors) < 2:
        return 1.0
    cosine = float((vectors[1:] * vectors[:-1]).sum(axis=1).mean())
    return round(min(1.0, max(-1.0, cosine)), 4)
