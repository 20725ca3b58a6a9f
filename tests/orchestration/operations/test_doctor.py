"""`medkg doctor`: installed plugins, and what a broken one does to its answer."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.orchestration.command_line import Medkg
from tests.orchestration.conftest import Install
from tests.orchestration.vocabularies.builders import a_table


@pytest.fixture
def medkg(tmp_path: Path) -> Medkg:
    return Medkg(tmp_path / "data")


def test_sound_plugins_are_listed_with_their_distribution(medkg: Medkg) -> None:
    report = medkg("doctor")
    assert report["healthy"] and all(plugin["ok"] and not plugin["problem"] for plugin in report["plugins"])
    (pubmed,) = [plugin for plugin in report["plugins"] if plugin["name"] == "pubmed"]
    assert pubmed["group"] == "medkg.sources" and pubmed["distribution"].startswith("medkg ")
    (line,) = [
        line for line in medkg.text("doctor").splitlines() if "text-layer" in line and "medkg 0" in line
    ]
    assert line.split()[:3] == ["ok", "text-layer", "medkg.pdf_converters"]


def test_a_plugin_that_does_not_load_is_a_problem_with_cause_and_next_step(
    medkg: Medkg, install: Install
) -> None:
    install("broken", "broken_module", "import nothing_of_that_name", "medkg.stages", ris="broken_module:X")
    report = medkg("doctor", expect=2)
    assert not report["healthy"]
    (check,) = [check for check in report["checks"] if not check["ok"]]
    assert check["check"] == "plugins load"
    assert "plugin 'ris' of group medkg.stages, distribution broken 1.0" in check["detail"]
    assert "No module named 'nothing_of_that_name'. Fix or uninstall that distribution." in check["detail"]
    (plugin,) = [plugin for plugin in report["plugins"] if not plugin["ok"]]
    assert (plugin["name"], plugin["problem"]) == ("ris", check["detail"])
    shown = medkg.text("doctor", expect=2)
    assert [line.split()[1] for line in shown.splitlines() if line.startswith("FAILED")] == ["plugins", "ris"]


def test_vocabularies_are_named_and_a_damaged_one_is_a_problem(medkg: Medkg, tmp_path: Path) -> None:
    def check(expect: int = 0) -> dict[str, object]:
        checks = medkg("doctor", expect=expect)["checks"]
        (vocabularies,) = [each for each in checks if each["check"] == "vocabularies open"]
        return dict(vocabularies)

    assert check()["detail"] == "none; mentions are linked by the shipped lexicons alone"
    medkg("vocabulary", "add", str(a_table(tmp_path / "fruits.tsv")), "--version", "2026")
    assert check()["detail"] == "fruits 2026 (10 names)"
    (tmp_path / "data" / "vocabularies" / "fruits.sqlite").write_bytes(b"no database")
    damaged = check(expect=3)
    assert not damaged["ok"] and "medkg vocabulary add FILE --name fruits" in str(damaged["detail"])
