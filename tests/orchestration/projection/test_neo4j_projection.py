"""The projection on a real Neo4j server: as Cypher sees it, it is what the ledger makes visible."""

from __future__ import annotations

from contextlib import nullcontext
from pathlib import Path

import pytest

from orchestration.contracts import Alias, DocumentFacts
from orchestration.errors import ConfigurationError
from orchestration.records import local_concept
from tests.orchestration.neo4j import SERVER, Server
from tests.orchestration.postgresql import BOTH_DATABASES, own_schema
from tests.orchestration.projection.graph_ledger import GraphLedger, contents, found

pytestmark = pytest.mark.needs_service("neo4j")

BODIES = {
    "a": [
        "Drug:aspirin=MESH:D001241 treats Condition:headache",
        "Drug:aspirin=MESH:D001241 causes Condition:bleeding",
    ],
    "b": ["Drug:aspirin=MESH:D001241 treats Condition:headache", "Drug:tea treats not Condition:headache"],
}


def test_cypher_counts_what_the_ledger_makes_visible(server: Server, graph: GraphLedger) -> None:
    graph.ingest(**BODIES)
    done = graph.project(SERVER)
    assert done is not None and (done.projected, done.removed) == (2, 0)
    counts = graph.ledger.graph.counts(graph.tenant_id)
    (row,) = server.rows(
        "MATCH (d:Document {tenant: $tenant}) WITH count(d) AS documents, sum(d.mentions) AS mentions "
        "MATCH (c:Concept {tenant: $tenant}) WITH documents, mentions, count(c) AS concepts "
        "MATCH (cl:Claim {tenant: $tenant}) RETURN documents, mentions, concepts, count(cl) AS claims",
        tenant=graph.tenant_id,
    )
    assert row == {
        "documents": counts.documents,
        "mentions": counts.mentions,
        "concepts": counts.concepts,
        "claims": counts.claims,
    }


def test_edges_count_claims_denials_and_documents(server: Server, graph: GraphLedger) -> None:
    graph.ingest(**BODIES)
    graph.project(SERVER)
    rows = server.rows(
        "MATCH (s:Drug {tenant: $tenant})-[e]->(o:Condition) RETURN s.name AS subject, type(e) AS predicate, "
        "o.name AS object, e.claims AS claims, e.negated AS negated, e.documents AS documents "
        "ORDER BY subject, predicate",
        tenant=graph.tenant_id,
    )
    assert [tuple(row.values()) for row in rows] == [
        ("aspirin", "causes", "bleeding", 1, 0, 1),
        ("aspirin", "treats", "headache", 2, 0, 2),
        ("tea", "treats", "headache", 1, 1, 1),
    ]


def concepts(server: Server, graph: GraphLedger) -> list[tuple[object, ...]]:
    """Concepts as Cypher sees them, with the labels of their kinds."""
    rows = server.rows(
        "MATCH (c:Concept {tenant: $tenant}) RETURN c.concept AS concept, c.name AS name, c.kind AS kind, "
        "c.mentions AS mentions, c.documents AS documents, [l IN labels(c) WHERE l <> 'Concept'] AS labels",
        tenant=graph.tenant_id,
    )
    return sorted(
        (row["concept"], row["name"], row["kind"], row["mentions"], row["documents"], *row["labels"])
        for row in rows
    )


def visible_concepts(graph: GraphLedger) -> list[tuple[object, ...]]:
    """The same as the ledger has it."""
    of_ledger = graph.ledger.graph.concepts(graph.tenant_id)
    return sorted(
        (each.concept, each.name, each.kind, each.mentions, each.documents, each.kind) for each in of_ledger
    )


def check_is_whole(server: Server, graph: GraphLedger) -> None:
    """The projection is what the ledger makes visible, and what it would be if it were made from nothing."""
    assert concepts(server, graph) == visible_concepts(graph)
    before = contents(SERVER, graph.tenant_id)
    assert before["wrong"] == []
    graph.project(SERVER, rebuild=True)
    assert contents(SERVER, graph.tenant_id) == before


def test_a_new_version_takes_back_what_the_old_one_alone_supported(
    server: Server, graph: GraphLedger
) -> None:
    graph.ingest(**BODIES)
    graph.project(SERVER)
    graph.ingest("2", a=["Drug:Aspirin=MESH:D001241 treats Condition:fever"])
    done = graph.project(SERVER)
    assert done is not None and (done.projected, done.compared) == (1, False)
    assert "bleeding" not in server.values()
    check_is_whole(server, graph)


def test_a_concept_has_the_name_and_kind_of_most_mentions(server: Server, graph: GraphLedger) -> None:
    graph.ingest(a=["Drug:ASA=MESH:D001241 treats Condition:headache"])
    graph.project(SERVER)
    graph.ingest(
        b=[
            "Intervention:aspirin=MESH:D001241 treats Condition:fever",
            "Intervention:aspirin=MESH:D001241 treats Condition:pain",
        ]
    )
    graph.project(SERVER)
    assert ("MESH:D001241", "aspirin", "Intervention", 3, 2, "Intervention") in concepts(server, graph)
    check_is_whole(server, graph)
    graph.delete("b")
    graph.project(SERVER)
    assert ("MESH:D001241", "ASA", "Drug", 1, 1, "Drug") in concepts(server, graph)


def test_a_deleted_document_leaves_nothing_behind(server: Server, graph: GraphLedger) -> None:
    graph.ingest(**BODIES, c=["Drug:unique treats Condition:rareness"])
    graph.project(SERVER)
    assert "rareness" in server.values()
    graph.delete("c")
    done = graph.project(SERVER)
    assert done is not None and (done.projected, done.removed) == (0, 1)
    assert not any(word in server.values() for word in ("unique", "rareness", "'c'"))
    check_is_whole(server, graph)


def test_an_erased_document_leaves_nothing_behind(server: Server, graph: GraphLedger) -> None:
    graph.ingest(**BODIES, c=["Drug:unique treats Condition:rareness"])
    graph.project(SERVER)
    graph.erase("c")
    done = graph.project(SERVER)
    assert done is not None and done.compared
    assert not any(word in server.values() for word in ("unique", "rareness", "'c'"))
    check_is_whole(server, graph)


def test_the_last_document_takes_everything_with_it(server: Server, graph: GraphLedger) -> None:
    graph.ingest(**BODIES)
    graph.project(SERVER)
    graph.delete(*BODIES)
    graph.project(SERVER)
    rows = server.rows("MATCH (n {tenant: $tenant}) RETURN labels(n) AS labels", tenant=graph.tenant_id)
    assert rows == [{"labels": ["MedkgProjection"]}]


def test_tenants_are_apart(server: Server, graph: GraphLedger, tmp_path: Path) -> None:
    other = GraphLedger(tmp_path, server.tenant("two"))
    for each in (graph, other):
        each.ingest(**BODIES)
        each.project(SERVER)
    graph.delete(*BODIES)
    graph.project(SERVER)
    check_is_whole(server, other)
    assert concepts(server, graph) == []
    other.ledger.close()


def test_nothing_is_written_where_nothing_has_changed(server: Server, graph: GraphLedger) -> None:
    graph.ingest(**BODIES)
    graph.project(SERVER)
    done = graph.project(SERVER)
    assert done is not None and (done.projected, done.removed, done.compared) == (0, 0, False)


def test_the_projection_of_another_ledger_is_left_alone(
    server: Server, graph: GraphLedger, tmp_path: Path
) -> None:
    graph.ingest(**BODIES)
    graph.project(SERVER)
    folder = tmp_path / "other"
    folder.mkdir()
    other = GraphLedger(folder, graph.tenant_id)
    other.ingest(a=["Drug:tea treats Condition:thirst"])
    with pytest.raises(ConfigurationError, match="--rebuild"):
        other.project(SERVER)
    check_is_whole(server, graph)
    other.project(SERVER, rebuild=True)
    check_is_whole(server, other)
    other.ledger.close()


def test_an_alias_merges_concepts_and_its_undo_takes_them_apart(server: Server, graph: GraphLedger) -> None:
    graph.ingest(**BODIES, c=["Drug:tea treats Condition:thirst"])
    graph.project(SERVER)
    before = contents(SERVER, graph.tenant_id)
    tea = local_concept("Drug", "tea")
    alias = Alias.of(tea, "MESH:D001241", "manual")
    graph.ledger.aliases.add(graph.tenant_id, alias)
    done = graph.project(SERVER)
    assert done is not None and (done.projected, done.compared) == (2, False)  # a has no tea
    rows = server.rows(
        "MATCH (:Document {tenant: $tenant, doc_id: 'c'})-[:STATES]->(:Claim)-[s:SUBJECT]->(d:Drug) "
        "RETURN d.concept AS concept, d.name AS name, s.key AS key, s.name AS mention",
        tenant=graph.tenant_id,
    )
    assert rows == [{"concept": "MESH:D001241", "name": "aspirin", "key": tea, "mention": "tea"}]
    check_is_whole(server, graph)
    graph.ledger.aliases.remove(graph.tenant_id, alias_id=alias.alias_id)
    graph.project(SERVER)
    assert contents(SERVER, graph.tenant_id) == before
    check_is_whole(server, graph)


def test_a_document_is_retracted_as_long_as_a_notice_says_so(server: Server, graph: GraphLedger) -> None:
    def retracted() -> list[str]:
        graph.project(SERVER)
        query = "MATCH (d:Document {tenant: $tenant, retracted: true}) RETURN d.doc_id AS doc_id"
        return [row["doc_id"] for row in server.rows(query, tenant=graph.tenant_id)]

    graph.commit("a", BODIES["a"], facts=DocumentFacts(title="A trial", year=2020, identifiers=("pmid:1",)))
    assert retracted() == []
    graph.commit("notice", BODIES["b"], facts=DocumentFacts(retracts=("pmid:1",)))
    assert retracted() == ["a"]
    graph.commit("notice", BODIES["b"], version="2")
    assert retracted() == []
    graph.commit("notice", BODIES["b"], version="3", facts=DocumentFacts(retracts=("pmid:1",)))
    assert retracted() == ["a"]
    graph.delete("notice")
    assert retracted() == []
    (row,) = server.rows(
        "MATCH (d:Document {tenant: $tenant}) RETURN d.title AS title, d.year AS year", tenant=graph.tenant_id
    )
    assert row == {"title": "A trial", "year": 2020}


@pytest.mark.parametrize("database", BOTH_DATABASES)
def test_a_ledger_in_either_database_is_followed(server: Server, tmp_path: Path, database: str) -> None:
    with own_schema() if database == "postgresql" else nullcontext(tmp_path) as place:
        graph = GraphLedger(place, server.tenant())
        graph.ingest(**BODIES)
        graph.project(SERVER)
        graph.ledger.aliases.add(graph.tenant_id, Alias.of(local_concept("Drug", "tea"), "X:tea", "manual"))
        graph.ingest("2", a=["Drug:tea treats Condition:fever"])
        done = graph.project(SERVER)
        assert done is not None and (done.projected, done.compared) == (2, False)
        graph.erase("b")
        graph.project(SERVER)
        check_is_whole(server, graph)
        assert found(graph, SERVER) == []
        graph.ledger.close()
