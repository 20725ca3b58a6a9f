"""Every Cypher query of the guide is run on a projection and finds what it promises."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.orchestration.neo4j import SERVER, Server
from tests.orchestration.projection.graph_ledger import GraphLedger

pytestmark = pytest.mark.needs_service("neo4j")

GUIDE = Path(__file__).parents[3] / "docs" / "guides" / "graph.md"
QUERIES = re.findall(r"```cypher\n// (.*?)\n(.*?)```", GUIDE.read_text(encoding="utf-8"), re.DOTALL)

METFORMIN = "Drug:Metformin=MESH:D008687"
BODIES = {
    "one": [f"Trial:NCT1=NCT:1 tests {METFORMIN}", "Trial:NCT1=NCT:1 studies Condition:Diabetes"],
    "two": [f"Trial:NCT2=NCT:2 tests {METFORMIN}", "Trial:NCT2=NCT:2 studies Condition:Obesity"],
    "three": ["Trial:NCT2=NCT:2 studies not Condition:Obesity"],
}
EXPECTED = {
    "Trials that test a drug for a condition": [["NCT:1", "Diabetes"], ["NCT:2", "Obesity"]],
    "Neighbours of a concept": [["tests", "NCT1", 1], ["tests", "NCT2", 1]],
    "Shortest paths": [[["Metformin", "NCT2", "Obesity"], ["tests", "studies"]]],
    "Statements that some documents make": [["NCT2", "studies", "Obesity", ["two"], ["three"]]],
}


@pytest.mark.parametrize(("title", "query"), QUERIES, ids=[title for title, _ in QUERIES])
def test_a_query_of_the_guide_finds_what_it_promises(
    server: Server, graph: GraphLedger, title: str, query: str
) -> None:
    graph.ingest(**BODIES)
    graph.project(SERVER)
    rows = [list(row.values()) for row in server.rows(query, tenant=graph.tenant_id)]
    expected = [value for start, value in EXPECTED.items() if title.startswith(start)]
    if expected:
        assert rows == expected[0]
        return
    assert title.startswith("The claims behind an edge")
    assert [(row[0], row[2]) for row in rows] == [("one", "NCT1"), ("two", "NCT2")]
    claims = graph.ledger.graph.statements(graph.tenant_id, predicate="tests")
    evidence = {each.claim.claim_id: each.claim.evidence for each in claims}
    for _, claim_id, _, starts, ends in rows:
        assert [(span.start_char, span.end_char) for span in evidence[claim_id]] == list(
            zip(starts, ends, strict=True)
        )


def test_the_guide_has_queries() -> None:
    assert len(QUERIES) == 5
