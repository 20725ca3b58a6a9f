"""`medkg eval-extract`: what people read, what machines parse, and its exit codes."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner

from orchestration.cli.main import app
from tests.orchestration.command_line import Medkg

GOLD = """\
11|t|A trial of aspirin.
11|a|The trial is registered as NCT01234567.
11\t47\t58\tNCT01234567\tTrial\tNCT:NCT01234567
11\t0\t19\tA trial of aspirin.\tArticle

12|t|Wrong offset.
12|a|NCT01234567.
12\t5\t16\tNCT01234567\tTrial
"""


@pytest.fixture
def gold(tmp_path: Path) -> Path:
    path = tmp_path / "gold.txt"
    path.write_text(GOLD)
    return path


def test_scores_faults_and_what_was_dropped_are_reported(medkg: Medkg, gold: Path) -> None:
    value = medkg("eval-extract", "--gold", str(gold), "--extractors", "registry")
    assert value["gold"]["documents"] == 1
    (excluded,) = value["gold"]["excluded"]
    assert (excluded["file"], excluded["line"], excluded["doc_id"]) == (str(gold), 8, "12")
    (registry,) = value["extractors"].values()
    mentions = next(
        each for each in registry["scores"] if (each["measure"], each["kind"]) == ("mentions", "all")
    )
    assert (mentions["right"], mentions["predicted"], mentions["gold"], mentions["f1"]) == (2, 2, 2, 1.0)
    assert (registry["dropped"], registry["grounded"], registry["failed"]) == ({}, 1.0, [])


def test_people_read_a_table_and_notes(medkg: Medkg, gold: Path) -> None:
    arguments = ["--data-dir", str(medkg.data_dir), "eval-extract", "--gold", str(gold)]
    result = CliRunner().invoke(app, [*arguments, "--extractors", "registry"])
    rows = [line.split() for line in result.stdout.splitlines()]
    assert ["registry", "mentions", "all", "2", "2", "2", "1.000", "1.000", "1.000"] in rows
    assert "line 8: document 12 is left out: characters 5-16 are" in result.stderr
    assert "documents of gold: 1, left out: 1" in result.stderr
    assert not medkg.data_dir.exists()


def test_a_floor_that_is_missed_ends_with_1(medkg: Medkg, gold: Path) -> None:
    command = ["eval-extract", "--gold", str(gold), "--extractors", "registry", "--kinds", "Trial=Condition"]
    value = medkg(*command, "--floor", "mentions.Article.f1=1", "--floor", "mentions.f1=0.9", expect=1)
    assert [(each["figure"], each["met"]) for each in value["floors"]] == [(1.0, True), (0.6667, False)]


def test_the_extractors_of_auto_are_measured_by_default(medkg: Medkg, gold: Path) -> None:
    assert "registry" in medkg("eval-extract", "--gold", str(gold))["extractors"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--kinds", "Disease"], "--kinds 'Disease' is not NAME=NAME"),
        (["--floor", "mentions=1"], "floor 'mentions=1' is not"),
        (["--extractors", "oracle"], "there is no extractor 'oracle'"),
    ],
)
def test_wrong_use_ends_with_2(medkg: Medkg, gold: Path, options: list[str], message: str) -> None:
    error = medkg("eval-extract", "--gold", str(gold), *options, expect=2)["error"]
    assert message in error["message"]
