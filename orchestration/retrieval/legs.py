"""Legs: the retrievers of the hybrid. BM25 by words, sparse by learned term weights, dense by embeddings.

Comes in: a query. Leaves: visible candidates, best first. A leg may raise: the search continues without it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final, Protocol

from orchestration.contracts import Candidate, Filters, SearchStore, SparseVectors, VectorStore, Visible
from orchestration.records import Float32Matrix

__all__ = ["DEEPENING", "MODEL_LEGS", "Bm25Leg", "DenseLeg", "Encode", "EncodeSparse", "Leg", "SparseLeg"]

MODEL_LEGS: Final = ("sparse", "dense")
"""Names of the legs that encode the query with a model."""

DEEPENING: Final = 4
"""Factor by which a leg is queried deeper when too few of its candidates can be used."""

Encode = Callable[[Sequence[str]], tuple[Float32Matrix, str]]
"""Encodes texts as unit vectors, float32 [n, d]; also returns the id of the model."""

EncodeSparse = Callable[[Sequence[str]], SparseVectors]
"""Encodes texts as term weights, one row per text."""


class Leg(Protocol):
    """One retriever of the hybrid; may raise, and is then left out."""

    name: str

    def search(
        self, tenant_id: str, query: str, limit: int, filters: Filters, visible: Visible
    ) -> list[Candidate]:
        """Candidates, best first."""
        ...


class Bm25Leg:
    """Chunks that contain words of the query, by BM25."""

    name = "bm25"

    def __init__(self, store: SearchStore) -> None:
        self._store = store

    def search(
        self, tenant_id: str, query: str, limit: int, filters: Filters, visible: Visible
    ) -> list[Candidate]:
        """Candidates by BM25."""
        return self._store.bm25(tenant_id, query, limit, filters, visible)


class SparseLeg:
    """Chunks that share terms with the query as the sparse model expands it, by inner product of weights."""

    name = "sparse"

    def __init__(self, store: SearchStore, encode: EncodeSparse) -> None:
        self._store = store
        self._encode = encode

    def search(
        self, tenant_id: str, query: str, limit: int, filters: Filters, visible: Visible
    ) -> list[Candidate]:
        """Candidates by term weights."""
        return self._store.sparse(tenant_id, self._encode([query]), limit, filters, visible)


class DenseLeg:
    """Chunks near the query in meaning, by inner product of vectors of the same model."""

    name = "dense"

    def __init__(self, store: VectorStore, encode: Encode) -> None:
        self._store = store
        self._encode = encode

    def search(
        self, tenant_id: str, query: str, limit: int, filters: Filters, visible: Visible
    ) -> list[Candidate]:
        """Candidates by cosine."""
        vectors, model_id = self._encode([query])
        return self._store.search(tenant_id, model_id, vectors[0], limit, filters, visible)
