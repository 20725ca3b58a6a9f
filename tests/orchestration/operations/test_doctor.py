"""`medkg doctor`: installed plugins, and what a broken one does to its answer."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.orchestration.command_line import Medkg
from tests.orchestration.conftest import Install


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
