"""Documentation may name only what the repository has; each kind of name is checked."""

from pathlib import Path

import pytest

from ops.checks.docs_names import ROOT, findings, main

PAGE = Path("docs/guides/gates.md")


def problems(text: str) -> list[str]:
    return [finding.problem for finding in findings(text, PAGE)]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("see [there](nowhere.md)", "the link to nowhere.md leads nowhere"),
        ("see [there](pdf.md#no-such-part)", "pdf.md has no heading #no-such-part"),
        ("`orchestration/none.py`", "there is no orchestration/none.py"),
        ("`contracts/none.py`", "there is no contracts/none.py"),
        ("`none_such.py`", "there is no none_such.py"),
        ("`orchestration.none`", "there is no module or name orchestration.none"),
        (
            "`orchestration.errors.NoneSuchError`",
            "there is no module or name orchestration.errors.NoneSuchError",
        ),
        ("`medkg frobnicate`", "there is no command medkg frobnicate"),
        ("    medkg dlq frobnicate 3\n", "there is no command medkg dlq frobnicate"),
        ("```\nmedkg --tenant a run auto --frob 3\n```", "medkg run has no option --frob"),
        ("run `make frobnicate`", "there is no task make frobnicate"),
        ("MEDKG_FROBNICATE=1", "there is no setting MEDKG_FROBNICATE"),
        ("it ends with MEDKG-999", "there is no error MEDKG-999"),
    ],
)
def test_a_name_that_does_not_exist_is_found(text: str, problem: str) -> None:
    assert problems(text) == [problem]


@pytest.mark.parametrize(
    "text",
    [
        "[pdf](pdf.md), [part](../plugins.md#a-parser-complete), [web](https://example.org/none)",
        "`orchestration/errors.py`, `contracts/stages.py`, `topologies/`, `FOLDER/none.py`, `plane.py`",
        "`orchestration.errors.MedkgError`, `medkg.parsers`, `medkg.testing.parser_suite.ParserSuite`",
        "`medkg --data-dir x run auto --path FOLDER --json`, `medkg dlq replay`, `medkg --help`",
        "`make test`, `make` alone, MEDKG_DATA_DIR, MEDKG_TEST_POSTGRES_URL, MEDKG-200",
        "and/or, 1/2, `text/html`, an e.g. and a `--flag`",
    ],
)
def test_names_that_exist_and_other_words_pass(text: str) -> None:
    assert problems(text) == []


def test_a_finding_names_page_and_line(capsys: pytest.CaptureFixture[str]) -> None:
    page = ROOT / PAGE
    assert main([str(page)]) == 0
    (finding,) = findings("one\ntwo MEDKG-999\n", PAGE)
    assert str(finding) == "docs/guides/gates.md:2: there is no error MEDKG-999"
