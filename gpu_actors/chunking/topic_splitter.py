"""Haystack's EmbeddingBasedDocumentSplitter over sentence groups and vectors that are given.

Input: the texts of sentence groups with their unit vectors. Output: a splitter that parts the text between
groups. Haystack's own sentence splitter needs NLTK's data, which it would download; its document embedder is
replaced by a lookup, so no model is loaded. Imported only when a semantic chunk profile is used: importing
Haystack costs more than a second of CPU time.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from haystack import Document, component
from haystack.components.preprocessors import EmbeddingBasedDocumentSplitter

from gpu_actors.chunking.chunk_profiles import SemanticSplit
from orchestration.records import Float32Matrix

__all__ = ["KnownVectors", "split_starts"]


def split_starts(
    pieces: Sequence[str], vectors: Mapping[str, Float32Matrix], split: SemanticSplit
) -> list[int]:
    """Return the offsets, in the joined pieces, at which Haystack's splitter begins a part; the first is 0.

    `vectors`: unit vectors by piece, without white space at its ends, float32 [d].
    """
    splitter = EmbeddingBasedDocumentSplitter(
        document_embedder=KnownVectors(vectors),
        sentences_per_group=1,
        percentile=split.percentile,
        min_length=split.least_characters,
        max_length=sys.maxsize,
    )
    sentences: Any = _Sentences(pieces)
    splitter.sentence_splitter = sentences
    parts = splitter.run([Document(content="".join(pieces))])["documents"]
    return [int(part.meta["split_idx_start"]) for part in parts]


@component
class KnownVectors:
    """A Haystack document embedder that looks up the vector of every text."""

    def __init__(self, vectors: Mapping[str, Float32Matrix]) -> None:
        self._vectors = vectors

    @component.output_types(documents=list[Document])
    def run(self, documents: list[Document]) -> dict[str, list[Document]]:
        """Return the documents with their embeddings; ignores white space around a text."""
        embedded = [
            replace(document, embedding=self._vectors[(document.content or "").strip()].tolist())
            for document in documents
        ]
        return {"documents": embedded}


@dataclass(frozen=True, slots=True)
class _Sentences:
    """Replaces Haystack's sentence splitter: returns the pieces."""

    pieces: Sequence[str]

    def split_sentences(self, text: str) -> list[dict[str, Any]]:
        """Return every piece with its offsets; `text` is the pieces joined."""
        ends = np.cumsum([len(piece) for piece in self.pieces]).tolist()
        return [
            {"sentence": piece, "start": end - len(piece), "end": end}
            for piece, end in zip(self.pieces, ends, strict=True)
        ]
