"""`medkg topology` lists, shows and validates topologies without a ledger."""

from __future__ import annotations

from pathlib import Path

import pytest

from orchestration.topology.shipped import shipped_folder
from tests.orchestration.command_line import Medkg


def test_topologies_are_listed_shown_and_validated_without_a_data_folder_and_a_ledger(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MEDKG_LEDGER_URL", "postgresql+psycopg://medkg:secret@127.0.0.1:9/medkg")
    medkg = Medkg(tmp_path / "data")
    listed = {each["name"]: each["error"] for each in medkg("topology", "list")["topologies"]}
    assert "auto" in listed and not any(listed.values())
    assert medkg("topology", "show", "auto")["name"] == "auto"
    assert medkg("topology", "validate", str(shipped_folder() / "auto.yaml"))["valid"] == ["auto"]
    assert not medkg.data_dir.exists()
