"""Schedules are YAML files; an invalid one is named with its line and leaves out only itself."""

from __future__ import annotations

import re
from pathlib import Path
from textwrap import dedent

import pytest
from dagster._utils.schedules import is_valid_cron_schedule

from orchestration.jobs.cron import cron_problem
from orchestration.jobs.schedules import Schedule, Schedules, read_schedules
from orchestration.processes.child_process import PROJECT_ROOT

TOPOLOGIES = ("auto", "clinical-trials")
SOURCES = ("clinicaltrials", "files")
NIGHTLY = """\
description: New and changed trials on EGFR, every night.
topology: clinical-trials
source: clinicaltrials
query: EGFR
cron: 0 3 * * *
timezone: Europe/Vienna
"""


def read(folder: Path, text: str, name: str = "trials-nightly.yaml") -> Schedules:
    (folder / name).write_text(text, encoding="utf-8")
    return read_schedules(folder, TOPOLOGIES, SOURCES)


def problem(folder: Path, text: str, name: str = "trials-nightly.yaml") -> str:
    read_back = read(folder, text, name)
    assert not read_back.valid
    (error,) = read_back.problems.values()
    return error.message.removeprefix(f"{folder}/")


def test_a_file_is_a_schedule_of_its_name(tmp_path: Path) -> None:
    schedules = read(tmp_path, NIGHTLY)
    assert not schedules.problems
    assert schedules.valid == {
        "trials-nightly": Schedule(
            description="New and changed trials on EGFR, every night.",
            topology="clinical-trials",
            source="clinicaltrials",
            query="EGFR",
            cron="0 3 * * *",
            timezone="Europe/Vienna",
        )
    }


def test_the_guide_s_example_is_valid(tmp_path: Path) -> None:
    guide = (PROJECT_ROOT / "docs" / "guides" / "dagster.md").read_text(encoding="utf-8")
    example = re.search(r"^(    description: .*\n(    .*\n)+)", guide, re.MULTILINE)
    assert example is not None
    assert read(tmp_path, dedent(example[1])) == read(tmp_path, NIGHTLY)


def test_a_data_folder_without_schedules_has_none(tmp_path: Path) -> None:
    assert read_schedules(tmp_path / "schedules", TOPOLOGIES) == Schedules({}, {})


def test_an_invalid_file_leaves_out_no_other(tmp_path: Path) -> None:
    (tmp_path / "broken.yaml").write_text("topology: [", encoding="utf-8")
    schedules = read(tmp_path, NIGHTLY)
    assert list(schedules.valid) == ["trials-nightly"]
    assert list(schedules.problems) == ["broken.yaml"]


@pytest.mark.parametrize(
    ("change", "line", "message"),
    [
        (("query: EGFR", "querry: EGFR"), 4, "'querry' is not a field. Valid here: "),
        (("query: EGFR", "querry: EGFR"), 4, "Did you mean 'query'?"),
        (("clinical-trials", "clinical-trial"), 2, "there is no topology 'clinical-trial'; there are auto, "),
        (
            ("source: clinicaltrials", "source: pubmed"),
            3,
            "there is no source 'pubmed'; there are clinicaltrials",
        ),
        (("0 3 * * *", "0 24 * * *"), 5, "'24' is no hour: use *, 0 to 23"),
        (("0 3 * * *", "daily"), 5, "a cron expression has five fields"),
        (("Europe/Vienna", "Europe/Wien"), 6, "there is no such time zone"),
        (("query: EGFR", "limit: 0"), 4, "greater than or equal to 1"),
        (("query: EGFR", "tenant: '../x'"), 4, "a tenant is 1-63 lower-case letters"),
        (("query: EGFR", "paths: [trials]"), 4, "'trials' is relative; write the whole path"),
        (("source: clinicaltrials", "source: files"), 3, "source files needs `paths`"),
        (
            ("query: EGFR", "mirror: true\nlimit: 5"),
            4,
            "mirror needs the complete listing, which limit cuts off",
        ),
    ],
)
def test_an_error_names_file_line_and_what_would_be_valid(
    tmp_path: Path, change: tuple[str, str], line: int, message: str
) -> None:
    shown = problem(tmp_path, NIGHTLY.replace(*change))
    assert shown.startswith(f"trials-nightly.yaml:{line}: ")
    assert message in shown


@pytest.mark.parametrize("name", ["verify.yaml", "Trials.yaml", "trials_nightly.yaml"])
def test_a_file_that_cannot_name_a_schedule_is_to_be_renamed(tmp_path: Path, name: str) -> None:
    assert "Rename the file" in problem(tmp_path, NIGHTLY, name)


@pytest.mark.parametrize(
    "expression",
    [
        *("* * * * *", "0 3 * * *", "*/15 0-6 1,15 jan-mar MON-fri", "0 0 31 12 7", "5-50/5 2 * * 0"),
        *("60 * * * *", "* 24 * * *", "* * 0 * *", "* * 32 * *", "* * * 13 *", "* * * * 8", "* * * * day"),
        *(
            "*/0 * * * *",
            "50-5 * * * *",
            "1, * * * *",
            ", * * * *",
            "a * * * *",
            "1-2-3 * * * *",
            "-1 * * * *",
        ),
        *("* * * *", "", "0 3 * * * * *", "@never"),
    ],
)
def test_a_cron_expression_is_valid_if_dagster_takes_it(expression: str) -> None:
    if cron_problem(expression) is None:
        assert is_valid_cron_schedule(expression)
    else:
        assert expression == "50-5 * * * *" or not is_valid_cron_schedule(expression)
