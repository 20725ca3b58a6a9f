"""A data folder with real stores and a search over it, for each test."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest

from orchestration.contracts import Candidate, Filters, Visible
from orchestration.records import Float32Matrix
from orchestration.retrieval.budgets import Budgets
from orchestration.retrieval.fusion import DEFAULT_FUSION
from orchestration.retrieval.legs import Bm25Leg, DenseLeg, Leg, SparseLeg
from orchestration.retrieval.reranking import Reranker
from orchestration.retrieval.search import HybridSearch, Observe
from tests.orchestration.stores.data_folder import MODEL, DataFolder, encode, expand, opened

PATIENT = Budgets(total_seconds=60.0, other_legs_seconds=30.0)


def query_vectors(texts: Sequence[str]) -> tuple[Float32Matrix, str]:
    return encode(texts), MODEL


class ALeg:
    """A leg that calls a function instead of searching."""

    def __init__(self, name: str, do: Callable[[], list[Candidate]]) -> None:
        self.name = name
        self._do = do

    def search(
        self, tenant_id: str, query: str, limit: int, filters: Filters, visible: Visible
    ) -> list[Candidate]:
        return self._do()


@pytest.fixture
def data(tmp_path: Path) -> Iterator[DataFolder]:
    with opened(tmp_path) as folder:
        yield folder


@pytest.fixture
def make_search(data: DataFolder) -> Iterator[Callable[..., HybridSearch]]:
    searches: list[HybridSearch] = []

    def make(
        *legs: Leg,
        budgets: Budgets = PATIENT,
        reranker: Reranker | None = None,
        observe: Observe | None = None,
    ) -> HybridSearch:
        chosen = legs or (
            Bm25Leg(data.search),
            SparseLeg(data.search, expand),
            DenseLeg(data.vectors, query_vectors),
        )
        search = HybridSearch(
            data.log, data.search, chosen, DEFAULT_FUSION, budgets, reranker, observe=observe
        )
        searches.append(search)
        return searches[-1]

    yield make
    for search in searches:
        search.close()
