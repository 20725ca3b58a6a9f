"""An OpenSearch server that tests share, each under its own prefix; named by MEDKG_TEST_OPENSEARCH_URL."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from uuid import uuid4

import pytest

from orchestration.stores.opensearch.connection import Connection

SERVER = os.environ.get("MEDKG_TEST_OPENSEARCH_URL", "")


@contextmanager
def connected() -> Iterator[Connection]:
    """A connection to the server; skips the test if there is none."""
    if not SERVER:
        pytest.skip("needs MEDKG_TEST_OPENSEARCH_URL=http://HOST:PORT of an OpenSearch server")
    connection = Connection(SERVER)
    yield connection
    connection.close()


@contextmanager
def own_prefix(connection: Connection) -> Iterator[str]:
    """A prefix of index names, whose indexes and templates are removed in the end."""
    name = f"test-{uuid4().hex[:12]}"
    yield name
    connection.client.indices.delete(index=f"{name}-*", ignore=404)
    connection.client.indices.delete_index_template(name=f"{name}-*", ignore=404)
