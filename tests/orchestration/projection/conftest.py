"""A Neo4j server and a ledger for each test."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.orchestration.neo4j import Server, connected
from tests.orchestration.projection.graph_ledger import GraphLedger


@pytest.fixture
def server() -> Iterator[Server]:
    with connected() as running:
        yield running


@pytest.fixture
def graph(tmp_path: Path, server: Server) -> Iterator[GraphLedger]:
    ledger = GraphLedger(tmp_path, server.tenant())
    yield ledger
    ledger.ledger.close()
