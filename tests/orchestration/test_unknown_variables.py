"""MEDKG_ variables that no setting has are named with the closest one."""

from __future__ import annotations

from pathlib import Path

import pytest

from orchestration.settings import Settings, describe_unknown, unknown_variables
from tests.orchestration.command_line import Medkg


def test_a_misspelt_variable_is_named_with_the_closest_setting() -> None:
    environment = {"MEDKG_WINDOW_SIZ": "3", "MEDKG_XYZZY": "", "PATH": "/bin"}
    unknown = unknown_variables(environment)
    assert unknown == {"MEDKG_WINDOW_SIZ": "MEDKG_WINDOW_SIZE", "MEDKG_XYZZY": None}
    assert describe_unknown(unknown) == (
        "MEDKG_WINDOW_SIZ is no setting; did you mean MEDKG_WINDOW_SIZE? MEDKG_XYZZY is no setting."
    )


def test_settings_and_variables_that_other_parts_read_are_known() -> None:
    names = [f"MEDKG_{name.upper()}" for name in Settings.model_fields]
    others = ["MEDKG_DAGSTER_URL", "MEDKG_TEST_FOLDER", "medkg_window_size", "HF_HUB_OFFLINE"]
    assert unknown_variables(dict.fromkeys([*names, *others], "")) == {}


def test_doctor_reports_it_as_a_problem(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MEDKG_WINDOW_SIZ", "3")
    report = Medkg(tmp_path / "data")("doctor", expect=2)
    (check,) = [check for check in report["checks"] if not check["ok"]]
    assert check["check"] == "MEDKG_ variables are settings"
    assert check["detail"] == "MEDKG_WINDOW_SIZ is no setting; did you mean MEDKG_WINDOW_SIZE?"
