"""A real OpenSearch server, and a prefix of a test's own on it, whose indexes are removed in the end."""

from __future__ import annotations

import os
from collections.abc import Iterator
from uuid import uuid4

import pytest

from orchestration.stores.opensearch.connection import Connection

URL = os.environ.get("MEDKG_TEST_OPENSEARCH_URL", "")


@pytest.fixture
def connection() -> Iterator[Connection]:
    if not URL:
        pytest.skip("needs MEDKG_TEST_OPENSEARCH_URL=http://HOST:PORT of an OpenSearch server")
    opened = Connection(URL)
    yield opened
    opened.close()


@pytest.fixture
def prefix(connection: Connection) -> Iterator[str]:
    name = f"test-{uuid4().hex[:12]}"
    yield name
    connection.client.indices.delete(index=f"{name}-*", ignore=404)
    connection.client.indices.delete_index_template(name=f"{name}-*", ignore=404)
