"""`medkg train-sparse`: from files to a model; it reports broken documents and refuses wrong use."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner

from gpu_actors.encoders.splade import SpladeEncoder
from gpu_actors.profiles import chosen_profile
from medkg.testing.builders import an_abstract, json_lines
from orchestration.cli.main import app
from orchestration.contracts import SourceRequest
from orchestration.jobs.reading import Unread
from orchestration.settings import load_settings
from tests.gpu_actors.training.small_corpus import small_corpus_records
from tests.orchestration.command_line import Medkg

FEW = ("--head-steps", "0", "--splade-steps", "1")


@pytest.fixture
def abstracts(tmp_path: Path) -> Path:
    """Twelve that are sound, one without text, one twice and one changed."""
    records = small_corpus_records()
    changed = {**records[1], "title": "Another title"}
    path = tmp_path / "abstracts.jsonl"
    path.write_bytes(json_lines([*records, an_abstract("13", title="", sections=[]), records[0], changed]))
    return path


def test_files_become_a_model_that_the_sparse_leg_takes(
    medkg: Medkg, abstracts: Path, tmp_path: Path
) -> None:
    out = tmp_path / "my-splade"
    value = medkg("train-sparse", "--path", str(abstracts), "--out", str(out), *FEW, expect=1)

    assert value["documents"] == {"learnt_from": 11, "held_out": 1}
    assert value["sources"] == {"pubmed": 12} and value["measures"]["sparse"].keys() >= {"ndcg@10"}
    assert [(failure["doc_id"], failure["code"]) for failure in value["failures"]] == [
        ("13", "MEDKG-205"),
        ("2", "MEDKG-203"),
    ]
    encoder = SpladeEncoder(chosen_profile("cpu", sparse_model=str(out)))
    assert len(encoder.encode_sparse(["metformin"]).row(0)[0])
    assert not medkg.data_dir.exists()
    again = medkg("train-sparse", "--path", str(abstracts), "--out", str(out), *FEW, expect=2)
    assert "no empty folder" in again["error"]["message"]


def test_too_little_text_reports_what_is_needed_and_what_was_broken(abstracts: Path, tmp_path: Path) -> None:
    short = tmp_path / "short.jsonl"
    short.write_bytes(json_lines([an_abstract("1"), an_abstract("2", sections=[], title="")]))
    options = ["--data-dir", str(tmp_path / "d"), "train-sparse", "--path", str(short)]

    result = CliRunner().invoke(app, [*options, "--out", str(tmp_path / "out"), *FEW])

    assert result.exit_code == 2 and "at least 8 are needed" in result.stderr
    assert "1 documents could not be read and are left out: 1 MEDKG-205" in result.stderr
    assert not (tmp_path / "out").exists()


def test_wrong_use_is_reported(medkg: Medkg, abstracts: Path, tmp_path: Path) -> None:
    out = ("--out", str(tmp_path / "out"), *FEW)

    assert "--path" in medkg("train-sparse", *out, expect=2)["error"]["message"]
    absent = medkg("train-sparse", "--path", "/no/such", *out, expect=2)
    assert "/no/such" in absent["error"]["message"]
    base = medkg("train-sparse", "--path", str(abstracts), "--base", "/no/model", *out, expect=2)
    assert "/no/model" in base["error"]["message"]
    gpu = medkg("train-sparse", "--path", str(abstracts), *out, "--profile", "gpu", expect=99)
    assert gpu["error"]["code"] == "MEDKG-900"
    assert not (tmp_path / "out").exists()


def test_an_interruption_says_that_nothing_was_written(
    abstracts: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("gpu_actors.training.making.gather", interrupted)
    options = ["--data-dir", str(tmp_path / "d"), "train-sparse", "--path", str(abstracts)]

    result = CliRunner().invoke(app, [*options, "--out", str(tmp_path / "out"), *FEW])

    assert result.exit_code == 130 and "nothing was written" in result.stderr
    assert not (tmp_path / "out").exists()


def test_documents_are_read_once_and_nothing_is_written(tmp_path: Path, abstracts: Path) -> None:
    from orchestration.assembly import open_data_folder

    settings = load_settings(data_dir=tmp_path / "data")
    with open_data_folder(settings) as data_folder:
        read = list(data_folder.read(SourceRequest(plugin="files", paths=(str(abstracts),), limit=14)))

    broken = [each for each in read if isinstance(each, Unread)]
    assert [each.doc_id for each in read] == [str(number) for number in range(1, 14)]
    assert [each.doc_id for each in broken] == ["13"]
    assert not (tmp_path / "data").exists()
