"""`medkg graph` as users see it: evidence, conflicts, paths, review and aliases of committed documents."""

from __future__ import annotations

from pathlib import Path

import pytest

from orchestration.cli.graph_evidence import stated_by
from tests.orchestration.operations.graph.graph_folder import GraphFolder

ASPIRIN, HEADACHE = "Drug:aspirin=MESH:D001241", "Condition:headache=MESH:D006261"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> GraphFolder:
    graph = GraphFolder(tmp_path_factory.mktemp("commands"))
    graph.publish("1", [(ASPIRIN, "tests", HEADACHE)], year="2001", publication_types=["Meta-Analysis"])
    graph.publish("2", [(ASPIRIN, "not tests", HEADACHE)], year="2015", pmid="22", is_retracted=None)
    graph.publish("3", [("Drug:tea", "tests", HEADACHE), (ASPIRIN, "tests", "Condition:fever")])
    graph.publish("notice", [], notice="retraction", notice_of=["22"])
    return graph


def test_evidence_stands_in_context_with_documents_for_and_against(folder: GraphFolder) -> None:
    claim = folder.medkg("graph", "claims", "aspirin")["claims"][0]
    value = folder.medkg("graph", "evidence", claim["claim_id"])
    (quote,) = value["evidence"]
    start, end = quote["in_context"]
    assert quote["context"][start:end] == quote["exact"] == "aspirin tests headache"
    assert (quote["section"], quote["title_path"]) == ("results", ["About 1", "Results"])
    cited = {
        name: [(each["doc_id"], each["year"], each["study_type"], each["retracted"]) for each in documents]
        for name, documents in value["documents"].items()
    }
    assert cited == {"for": [("1", 2001, "Meta-Analysis", False)], "against": [("2", 2015, None, True)]}
    shown = folder.medkg.text("graph", "evidence", claim["claim_id"])
    assert ">>aspirin tests headache<<" in shown
    assert "files 2 [retracted]: 2015, About 2" in shown


def test_records_of_one_article_are_shown_together_and_count_as_one_publication(tmp_path: Path) -> None:
    folder = GraphFolder(tmp_path / "publications")
    line = ("Drug:aspirin", "tests", "Condition:headache")
    folder.publish("10.1000/walks", [line], year=2021, doi="10.1000/WALKS", pmid="7")
    folder.publish("other", [line], year=2020)
    folder.publish("PMC8", [line], year=2019, pmid="7")
    folder.publish("denial", [(line[0], "not tests", line[2])], year=2018)
    claims = folder.medkg("graph", "claims", "aspirin")["claims"]
    claim = next(each for each in claims if each["doc_id"] == "other")
    value = folder.medkg("graph", "evidence", claim["claim_id"])
    assert value["publications"] == {"for": 2, "against": 1}
    assert [(each["doc_id"], each["publication"]["doc_id"]) for each in value["documents"]["for"]] == [
        ("10.1000/walks", "10.1000/walks"),
        ("PMC8", "10.1000/walks"),
        ("other", "other"),
    ]
    shown = folder.medkg.text("graph", "evidence", claim["claim_id"])
    assert "for: 3 documents of 2 publications" in shown
    assert "    the same publication: files PMC8: 2019" in shown
    assert "against: 1 document\n" in shown
    between = folder.medkg("graph", "evidence", "--subject", "aspirin", "--object", "headache")
    assert between["publications"] == {"for": 2, "against": 1}
    assert "stated: 3 documents of 2 publications" in folder.medkg.text("graph", "conflicts")


def test_evidence_of_a_subject_and_an_object_is_that_of_all_their_claims(folder: GraphFolder) -> None:
    value = folder.medkg("graph", "evidence", "--subject", "aspirin", "--object", "MESH:D006261")
    assert [each["claim"]["doc_id"] for each in value["claims"]] == ["1", "2"]
    assert [each["doc_id"] for each in value["documents"]["against"]] == ["2"]
    for wrong in ([], ["c1", "--subject", "aspirin"], ["--subject", "aspirin"]):
        error = folder.medkg("graph", "evidence", *wrong, expect=2)["error"]["message"]
        assert "--subject and --object" in error


def test_conflicts_have_both_sides_with_their_documents(folder: GraphFolder) -> None:
    (conflict,) = folder.medkg("graph", "conflicts", "aspirin")["conflicts"]
    sides = [(each["negated"], each["retracted"], each["documents"]) for each in conflict["positions"]]
    assert sides == [(False, False, 1), (True, True, 1)]
    assert conflict["positions"][1]["statements"][0]["year"] == 2015
    shown = folder.medkg.text("graph", "conflicts")
    assert "denied: 1 document [retracted]" in shown
    assert folder.medkg("graph", "conflicts", "tea") == {"conflicts": []}


def test_paths_name_concepts_and_claims_of_each_step(folder: GraphFolder) -> None:
    value = folder.medkg("graph", "paths", "tea", "fever", "--max-hops", "3")
    (path,) = value["paths"]
    assert [each["name"] for each in path["concepts"]] == ["tea", "headache", "aspirin", "fever"]
    assert [[link["predicate"] for link in step] for step in path["links"]] == [["tests"]] * 3
    assert (path["retracted"], value["truncated"], value["hubs"]) == (False, False, [])
    assert "tea  [tests ->]  headache  [<- tests]  aspirin" in folder.medkg.text(
        "graph", "paths", "tea", "fever", "--max-hops", "3"
    )
    none = folder.medkg("graph", "paths", "tea", "fever", "--max-documents", "1", "--max-hops", "4")
    assert none["paths"] == []
    hubs = folder.medkg("graph", "paths", "tea", "aspirin", "--max-documents", "1")["hubs"]
    assert [each["name"] for each in hubs] == ["headache"]


def test_review_says_what_to_do_next(folder: GraphFolder) -> None:
    proposals = folder.medkg("graph", "review")["proposals"]
    unlinked = {each["name"]: each["next"] for each in proposals if each["kind"] == "unlinked"}
    (tea,) = folder.medkg("graph", "entities", "tea", "--kind", "Drug")["entities"]
    assert unlinked["tea"].startswith(f"medkg graph alias add {tea['concept']} ")
    assert set(unlinked) == {"tea", "fever"}


def test_an_alias_is_added_by_name_listed_and_undone(folder: GraphFolder, tmp_path: Path) -> None:
    before = folder.medkg("graph", "stats")
    added = folder.medkg("graph", "alias", "add", "tea", "mesh:D013662", "--reason", "same")
    assert added["alias"]["to_key"] == "MESH:D013662"
    assert added["concept"]["concept"] == "MESH:D013662"
    (listed,) = folder.medkg("graph", "alias", "list", "MESH:D013662")["aliases"]
    assert (listed["canonical"], listed["reason"], listed["rule"]) == ("MESH:D013662", "same", "manual")
    assert folder.medkg("graph", "entities", "MESH:D013662")["entities"][0]["name"] == "tea"
    error = folder.medkg("graph", "alias", "add", "MESH:D013662", "tea", expect=2)["error"]["message"]
    assert "cannot stand for itself" in error or "circle" in error
    table = tmp_path / "a.sssom.tsv"
    table.write_text(
        "subject_id\tpredicate_id\tobject_id\nMESH:D001241\tskos:exactMatch\tchebi:15365\n"
        "MESH:D001241\tskos:closeMatch\tchebi:1\n",
        encoding="utf-8",
    )
    imported = folder.medkg("graph", "alias", "import", str(table))
    assert (imported["added"], imported["left_out"]) == (1, {"skos:closeMatch": 1})
    assert folder.medkg("graph", "alias", "import", str(table))["added"] == 0
    assert folder.medkg("graph", "entities", "aspirin")["entities"][0]["concept"] == "CHEBI:15365"
    removed = folder.medkg("graph", "alias", "undo", "--source", str(table))["removed"]
    assert [each["to_key"] for each in removed] == ["CHEBI:15365"]
    folder.medkg("graph", "alias", "undo", listed["alias_id"])
    assert folder.medkg("graph", "stats") == before
    error = folder.medkg("graph", "alias", "undo", listed["alias_id"], expect=2)["error"]["message"]
    assert "no alias has the id" in error


def test_what_rests_on_retracted_documents_alone_is_marked(folder: GraphFolder) -> None:
    marks = [each["retracted"] for each in folder.medkg("graph", "claims", "aspirin")["claims"]]
    assert marks == [False, True, False]
    assert folder.medkg("graph", "stats")["retracted_documents"] == 1
    assert "retracted" in folder.medkg.text("graph", "claims", "aspirin")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (
            ["entities", "--kind", "Nosuch"],
            "there is no kind 'Nosuch'. Those of graph.yaml and of the graph: A",
        ),
        (["claims", "--predicate", "nosuch"], "there is no predicate 'nosuch'"),
        (["conflicts", "--predicate", "nosuch"], "there is no predicate 'nosuch'"),
        (["paths", "aspirin", "tea", "--predicates", "nosuch"], "there is no predicate 'nosuch'"),
        (["paths", "aspirin", "MESH:D001241"], "both ends of a path are aspirin (Drug, MESH:D001241)"),
        (["neighbours", " "], "is empty"),
        (["entities", "a" * 60_000], "is 60,000 characters"),
        (["conflicts", "a" * 60_000], "is 60,000 characters"),
    ],
)
def test_a_name_that_there_is_not_is_an_error_with_those_that_there_are(
    folder: GraphFolder, arguments: list[str], said: str
) -> None:
    assert said in folder.medkg("graph", *arguments, expect=2)["error"]["message"]


@pytest.mark.parametrize("command", ["entities", "claims", "review", "conflicts"])
def test_a_limit_that_no_database_counts_to_is_refused(folder: GraphFolder, command: str) -> None:
    assert folder.medkg.text("graph", command, "--limit", "99999999999999999999", expect=2) == ""


def test_of_concepts_of_one_name_the_only_one_of_a_vocabulary_is_meant(tmp_path: Path) -> None:
    folder = GraphFolder(tmp_path / "names")
    folder.publish("1", [("Drug:Aspirin=MESH:D001241", "tests", "Condition:pain")])
    folder.publish(
        "2", [("Drug:aspirin", "tests", "Condition:pain"), ("Arm:pain", "tests", "Condition:pain")]
    )
    assert folder.medkg("graph", "neighbours", "aspirin")["concept"]["concept"] == "MESH:D001241"
    message = folder.medkg("graph", "neighbours", "pain", expect=2)["error"]["message"]
    assert "'pain' names several concepts: pain (Condition, local:" in message
    assert "pain (Arm, local:" in message


def test_claims_say_which_extractor_found_them(folder: GraphFolder) -> None:
    claim = folder.medkg("graph", "claims", "aspirin")["claims"][0]
    assert claim["extraction"] == "toy/1"
    assert "(by toy)" in folder.medkg.text("graph", "evidence", claim["claim_id"])


@pytest.mark.parametrize(
    ("extraction", "confidence", "shown"),
    [("registry/4", 1.0, "registry"), ("encoder/3 extractor-mini@1", 0.876, "encoder 0.88")],
)
def test_what_may_be_wrong_has_its_confidence_beside_it(
    extraction: str, confidence: float, shown: str
) -> None:
    assert stated_by(extraction, confidence) == shown
