"""`medkg docs delete`: several ids, filters, and what is asked before anything is deleted."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner

from medkg.testing.builders import an_abstract, json_lines
from orchestration.cli.main import app
from tests.orchestration.command_line import Medkg


@pytest.fixture
def medkg(tmp_path: Path) -> Medkg:
    medkg = Medkg(tmp_path / "data")
    path = tmp_path / "abstracts.jsonl"
    path.write_bytes(json_lines([an_abstract(number) for number in "1234"]))
    note = tmp_path / "note.md"
    note.write_text("# A note\n")
    medkg("submit", "auto", "--path", str(path), "--path", str(note))
    return medkg


def ids(medkg: Medkg) -> set[str]:
    return {row["doc_id"] for row in medkg("docs", "list", "--source", "pubmed")["documents"]}


def test_several_ids_are_deleted_at_once(medkg: Medkg) -> None:
    deleted = medkg("docs", "delete", "2", "1", "2")["deleted"]
    assert deleted == [{"doc_id": number, "source": "pubmed"} for number in "12"]
    assert ids(medkg) == {"3", "4"}


def test_one_unknown_id_deletes_nothing(medkg: Medkg) -> None:
    assert "no document 9" in medkg("docs", "delete", "1", "9", expect=2)["error"]["message"]
    assert ids(medkg) == set("1234")


def test_a_filter_deletes_what_docs_list_shows_for_it_and_only_with_consent(medkg: Medkg) -> None:
    assert "--yes" in medkg("docs", "delete", "--source", "pubmed", expect=2)["error"]["message"]
    assert ids(medkg) == set("1234")
    chosen = ("--source", "pubmed", "--status", "queued", "--pipeline", "auto")
    listed = {row["doc_id"] for row in medkg("docs", "list", *chosen)["documents"]}
    deleted = {row["doc_id"] for row in medkg("docs", "delete", *chosen, "--yes")["deleted"]}
    assert deleted == listed == set("1234")
    assert [row["source"] for row in medkg("docs", "list")["documents"]] == ["files"]
    assert medkg("docs", "delete", *chosen, "--yes") == {"deleted": []}


def test_ids_are_narrowed_by_the_filter(medkg: Medkg) -> None:
    error = medkg("docs", "delete", "1", "--status", "failed", expect=2)["error"]
    assert "1 is queued in auto" in error["message"]


def test_neither_ids_nor_a_filter_is_wrong_use(medkg: Medkg) -> None:
    assert "--source" in medkg("docs", "delete", "--yes", expect=2)["error"]["message"]
    assert ids(medkg) == set("1234")


def test_the_plan_counts_and_names_documents(medkg: Medkg) -> None:
    command = ["--data-dir", str(medkg.data_dir), "docs", "delete", "--pipeline", "auto", "--yes"]
    plan = CliRunner().invoke(app, command).stderr
    assert "delete: 5 documents (1 of files, 4 of pubmed)" in plan
