"""A projection that followed every change is what a rebuild makes, from this ledger or from a new one."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from orchestration.contracts.projection import GraphFeed
from orchestration.processes.child_process import is_alive, own_identity
from orchestration.projection.projector import Projector
from orchestration.stores.neo4j.graph import FORMAT, Neo4jGraph
from tests.orchestration.neo4j import SERVER, Server
from tests.orchestration.projection.graph_ledger import call_once, with_target
from tests.orchestration.runs.graph_history import CONDITIONS, KEYS, RECORDS, GraphHistory, opened_history

pytestmark = pytest.mark.needs_service("neo4j")

INSOMNIA, APPLE, MALUS = CONDITIONS


def project(history: GraphHistory, *, rebuild: bool = False) -> None:
    feed: GraphFeed = history.windows.assembly.ledger.graph_feed

    async def work(target: Neo4jGraph) -> object:
        projector = Projector(feed, target, FORMAT, call_once, own_identity(), is_alive)
        return await projector.catch_up(history.tenant, rebuild=rebuild)

    assert with_target(SERVER, work) is not None


def whole_projection(server: Server, tenant: str) -> dict[str, list[str]]:
    """All nodes and relationships with their properties but for stamps and the node of the watermark."""
    nodes = server.rows(
        "MATCH (n {tenant: $tenant}) WHERE n:Document OR n:Concept OR n:Claim "
        "RETURN labels(n) AS labels, properties(n) AS properties",
        tenant=tenant,
    )
    edges = server.rows(
        "MATCH (a {tenant: $tenant})-[r]->(b {tenant: $tenant}) "
        "RETURN properties(a) AS start, type(r) AS type, properties(r) AS properties, properties(b) AS end",
        tenant=tenant,
    )
    return {
        "nodes": sorted(_plain({**each, "labels": sorted(each["labels"])}) for each in nodes),
        "edges": sorted(map(_plain, edges)),
    }


def _plain(value: Any) -> str:
    """A value as text, mappings in order and without stamps."""
    if isinstance(value, dict):
        return repr([(key, _plain(each)) for key, each in sorted(value.items()) if key != "stamp"])
    return repr(sorted(value) if isinstance(value, set | frozenset) else value)


def test_a_projection_that_followed_every_kind_of_change_is_that_of_a_graph_made_from_nothing(
    server: Server, tmp_path: Path
) -> None:
    with opened_history(tmp_path / "here", None, server.tenant()) as history:

        def put_all() -> None:
            for name in RECORDS:
                history.put(name, INSOMNIA)

        steps: list[Callable[[], object]] = [
            put_all,
            lambda: history.put("trial-1.json", APPLE),
            lambda: history.merge(KEYS[2], KEYS[3]),
            lambda: history.extract_with("99"),
            lambda: history.add_vocabulary("fruits"),
            lambda: history.merge("MESH:D1", "MONDO:1"),
            lambda: history.delete("notice.xml"),
            lambda: history.delete("work.json", erase=True),
            lambda: history.undo(history.aliases()[0]),
            lambda: history.put("notice.xml", MALUS),
            lambda: history.add_vocabulary("other fruits"),
        ]
        for step in steps:
            step()
            project(history)
            history.run()
            project(history)
        followed = whole_projection(server, history.tenant)
        assert len(followed["nodes"]) > 20
        project(history, rebuild=True)
        assert whole_projection(server, history.tenant) == followed
        again = history.made_again(tmp_path / "again", None)
        try:
            project(again, rebuild=True)
        finally:
            again.windows.close()
        assert whole_projection(server, history.tenant) == followed
