"""`medkg train-extractor`: from gold files to a model; it reports faulty documents and refuses wrong use."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from orchestration.cli.main import app
from tests.gpu_actors.training.extraction.small_gold import pubtator, small_gold
from tests.orchestration.command_line import Medkg

FEW = ("--text-epochs", "1", "--direction-epochs", "1")


@pytest.fixture
def gold(tmp_path: Path) -> Path:
    """A folder with eight cases as PubTator text, one with a wrong offset, and a file of another kind."""
    folder = tmp_path / "gold"
    folder.mkdir()
    text = pubtator(small_gold()[:8])
    first = next(line for line in text.splitlines() if line.startswith("7\t"))
    start = int(first.split("\t")[1])
    text = text.replace(first, first.replace(f"\t{start}\t", f"\t{start + 1}\t", 1))
    (folder / "cases.txt").write_text(text)
    (folder / "README.md").write_text("About the cases.")
    return folder


def test_gold_becomes_a_model_and_faulty_documents_are_reported(
    medkg: Medkg, gold: Path, tmp_path: Path
) -> None:
    out = tmp_path / "mine"

    value = medkg("train-extractor", "--gold", str(gold), "--out", str(out), *FEW, expect=1)

    assert value["texts"] == {"learnt_from": 6, "held_out": 1} and value["relations"] == 6
    assert value["measures"].keys() == {"Chemical", "Disease", "all", "induces"}
    assert len(value["faults"]) == 1 and "cases.txt" in value["faults"][0]
    assert json.loads((out / "extractor.json").read_text())["format"] == 1
    again = medkg("train-extractor", "--gold", str(gold), "--out", str(out), *FEW, expect=2)
    assert "no empty folder" in again["error"]["message"]


def test_wrong_use_is_reported(medkg: Medkg, gold: Path, tmp_path: Path) -> None:
    out = ("--out", str(tmp_path / "out"), *FEW)
    empty = tmp_path / "empty"
    empty.mkdir()
    (tmp_path / "notes.txt").write_text("no gold at all")

    absent = medkg("train-extractor", "--gold", "/no/such", *out, expect=2)
    assert "/no/such cannot be read" in absent["error"]["message"]
    nothing = medkg("train-extractor", "--gold", str(empty), *out, expect=2)
    assert "has no file that ends in .txt" in nothing["error"]["message"]
    other = medkg("train-extractor", "--gold", str(tmp_path / "notes.txt"), *out, expect=2)
    assert "in none of the formats" in other["error"]["message"]
    base = medkg("train-extractor", "--gold", str(gold), "--base", "/no/model", *out, expect=2)
    assert "/no/model" in base["error"]["message"]
    assert not (tmp_path / "out").exists()


def test_an_interruption_says_that_nothing_was_written(
    gold: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("gpu_actors.training.extraction.making.fit", interrupted)
    options = ["--data-dir", str(tmp_path / "d"), "train-extractor", "--gold", str(gold)]

    result = CliRunner().invoke(app, [*options, "--out", str(tmp_path / "out"), *FEW])

    assert result.exit_code == 130 and "nothing was written" in result.stderr
    assert not (tmp_path / "out").exists()
