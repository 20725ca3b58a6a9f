"""The graph of a run: claims at their characters, replaced, exported, erased with their document."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from medkg.testing.builders import a_study, json_lines
from tests.orchestration.command_line import Medkg
from tests.orchestration.end_to_end.one_host.conftest import OneHost
from tests.waiting import PATIENCE

pytestmark = pytest.mark.plane


def a_trial(number: int, condition: str) -> dict[str, object]:
    return a_study(
        f"NCT{number:08}",
        conditionsModule={"conditions": [condition]},
        armsInterventionsModule={"interventions": [{"type": "DRUG", "name": "Melatonin"}]},
    )


@pytest.fixture(scope="module")
def trials(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("trials")
    studies = [a_trial(number, "Insomnia") for number in (1, 2)]
    (folder / "studies.jsonl").write_bytes(json_lines(studies))
    return folder


@pytest.fixture(scope="module")
def medkg(host: OneHost, trials: Path) -> Medkg:
    medkg = host.tenant("graph")
    medkg("run", "clinical-trials", "--path", str(trials))
    return medkg


def studied(medkg: Medkg) -> set[tuple[str, str]]:
    """Document and condition of the claims `studies`."""
    claims = medkg("graph", "claims", "--predicate", "studies")["claims"]
    return {(claim["doc_id"], claim["object"]["name"]) for claim in claims}


def test_a_run_fills_the_graph_and_its_evidence_is_in_the_text(medkg: Medkg) -> None:
    assert studied(medkg) == {("NCT00000001", "Insomnia"), ("NCT00000002", "Insomnia")}
    (insomnia,) = medkg("graph", "entities", "insomnia", "--kind", "Condition")["entities"]
    assert (insomnia["documents"], insomnia["name"]) == (2, "Insomnia")
    neighbours = medkg("graph", "neighbours", insomnia["concept"])["neighbours"]
    assert {each["concept"]["concept"] for each in neighbours} == {"NCT:NCT00000001", "NCT:NCT00000002"}
    (claim,) = medkg("graph", "claims", "Melatonin", "--document", "NCT00000001")["claims"]
    text = medkg("docs", "show", "NCT00000001")["text"]
    for quote in medkg("graph", "evidence", claim["claim_id"])["evidence"]:
        assert text[quote["start_char"] : quote["end_char"]] == quote["exact"] == "Melatonin"
        assert text.startswith(quote["prefix"], quote["start_char"] - len(quote["prefix"]))
    assert medkg("verify")["consistent"]


def test_extraction_is_measured_with_the_models_of_the_running_host(medkg: Medkg, tmp_path: Path) -> None:
    text = "Carbamazepine caused hyponatraemia in three patients."
    mentions = [
        {"start": text.index(words), "end": text.index(words) + len(words), "text": words, "kind": kind}
        for words, kind in (("Carbamazepine", "Drug"), ("hyponatraemia", "Condition"))
    ]
    (tmp_path / "gold.jsonl").write_bytes(json_lines([{"doc_id": "1", "text": text, "mentions": mentions}]))
    gold = str(tmp_path / "gold.jsonl")
    with medkg.process("eval-extract", "--gold", gold, "--extractors", "encoder", "--json") as process:
        shown, problems = process.communicate(timeout=PATIENCE)
    assert process.returncode == 0, problems
    scores = json.loads(shown)["extractors"]["encoder"]["scores"]
    assert next(each["f1"] for each in scores if each["measure"] == "mentions") == 1.0


def test_a_search_is_narrowed_to_documents_that_mention_a_concept(medkg: Medkg) -> None:
    hits = medkg("search", "melatonin", "--entity", "Insomnia", "--entity", "NCT:NCT00000002")["hits"]
    assert {hit["doc_id"] for hit in hits} == {"NCT00000002"}
    assert "unheard of" in medkg("search", "sleep", "--entity", "unheard of", expect=2)["error"]["message"]


def test_an_unknown_concept_is_wrong_use_and_similar_names_are_listed(medkg: Medkg) -> None:
    error = medkg("graph", "claims", "Melaton", expect=2)["error"]["message"]
    assert "no concept is called 'Melaton'; similar ones: Melatonin (Drug, local:" in error
    error = medkg("graph", "neighbours", "unheard of", expect=2)["error"]["message"]
    assert "no committed document mentions 'unheard of'" in error
    assert "c0" in medkg("graph", "evidence", "c0", expect=2)["error"]["message"]


def test_a_copied_tenant_has_its_graph(medkg: Medkg, host: OneHost, tmp_path: Path) -> None:
    medkg("export", str(tmp_path / "copy"))
    other = host.tenant("graph-copy")
    other("import", str(tmp_path / "copy"))
    assert studied(other) == studied(medkg)
    assert other("graph", "stats") == medkg("graph", "stats")
    assert other("verify")["consistent"]


def test_an_export_for_kgx_has_a_node_per_concept_and_an_edge_per_claim(medkg: Medkg, tmp_path: Path) -> None:
    stats = medkg("graph", "stats")
    folder = tmp_path / "kgx"
    (folder / "edges.jsonl.partial").parent.mkdir()
    (folder / "edges.jsonl.partial").write_text("interrupted", encoding="utf-8")
    done = medkg("graph", "export", str(folder))
    assert (done["nodes"], done["edges"], done["documents"]) == (stats["concepts"], stats["claims"], 2)
    nodes, edges = (
        [json.loads(line) for line in (folder / name).read_text(encoding="utf-8").splitlines()]
        for name in ("nodes.jsonl", "edges.jsonl")
    )
    by_id = {node["id"]: node for node in nodes}
    assert len(by_id) == len(nodes)
    assert by_id["NCT:NCT00000001"]["category"] == ["biolink:ClinicalTrial"]
    assert {edge[end] for edge in edges for end in ("subject", "object")} <= by_id.keys()
    text = {number: medkg("docs", "show", f"NCT{number:08}")["text"] for number in (1, 2)}
    for edge in edges:
        assert edge["predicate"].startswith("biolink:")
        for quote in edge["evidence"]:
            of_document = text[int(edge["document"][3:])]
            assert of_document[quote["start_char"] : quote["end_char"]] == quote["exact"]
    assert "not empty" in medkg("graph", "export", str(folder), expect=2)["error"]["message"]


def test_a_changed_and_an_erased_trial_leave_no_claim_behind(host: OneHost, tmp_path: Path) -> None:
    medkg = host.tenant("graph-erased")
    file = tmp_path / "studies.jsonl"
    file.write_bytes(json_lines([a_trial(1, "Insomnia"), a_trial(2, "Quibblezark")]))
    medkg("run", "clinical-trials", "--path", str(tmp_path))
    file.write_bytes(json_lines([a_trial(1, "Snoring"), a_trial(2, "Quibblezark")]))
    medkg("run", "clinical-trials", "--path", str(tmp_path))
    assert studied(medkg) == {("NCT00000001", "Snoring"), ("NCT00000002", "Quibblezark")}
    assert medkg("graph", "entities", "Insomnia")["entities"] == []
    medkg("docs", "delete", "NCT00000002", "--erase", "--yes")
    assert studied(medkg) == {("NCT00000001", "Snoring")}
    assert not any(b"uibblezark" in path.read_bytes() for path in host.data_dir.glob("ledger.sqlite*"))
    assert medkg("verify")["consistent"]


ARTICLE = """# Seizures caused by lidocaine in two patients

Lidocaine is a local anaesthetic. We report two patients in whom lidocaine caused seizures. Both received it
before surgery. Lidocaine did not cause hypotension in either patient. Seizures induced by lidocaine are rare.
"""


def test_an_article_s_claims_are_found_by_the_encoder_with_their_sentences(
    host: OneHost, tmp_path: Path
) -> None:
    (tmp_path / "seizures.md").write_text(ARTICLE, encoding="utf-8")
    medkg = host.tenant("encoder")
    medkg("run", "auto", "--path", str(tmp_path))

    (lidocaine,) = medkg("graph", "entities", "lidocaine", "--kind", "Drug")["entities"]
    claims = medkg("graph", "claims", lidocaine["concept"], "--predicate", "causes")["claims"]
    stated = {(each["object"]["name"].lower(), each["negated"]) for each in claims}
    assert ("seizures", False) in stated
    for claim in claims:
        text = medkg("docs", "show", claim["doc_id"])["text"]
        for quote in medkg("graph", "evidence", claim["claim_id"])["evidence"]:
            assert text[quote["start_char"] : quote["end_char"]] == quote["exact"]
    assert medkg("verify")["consistent"]
