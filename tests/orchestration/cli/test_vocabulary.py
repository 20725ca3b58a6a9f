"""`medkg vocabulary` adds, lists, checks and removes."""

from __future__ import annotations

from pathlib import Path

from tests.orchestration.command_line import Medkg
from tests.orchestration.vocabularies.builders import a_table


def test_a_vocabulary_is_added_listed_checked_and_removed(tmp_path: Path) -> None:
    medkg = Medkg(tmp_path / "data")
    assert medkg("vocabulary", "list") == {"vocabularies": []}
    added = medkg(
        "vocabulary", "add", str(a_table(tmp_path / "fruits.tsv")), "--version", "2026", "--licence", "CC0"
    )
    assert (added["name"], added["version"], added["concepts"], added["names"]) == ("fruits", "2026", 4, 10)
    (listed,) = medkg("vocabulary", "list")["vocabularies"]
    assert (listed["licence"], listed["kinds"], listed["error"]) == ("CC0", {"Condition": 3, "Drug": 1}, None)
    assert medkg("vocabulary", "check") == {
        "vocabularies": [{"name": "fruits", "damage": None, "findings": []}]
    }
    assert "fruits" in medkg.text("vocabulary", "list") and "undamaged" in medkg.text("vocabulary", "check")
    assert medkg("vocabulary", "remove", "fruits") == {"removed": "fruits"}
    assert medkg("vocabulary", "list") == {"vocabularies": []}


def test_wrong_files_and_options_end_with_their_message(tmp_path: Path) -> None:
    medkg = Medkg(tmp_path / "data")
    wrong = a_table(tmp_path / "a.tsv", [("id", "name"), ("MESH:D1", "")])
    error = medkg("vocabulary", "add", str(wrong), "--kind", "Drug", expect=2)["error"]
    assert error["code"] == "MEDKG-104" and "line 2" in error["message"]
    error = medkg("vocabulary", "add", str(wrong), "--kind", "Fruit", expect=2)["error"]
    assert "no kind is called 'Fruit'" in error["message"]
    error = medkg("vocabulary", "add", str(wrong), "--column", "ui", expect=2)["error"]
    assert "--column ui is not WHAT=COLUMN" in error["message"]
    assert not (tmp_path / "data" / "vocabularies").exists()


def test_a_damaged_vocabulary_is_listed_with_its_error_and_fails_the_check(tmp_path: Path) -> None:
    medkg = Medkg(tmp_path / "data")
    medkg("vocabulary", "add", str(a_table(tmp_path / "fruits.tsv")))
    (tmp_path / "data" / "vocabularies" / "fruits.sqlite").write_bytes(b"no database")
    assert "cannot be used" in medkg("vocabulary", "list")["vocabularies"][0]["error"]
    assert "cannot be used" in medkg("vocabulary", "check", expect=1)["vocabularies"][0]["damage"]
