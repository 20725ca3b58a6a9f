"""Wrong use meets an exit code and a message that names the thing, the cause and the next step."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner

from medkg.testing.builders import an_abstract, json_lines
from orchestration.cli.main import app, hoist_global_options
from tests.orchestration.command_line import Medkg


@pytest.fixture
def abstracts(tmp_path: Path) -> Path:
    path = tmp_path / "abstracts.jsonl"
    path.write_bytes(json_lines([an_abstract("1"), an_abstract("2")]))
    return path


def test_an_unknown_topology_names_those_there_are(medkg: Medkg, abstracts: Path) -> None:
    error = medkg("run", "autoo", "--path", str(abstracts), expect=2)["error"]
    assert "auto" in error["message"]
    assert "clinical-trials" in error["message"]


def test_a_path_that_does_not_exist_and_no_path_are_usage_errors(medkg: Medkg) -> None:
    assert "/no/such" in medkg("run", "auto", "--path", "/no/such", expect=2)["error"]["message"]
    assert "--path" in medkg("run", "auto", expect=2)["error"]["message"]
    assert medkg("run", "auto", "--source", "telegraph", expect=2)["error"]["code"] == "MEDKG-100"
    assert "--query" in medkg("submit", "auto", "--path", "/", "--query", "x", expect=2)["error"]["message"]
    assert medkg("status")["jobs"] == medkg("jobs", "list")["jobs"] == []


def test_a_search_before_anything_was_indexed_says_how_to_index(medkg: Medkg) -> None:
    error = medkg("search", "heart", expect=2)["error"]
    assert error["code"] == "MEDKG-103"
    assert "medkg run" in error["message"]
    medkg("search", "  ", expect=2)
    medkg("search", "heart", "--legs", "smell", expect=2)


def test_a_gpu_profile_without_a_gpu_ends_with_99_and_never_falls_back(medkg: Medkg, abstracts: Path) -> None:
    run = medkg("run", "auto", "--path", str(abstracts), "--profile", "gpu", expect=99)
    assert run["error"]["code"] == "MEDKG-900"
    assert "--profile cpu" in run["error"]["message"]
    medkg("doctor", "--profile", "gpu", expect=99)


def test_a_wrong_setting_names_option_and_variable(tmp_path: Path) -> None:
    result = CliRunner().invoke(app, ["--data-dir", str(tmp_path), "--tenant", "No Tenant!", "status"])
    assert result.exit_code == 2
    assert "MEDKG_TENANT" in result.stderr


@pytest.mark.parametrize(
    ("value", "said"), [("{dense", "JSON"), ('{"smell": 2}', "'dense'"), ('{"dense": 0}', "greater than 0")]
)
def test_wrong_seconds_of_a_leg_say_what_they_are(medkg: Medkg, value: str, said: str) -> None:
    result = CliRunner().invoke(app, ["status"], env={"MEDKG_SEARCH_LEG_SECONDS": value})
    assert result.exit_code == 2
    assert "search_leg_seconds" in result.stderr.lower()
    assert said in result.stderr


def test_a_data_folder_that_cannot_be_made_is_exit_3(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    error = Medkg(tmp_path / "file" / "data")("status", expect=3)["error"]
    assert "--data-dir" in error["message"]


def test_a_place_within_the_data_folder_that_cannot_be_written_is_exit_3(medkg: Medkg) -> None:
    medkg.data_dir.mkdir()
    (medkg.data_dir / "logs").write_text("in the way")
    error = medkg("up", expect=3)["error"]
    assert error["code"] == "MEDKG-502"
    assert f"{medkg.data_dir / 'logs'} cannot be written: File exists" in error["message"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("name: broken\n\tstages: []\n", "tab"),
        ("name: broken\nname: again\n", "name"),
        (
            "name: broken\nversion: '2026-11-23'\nstages: [{name: ingest, type: ingest}]\nsurprise: 1\n",
            "surprise",
        ),
    ],
)
def test_a_broken_topology_file_names_file_and_line(
    medkg: Medkg, tmp_path: Path, text: str, said: str
) -> None:
    path = tmp_path / "broken.yaml"
    path.write_text(text)
    error = medkg("topology", "validate", str(path), expect=2)["error"]
    assert "broken.yaml" in error["message"]
    assert said in error["message"]


def test_submitting_without_a_daemon_queues_and_says_so(medkg: Medkg, abstracts: Path) -> None:
    assert "medkg up" in medkg.text("submit", "auto", "--path", str(abstracts))
    assert medkg("status")["documents"] == {"queued": 2}
    assert medkg("docs", "show", "1", expect=2)["error"]["message"].startswith("1 is queued")
    assert medkg("docs", "delete", "1")["deleted"] == [{"doc_id": "1", "source": "pubmed"}]
    assert medkg("down") == {"stopped": False}
    assert medkg("verify")["consistent"]


def test_global_options_may_stand_after_the_command_but_not_after_two_dashes() -> None:
    arguments = ["run", "auto", "--data-dir", "d", "--tenant=t", "--", "--profile", "x"]
    assert hoist_global_options(arguments) == [
        "--data-dir",
        "d",
        "--tenant=t",
        "run",
        "auto",
        "--",
        "--profile",
        "x",
    ]


def test_the_schema_is_printed_and_checked(medkg: Medkg) -> None:
    assert '"stages"' in medkg.text("topology", "schema")
    assert "is up to date" in medkg.text("topology", "schema", "--check")
