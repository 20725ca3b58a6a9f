"""The generated references hold everything that they describe, and a stale page fails the check."""

import re
from pathlib import Path

import pytest

from ops import reference
from orchestration.errors import MalformedDocumentError, MedkgError
from orchestration.settings import Settings


def lines_with(page: str, start: str) -> list[str]:
    return [line for line in page.splitlines() if line.startswith(start)]


def all_errors(kind: type[MedkgError] = MedkgError) -> list[type[MedkgError]]:
    return [kind, *(error for subclass in kind.__subclasses__() for error in all_errors(subclass))]


def test_every_setting_has_one_line_with_a_meaning() -> None:
    rows = lines_with(reference.settings_page(), "| `MEDKG_")
    assert [row.split("`")[1] for row in rows] == [f"MEDKG_{name.upper()}" for name in Settings.model_fields]
    assert all(re.search(r"\| [^|]{10,} \|$", row.replace(r"\|", "/")) for row in rows)


def test_a_setting_shows_its_default_and_its_bounds() -> None:
    page = reference.settings_page()
    assert "| `MEDKG_WINDOW_WORKERS` | whole number | `2` | ≥ 1, ≤ 64 |" in page
    assert "| `MEDKG_PROFILE` | text | `cpu` | `cpu`, `gpu`, `gpu-large` |" in page
    assert "| `MEDKG_NCBI_API_KEY` | secret |" in page


def test_every_error_with_a_code_has_a_section() -> None:
    expected = {f"### {error.code} {error.__name__}" for error in all_errors() if "code" in vars(error)}
    sections = lines_with(reference.errors_page(), "### ")
    assert len(sections) == len(set(sections))
    assert set(sections) == expected


def test_an_error_section_states_treatment_and_exit_code() -> None:
    page = reference.errors_page()
    section = page.split("### MEDKG-200 MalformedDocumentError\n")[1].split("###")[0]
    assert (
        "*permanent: not tried again; a document that fails with it is a dead letter; exit code 1.*"
        in section
    )
    assert reference.cause_and_next_step(MalformedDocumentError)[0] in " ".join(section.split())


def test_cause_is_the_first_sentence_and_the_next_step_the_rest() -> None:
    class BrokenError(MedkgError):
        """The file, e.g. a.xml, is broken. Write it again.
        Then replay it."""

    assert reference.cause_and_next_step(BrokenError) == (
        "The file, e.g. a.xml, is broken.",
        "Write it again. Then replay it.",
    )


def test_every_error_with_a_code_states_cause_and_next_step() -> None:
    parts = {
        error.code: reference.cause_and_next_step(error) for error in all_errors() if "code" in vars(error)
    }
    assert len(parts) > 30
    assert [code for code, (cause, next_step) in parts.items() if not (cause and next_step)] == []


def test_every_command_has_a_section_with_its_options() -> None:
    sections = lines_with(reference.commands_page(), "## ")
    assert {"## medkg run", "## medkg dlq replay", "## medkg gate open", "## medkg topology schema"} <= set(
        sections
    )
    run = reference.commands_page().split("## medkg run\n")[1].split("\n## ")[0]
    assert all(f"| `{option}" in run for option in ("topology", "--source", "--path", "--watch", "--json"))


def test_check_fails_for_a_stale_or_absent_page_and_passes_when_all_are_fresh(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(reference, "FOLDER", tmp_path / "reference")
    assert reference.main(["--check"]) == 1
    assert (
        "settings.md, errors.md, cli.md, metrics.md is not what the code says: make reference"
        in capsys.readouterr().out
    )
    assert reference.main([]) == 0
    assert reference.main(["--check"]) == 0
    page = tmp_path / "reference" / "errors.md"
    page.write_text(page.read_text().replace("MEDKG-200", "MEDKG-299"))
    assert reference.main(["--check"]) == 1
    assert "docs/reference: errors.md is" in capsys.readouterr().out
