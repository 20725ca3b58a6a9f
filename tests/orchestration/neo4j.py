"""A Neo4j server that tests share, each with its own tenants; named by MEDKG_TEST_NEO4J_URI."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from uuid import uuid4

import pytest

SERVER = os.environ.get("MEDKG_TEST_NEO4J_URI", "")


class Server:
    """The server as a user of Cypher sees it: a synchronous driver, and nothing of medkg."""

    def __init__(self, driver: Any, prefix: str) -> None:
        self._driver = driver
        self._prefix = prefix

    def tenant(self, name: str = "one") -> str:
        """A tenant of this test alone."""
        return f"{self._prefix}-{name}"

    def rows(self, query: str, **parameters: Any) -> list[dict[str, Any]]:
        """The rows of a query."""
        with self._driver.session() as session:
            return [record.data() for record in session.run(query, parameters)]

    def values(self) -> str:
        """Every label, type, property name and value of the test's tenants, as one text."""
        nodes = self.rows(
            "MATCH (n) WHERE n.tenant STARTS WITH $prefix "
            "OPTIONAL MATCH (n)-[r]->() RETURN labels(n) AS labels, properties(n) AS properties, "
            "collect([type(r), properties(r)]) AS relationships",
            prefix=self._prefix,
        )
        return repr(nodes)

    def clear(self) -> None:
        """Remove the nodes of the test's tenants."""
        query = "MATCH (n) WHERE n.tenant STARTS WITH $prefix DETACH DELETE n"
        self.rows(query, prefix=self._prefix)


@contextmanager
def connected() -> Iterator[Server]:
    """The server, with tenants that are removed in the end; skips the test if there is none."""
    if not SERVER:
        pytest.skip("needs MEDKG_TEST_NEO4J_URI=bolt://HOST:PORT of a Neo4j server")
    neo4j = pytest.importorskip("neo4j")
    with neo4j.GraphDatabase.driver(SERVER) as driver:
        server = Server(driver, f"test-{uuid4().hex[:12]}")
        try:
            yield server
        finally:
            server.clear()
