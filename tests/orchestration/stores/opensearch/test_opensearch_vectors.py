"""The vector store on a real OpenSearch server passes the suite, comparing all and by HNSW."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from medkg.testing.builders import TENANT
from medkg.testing.vector_store_suite import EAST, MODEL, VectorStoreSuite, a_row, everything
from orchestration.contracts import Filters
from orchestration.errors import ConfigurationError
from orchestration.stores.opensearch.connection import Connection
from orchestration.stores.opensearch.vectors import OpenSearchVectors

pytestmark = pytest.mark.needs_service("opensearch")


@pytest.fixture(params=[0, 10_000], ids=["hnsw", "all"])
def reopen(
    connection: Connection, prefix: str, request: pytest.FixtureRequest
) -> Callable[[], OpenSearchVectors]:
    return lambda: OpenSearchVectors(connection, prefix, exact_below=request.param)


@pytest.fixture
def store(reopen: Callable[[], OpenSearchVectors]) -> OpenSearchVectors:
    return reopen()


class TestOpenSearchVectors(VectorStoreSuite):
    pass


def test_vectors_of_other_dimensions_are_named(store: OpenSearchVectors) -> None:
    store.write(TENANT, MODEL, "i1", [a_row()], EAST[None])
    with pytest.raises(ConfigurationError, match="3 dimensions"):
        store.write(TENANT, MODEL, "i2", [a_row("2")], np.ones((1, 3), np.float32))
    with pytest.raises(ConfigurationError, match="3 dimensions"):
        store.search(TENANT, MODEL, np.ones(3, np.float32), 5, Filters(), everything)
