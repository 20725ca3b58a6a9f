"""The search store on a real OpenSearch server passes the suite."""

from __future__ import annotations

import pytest

from medkg.testing.search_store_suite import SearchStoreSuite
from orchestration.stores.opensearch.connection import Connection
from orchestration.stores.opensearch.search import OpenSearchSearch

needs_opensearch = pytest.mark.needs_service("opensearch")


@pytest.fixture
def store(connection: Connection, prefix: str) -> OpenSearchSearch:
    return OpenSearchSearch(connection, prefix)


@needs_opensearch
class TestOpenSearchSearch(SearchStoreSuite):
    sparse_tolerance = 8e-3
