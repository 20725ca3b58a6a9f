"""A connection to a real OpenSearch server, and a prefix of the test's own on it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from orchestration.stores.opensearch.connection import Connection
from tests.orchestration.opensearch import connected, own_prefix


@pytest.fixture
def connection() -> Iterator[Connection]:
    with connected() as opened:
        yield opened


@pytest.fixture
def prefix(connection: Connection) -> Iterator[str]:
    with own_prefix(connection) as name:
        yield name
