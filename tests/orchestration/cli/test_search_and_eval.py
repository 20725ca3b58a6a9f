"""`medkg search` and `medkg eval` over a small index: what people read and machines parse."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from rich.console import Console
from typer.testing import CliRunner

from orchestration.cli import search as search_command
from orchestration.cli.main import app, hoist_global_options
from orchestration.retrieval.legs import Bm25Leg
from tests.orchestration.command_line import Medkg
from tests.orchestration.stores.data_folder import DataFolder, opened

LONG = "Aspirin [100 mg] was given for α-thalassaemia. " + "Nothing else happened. " * 20


@pytest.fixture
def data(tmp_path: Path) -> Iterator[DataFolder]:
    with opened(tmp_path) as folder:
        folder.ingest({"1": LONG, "2": "no aspirin", "3": "a placebo"})
        yield folder


@pytest.fixture
def medkg(data: DataFolder, tmp_path: Path) -> Medkg:
    return Medkg(tmp_path)


def test_hits_report_where_the_words_stand(medkg: Medkg) -> None:
    hits = medkg("search", "aspirins", "--legs", "bm25")["hits"]
    assert len(hits) == 4
    for hit in hits:
        words = [hit["text"][a - hit["start_char"] : b - hit["start_char"]] for a, b in hit["highlights"]]
        assert {word.lower() for word in words} == {"aspirin"}
        assert "further_chunks" not in hit


def test_grouped_hits_are_documents(medkg: Medkg) -> None:
    hits = medkg("search", "aspirin", "--legs", "bm25", "--group", "--top", "2")["hits"]
    assert {(hit["doc_id"], hit["further_chunks"]) for hit in hits} == {("1", 1), ("2", 1)}
    assert ", 1 further chunk " in medkg.text("search", "aspirin", "--legs", "bm25", "--group")


@pytest.mark.parametrize("fusion", ["rrf", "weighted-rrf", "weighted-rrf:bm25=2", "zscore", "dbsf"])
def test_every_fusion_can_be_chosen(medkg: Medkg, fusion: str) -> None:
    hits = medkg("search", "placebo", "--legs", "bm25", "--fusion", fusion)["hits"]
    assert [hit["doc_id"] for hit in hits] == ["3", "3"]


def test_an_unknown_fusion_is_wrong_use_before_a_model_is_loaded(medkg: Medkg, tmp_path: Path) -> None:
    assert "zscore" in medkg("search", "aspirin", "--fusion", "best", expect=2)["error"]["message"]
    questions = tmp_path / "questions.jsonl"
    questions.write_text('{"question_id": "1", "question": "aspirin", "relevant": ["1"]}\n')
    error = medkg("eval", "--questions", str(questions), "--fusion", "rrf,best", expect=2)["error"]
    assert "'best'" in error["message"]


@pytest.mark.parametrize(
    ("option", "value", "message"),
    [
        ("--since", "last year", "--since: 'last year' is not a date; write YYYY, YYYY-MM or YYYY-MM-DD"),
        ("--since", "2020-13", "--since: '2020-13' is not a date; write YYYY, YYYY-MM or YYYY-MM-DD"),
        ("--until", "2020-02-31", "--until: '2020-02-31' is not a date; write YYYY, YYYY-MM or YYYY-MM-DD"),
        ("--flag", "retratced", "--flag: there is no flag 'retratced', only retracted, corrected"),
        ("--without-flag", "bad", "--without-flag: there is no flag 'bad', only retracted, corrected"),
    ],
)
def test_a_filter_that_means_nothing_is_wrong_use(
    medkg: Medkg, option: str, value: str, message: str
) -> None:
    assert message in medkg("search", "aspirin", option, value, expect=2)["error"]["message"]


@pytest.mark.parametrize(
    ("setting", "value"), [("SEARCH_LEG_SECONDS", '{"bm25": 0.1}'), ("SEARCH_SECONDS", "0.1")]
)
def test_legs_have_the_seconds_that_are_set(
    medkg: Medkg, monkeypatch: pytest.MonkeyPatch, setting: str, value: str
) -> None:
    never = threading.Event()
    monkeypatch.setattr(Bm25Leg, "search", lambda *arguments: never.wait(60))
    monkeypatch.setenv(f"MEDKG_{setting}", value)
    error = medkg("search", "aspirin", "--legs", "bm25", expect=3)["error"]
    never.set()
    assert "bm25 did not answer" in error["message"]
    assert "0.1 s" in error["message"]


def test_people_see_the_words_bold_and_the_text_as_it_is(
    medkg: Medkg, monkeypatch: pytest.MonkeyPatch
) -> None:
    terminal = Console(force_terminal=True, color_system="standard", highlight=False, width=400)
    monkeypatch.setattr(search_command, "console", terminal)
    with terminal.capture() as captured:
        medkg.text("search", "ASPIRIN α", "--legs", "bm25", "--top", "1")
    shown = captured.get()
    bold = "\x1b[1m{}\x1b[0m".format
    assert f"{bold('Aspirin')} [100 mg] was given for {bold('α')}-thalassaemia." in shown
    assert " ...\n" in shown


@pytest.mark.plane
def test_an_evaluation_compares_the_hybrid_with_its_legs(medkg: Medkg, tmp_path: Path) -> None:
    questions = tmp_path / "questions.jsonl"
    searches = [("aspirin", "1"), ("placebo", "3"), ("happened", "1")]
    lines = [
        {"question_id": str(number), "question": words, "relevant": [doc_id]}
        for number, (words, doc_id) in enumerate(searches)
    ]
    questions.write_text("\n".join(map(json.dumps, lines)))
    value = medkg("eval", "--questions", str(questions), "--fusion", "rrf")
    assert list(value["legs"]) == ["bm25", "sparse", "dense", "hybrid", "rrf"]
    assert value["comparisons"][0].keys() == {"a", "b", "measure", "difference", "low", "high", "p"}
    assert [(comparison["a"], comparison["b"]) for comparison in value["comparisons"]] == [
        ("hybrid", "bm25"),
        ("hybrid", "sparse"),
        ("hybrid", "dense"),
        ("hybrid", "rrf"),
    ]
    assert "randomisation" in medkg.text("eval", "--questions", str(questions))


def notes(medkg: Medkg, *arguments: str) -> str:
    command = hoist_global_options(["--data-dir", str(medkg.data_dir), *arguments])
    return CliRunner().invoke(app, command, catch_exceptions=False).stderr


def test_an_unknown_source_names_those_of_the_index(medkg: Medkg) -> None:
    known = medkg("search", "aspirin", "--legs", "bm25")["hits"][0]["source"]
    unknown = notes(medkg, "search", "aspirin", "--legs", "bm25", "--source", "nosuch", "--source", known)
    assert f"--source nosuch: no document is of it, only of {known}" in unknown.splitlines()
    assert "--source" not in notes(medkg, "search", "aspirin", "--legs", "bm25", "--source", known.upper())


@pytest.mark.plane
def test_questions_without_a_relevant_document_here_are_counted(medkg: Medkg, tmp_path: Path) -> None:
    questions = tmp_path / "questions.jsonl"
    relevant = {"1": ["1", "77"], "2": ["88"], "3": ["99", "100"]}
    lines = [
        json.dumps({"question_id": number, "question": "aspirin", "relevant": ids})
        for number, ids in relevant.items()
    ]
    questions.write_text("\n".join(lines))
    missing = "2 of 3 questions have no relevant document here"
    assert missing in notes(medkg, "eval", "--questions", str(questions)).splitlines()
    questions.write_text(lines[0])
    assert "relevant document" not in notes(medkg, "eval", "--questions", str(questions))
