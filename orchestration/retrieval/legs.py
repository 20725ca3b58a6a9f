"""Legs: one way each to find candidates. BM25 by words, sparse by words and their kin, dense by meaning.

Comes in: a query. Leaves: visible candidates, best first. A leg may raise: the search goes on without it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

from orchestration.contracts import Candidate, Filters, SearchStore, SparseVectors, VectorStore, Visible
from orchestration.records import Float32Matrix

__all__ = ["Bm25Leg", "DenseLeg", "Encode", "Expand", "Leg", "SparseLeg"]

Encode = Callable[[Sequence[str]], tuple[Float32Matrix, str]]
"""Texts to unit vectors, float32 [n, d], and the id of the model that made them."""

Expand = Callable[[Sequence[str]], SparseVectors]
"""Texts to term weights, a row each."""


class Leg(Protocol):
    """One retriever of the hybrid; may raise, and is then left out."""

    name: str

    def search(
        self, tenant_id: str, query: str, limit: int, filters: Filters, visible: Visible
    ) -> list[Candidate]:
        """Candidates, best first."""
        ...


class Bm25Leg:
    """Words of the query, by BM25."""

    name = "bm25"

    def __init__(self, store: SearchStore) -> None:
        self._store = store

    def search(
        self, tenant_id: str, query: str, limit: int, filters: Filters, visible: Visible
    ) -> list[Candidate]:
        """Candidates by BM25."""
        return self._store.bm25(tenant_id, query, limit, filters, visible)


class SparseLeg:
    """Words of the query and what the sparse model adds to them, by inner product of term weights."""

    name = "sparse"

    def __init__(self, store: SearchStore, expand: Expand) -> None:
        self._store = store
        self._expand = expand

    def search(
        self, tenant_id: str, query: str, limit: int, filters: Filters, visible: Visible
    ) -> list[Candidate]:
        """Candidates by term weights."""
        return self._store.sparse(tenant_id, self._expand([query]), limit, filters, visible)


class DenseLeg:
    """Meaning of the query, by inner product with chunk vectors of the same model."""

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
