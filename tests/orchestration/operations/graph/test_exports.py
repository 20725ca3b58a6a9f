"""Exports as standard readers see them: counts, characters, merged concepts, retraction."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import networkx
import pyarrow.parquet as pq
import pytest
from rdflib import RDF, Dataset, Namespace, URIRef

from tests.orchestration.operations.graph.graph_folder import GraphFolder
from tests.orchestration.small_disk import small_disk

BIOLINK = Namespace("https://w3id.org/biolink/vocab/")
OA = Namespace("http://www.w3.org/ns/oa#")
PROV = Namespace("http://www.w3.org/ns/prov#")
ASPIRIN, HEADACHE = URIRef("http://id.nlm.nih.gov/mesh/D001241"), URIRef("http://id.nlm.nih.gov/mesh/D006261")

ODD = 'tab\t"quote" \\ <b>&amp; \U0001f48a \u05d0\u05d1 \u2028 e\u0301 100%'
"""Tab, quotes, backslash, markup, emoji, right-to-left letters, a line separator, a combining accent."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> GraphFolder:
    graph = GraphFolder(tmp_path_factory.mktemp("exports"))
    aspirin, headache = "Drug:aspirin=MESH:D001241", "Condition:headache=MESH:D006261"
    graph.publish("1", [(aspirin, "tests", headache), (f"Drug:{ODD}", "tests", headache)], year="2001")
    graph.publish("2", [("Drug:ASA=CHEBI:15365", "not tests", headache)], is_retracted=True)
    graph.publish("3", [])
    graph.medkg("graph", "alias", "add", "CHEBI:15365", "MESH:D001241")
    return graph


def exported(graph: GraphFolder, folder: Path, name: str) -> Any:
    done = graph.medkg("graph", "export", str(folder), "--format", name)
    assert (done["documents"], done["nodes"], done["edges"], done["without_text"]) == (3, 3, 3, [])
    assert sorted(path.name for path in folder.iterdir()) == sorted(done["files"])
    return done


def test_kgx_has_merged_nodes_and_edges_with_their_own_keys(folder: GraphFolder, tmp_path: Path) -> None:
    exported(folder, tmp_path / "out", "kgx")
    nodes, edges = (
        [json.loads(line) for line in (tmp_path / "out" / name).read_text("utf-8").split("\n") if line]
        for name in ("nodes.jsonl", "edges.jsonl")
    )
    (aspirin,) = [each for each in nodes if each["id"] == "MESH:D001241"]
    assert (aspirin["xref"], aspirin["synonym"]) == (["CHEBI:15365"], ["aspirin"])
    assert {each["name"] for each in nodes} == {"ASA", ODD, "headache"}
    (denied,) = [each for each in edges if each["negated"]]
    assert (denied["subject"], denied["original_subject"]) == ("MESH:D001241", "CHEBI:15365")
    assert (denied["retracted"], [each["retracted"] for each in edges].count(True)) == (True, 1)
    assert f"{ODD} tests headache" in [each["supporting_text"][0] for each in edges]


def test_rdf_readers_find_claims_in_graphs_with_evidence_and_provenance(
    folder: GraphFolder, tmp_path: Path
) -> None:
    exported(folder, tmp_path / "nq", "nquads")
    data = Dataset()
    data.parse(tmp_path / "nq" / "graph.nq", format="nquads")
    claims = [URIRef(str(each)) for each in data.subjects(RDF.type, BIOLINK.Association)]
    assert len(claims) == len(list(data.subjects(RDF.type, OA.Annotation))) == 3
    (stated,) = [graph for graph in claims if (ASPIRIN, BIOLINK.related_to, HEADACHE) in data.graph(graph)]
    assert [len(data.graph(graph)) for graph in claims].count(0) == 1, "what is denied is not asserted"
    (annotation,) = data.subjects(OA.hasBody, stated)
    target = data.value(annotation, OA.hasTarget)
    document = data.value(target, OA.hasSource)
    assert data.value(stated, PROV.wasDerivedFrom) == document
    quotes = {str(each) for each in data.objects(None, OA.exact)}
    assert quotes == {"aspirin tests headache", f"{ODD} tests headache", "ASA not tests headache"}
    names = {str(each) for each in data.objects(None, URIRef("http://www.w3.org/2000/01/rdf-schema#label"))}
    assert {"ASA", ODD, "headache"} <= names


def test_json_ld_holds_the_statements_of_n_quads(folder: GraphFolder, tmp_path: Path) -> None:
    exported(folder, tmp_path / "nq", "nquads")
    exported(folder, tmp_path / "ld", "jsonld")
    quads, linked = Dataset(), Dataset()
    quads.parse(tmp_path / "nq" / "graph.nq", format="nquads")
    linked.parse(tmp_path / "ld" / "graph.jsonld", format="json-ld")
    assert set(linked.quads()) == set(quads.quads())
    assert len(set(quads.quads())) > 50


def test_networkx_reads_graphml(folder: GraphFolder, tmp_path: Path) -> None:
    exported(folder, tmp_path / "out", "graphml")
    graph = networkx.read_graphml(tmp_path / "out" / "graph.graphml", force_multigraph=True)
    assert (graph.number_of_nodes(), graph.number_of_edges()) == (3, 3)
    assert graph.nodes["MESH:D001241"]["documents"] == 2
    assert {values["name"] for _, values in graph.nodes(data=True)} == {"ASA", ODD, "headache"}
    edges = [values for _, _, values in graph.edges(data=True)]
    assert sorted(each["negated"] for each in edges) == [False, False, True]
    exact = {json.loads(each["evidence"])[0]["exact"] for each in edges}
    assert f"{ODD} tests headache" in exact
    assert {each.get("year") for each in edges} == {2001, None}


def test_parquet_tables_join_and_describe_their_columns(folder: GraphFolder, tmp_path: Path) -> None:
    exported(folder, tmp_path / "out", "parquet")
    tables = {path.stem: pq.read_table(path) for path in (tmp_path / "out").iterdir()}
    rows = {name: table.to_pylist() for name, table in tables.items()}
    assert {name: len(each) for name, each in rows.items()} == {
        "nodes": 3,
        "documents": 3,
        "edges": 3,
        "evidence": 3,
    }
    ids = {row["id"] for row in rows["nodes"]}
    assert {row[end] for row in rows["edges"] for end in ("subject", "object")} <= ids
    assert {row["claim_id"] for row in rows["evidence"]} == {row["id"] for row in rows["edges"]}
    assert f"{ODD} tests headache" in {row["exact"] for row in rows["evidence"]}
    assert {row["doc_id"]: row["retracted"] for row in rows["documents"]} == {
        "1": False,
        "2": True,
        "3": False,
    }
    for table in tables.values():
        assert all(field.metadata[b"description"] for field in table.schema)


def test_an_interrupted_export_is_replaced_and_other_files_are_kept(
    folder: GraphFolder, tmp_path: Path
) -> None:
    (tmp_path / "edges.jsonl.partial").write_text("interrupted", encoding="utf-8")
    exported(folder, tmp_path, "kgx")
    error = folder.medkg("graph", "export", str(tmp_path), "--format", "nquads", expect=2)["error"]
    assert "not empty" in error["message"]


@pytest.mark.parametrize("name", ["kgx", "nquads", "graphml", "parquet"])
def test_a_full_disk_is_named_and_nothing_of_the_export_is_left(
    folder: GraphFolder, tmp_path: Path, name: str
) -> None:
    with small_disk(tmp_path / "disk", "4k") as disk:
        error = folder.medkg("graph", "export", str(disk / "out"), "--format", name, expect=3)["error"]
        assert f"{disk / 'out'} cannot be written" in error["message"] or str(disk) in error["message"]
        assert list((disk / "out").iterdir()) == []


def test_a_folder_that_cannot_be_made_is_named(folder: GraphFolder) -> None:
    error = folder.medkg("graph", "export", "/proc/exported", "--format", "kgx", expect=3)["error"]
    assert "/proc/exported cannot be written" in error["message"]
