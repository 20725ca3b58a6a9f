"""Ledger and projection are compared document by document, and what differs is written again."""

from __future__ import annotations

import pytest

from tests.orchestration.neo4j import SERVER, Server
from tests.orchestration.projection.graph_ledger import GraphLedger, contents, found, repaired

pytestmark = pytest.mark.needs_service("neo4j")

BODIES = {
    "a": ["Drug:aspirin=MESH:D001241 treats Condition:headache"],
    "b": ["Drug:aspirin=MESH:D001241 treats Condition:fever", "Drug:tea treats Condition:headache"],
}
HEADACHE = "MATCH (c:Concept {tenant: $tenant, name: 'headache'})"


@pytest.fixture
def projected(graph: GraphLedger) -> GraphLedger:
    graph.ingest(**BODIES)
    graph.project(SERVER)
    assert found(graph, SERVER) == []
    return graph


@pytest.mark.parametrize(
    ("damage", "differences"),
    [
        ("MATCH (:Document {tenant: $tenant, doc_id: 'a'})-[m:MENTIONS]->() DELETE m", {("a", "incomplete")}),
        ("MATCH (c:Claim {tenant: $tenant, doc_id: 'b'}) DETACH DELETE c", {("b", "incomplete")}),
        ("MATCH (c:Claim {tenant: $tenant, doc_id: 'b'}) SET c.negated = true", {("b", "incomplete")}),
        ("MATCH (d:Document {tenant: $tenant, doc_id: 'a'}) SET d.stamp = 'old'", {("a", "incomplete")}),
        (
            "MATCH (d:Document {tenant: $tenant, doc_id: 'a'})-[:STATES]->(c) DETACH DELETE c, d",
            {("a", "missing")},
        ),
        (
            "CREATE (:Document {tenant: $tenant, source: 'files', doc_id: 'ghost', stamp: 'x', claims: 0, "
            "mentions: 0})",
            {("ghost", "leftover")},
        ),
        (f"{HEADACHE} SET c.documents = 7", set()),
        (f"{HEADACHE} DETACH DELETE c", {("a", "incomplete"), ("b", "incomplete")}),
        ("MATCH (:Concept {tenant: $tenant})-[e:treats]->() DELETE e", set()),
        ("MATCH (c:Concept {tenant: $tenant, name: 'tea'}) REMOVE c:Drug", set()),
        ("CREATE (:Concept {tenant: $tenant, concept: 'local:none', name: 'unknown'})", set()),
        (
            "CREATE (:Claim {tenant: $tenant, source: 'files', doc_id: 'z', claim_id: 'c'})",
            {("*", "damaged")},
        ),
    ],
)
def test_damage_is_named_and_repaired(
    server: Server, projected: GraphLedger, damage: str, differences: set[tuple[str, str]]
) -> None:
    before = contents(SERVER, projected.tenant_id)
    server.rows(damage, tenant=projected.tenant_id)
    named = found(projected, SERVER)
    assert {each for each in named if each[1] != "derived"} == differences
    assert named
    repaired(projected, SERVER)
    assert found(projected, SERVER) == []
    assert contents(SERVER, projected.tenant_id) == before


def test_what_is_not_projected_yet_is_no_difference(projected: GraphLedger) -> None:
    projected.ingest("2", a=["Drug:tea treats Condition:thirst"], c=["Drug:tea treats Condition:thirst"])
    projected.delete("b")
    assert found(projected, SERVER) == []
    projected.erase("b")
    assert found(projected, SERVER) == []


def test_a_tenant_without_a_projection_is_missing_as_a_whole(server: Server, graph: GraphLedger) -> None:
    graph.ingest(**BODIES)
    assert found(graph, SERVER) == [("*", "missing")]
